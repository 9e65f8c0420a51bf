"""Figures of prototypes across clips, by name: nearest clips, scores over all clips, a map of all of them."""

import numpy as np
import pandas as pd

from protoviz.analysis.neighbours import PARTS, score_bins
from protoviz.audio import FilterBank
from protoviz.figures.asked import OfProbe
from protoviz.figures.cloud import Cloud
from protoviz.figures.nearest import NearestClips, Thumbnail, coarser
from protoviz.figures.probe_of_study import Made, cell_of
from protoviz.figures.score_histogram import ScoreHistogram
from protoviz.study import Study, StudyError
from protoviz.study.form import add_command

PLACES = ("response", "direction")  # by what prototypes are near each other on their map
Cell = tuple[str, str, str]  # data set, encoder, method


def nearest(study: Study, asked: OfProbe, prototype: int = 0, part: str = PARTS[0]) -> Made:
    """Return `NearestClips` of a part of a prototype's clips, and their rows; of others the id."""
    cell = _cell(study, asked)
    rows = _nearest(study, cell, prototype, part)
    clips, grid = study.clips.get(cell[0]), study.encoders[cell[1]].cells
    pictures = None if clips is None else clips.array("pictures", cell[1])
    listed = set() if pictures is None else set(clips.table["clip"])
    rows = rows.assign(title=rows["clip"], here=rows["clip"].isin(listed))
    thumbnails = {
        row.number: Thumbnail(coarser(np.array(pictures[clips.row(row.clip)])), tuple(clips.events(row.clip)))
        for row in rows[rows.here].head(NearestClips.most).itertuples()
    }
    drawn = NearestClips(grid, FilterBank(sample_rate=grid.sample_rate), dark=asked.dark)
    drawn.show(rows, thumbnails, 0)
    return drawn, rows


def scores(study: Study, asked: OfProbe, prototype: int = 0, part: str = PARTS[0]) -> Made:
    """Return `ScoreHistogram` of a prototype, the clips of a part marked in it, and its bins."""
    cell = _cell(study, asked)
    bins = score_bins(_of(study, "scores", "nearest", cell, prototype))
    if bins is None:
        raise StudyError(f"no finite score of prototype {prototype} is known: no histogram can be drawn")
    drawn = ScoreHistogram(asked.dark)
    drawn.show(bins, _nearest(study, cell, prototype, part).score.tolist())
    return drawn, bins


def places(study: Study, asked: OfProbe, by: str = PLACES[0], label: str | None = None) -> Made:
    """Return `Cloud` of a probe's prototypes, those marked that listen for a class or argue for it."""
    if by not in PLACES:
        raise StudyError(f"prototypes are placed by {' or '.join(PLACES)}, not by {by!r}")
    rows = _of(study, "map-prototypes", "projections", _cell(study, asked))
    drawn = Cloud(dark=asked.dark)
    drawn.show_points(rows[f"x_{by}"].to_numpy(), rows[f"y_{by}"].to_numpy())
    marks = [(rows[column] == label).fillna(False).to_numpy(dtype=bool) for column in ("label", "favourite")]
    drawn.show_marks(*marks, np.zeros(len(rows), dtype=bool))
    return drawn, rows


def _cell(study: Study, asked: OfProbe) -> Cell:
    return cell_of(study, asked.method, asked.encoder, asked.dataset, "prototype")


def _nearest(study: Study, cell: Cell, prototype: int, part: str) -> pd.DataFrame:
    """The rows of a part of a prototype's clips, by rank, numbered from 1."""
    rows = _of(study, "nearest", "nearest", cell, prototype)
    if "part" in rows:
        rows = rows[rows["part"] == part]
    if rows.empty or ("part" not in rows and part != PARTS[0]):
        raise StudyError(f"no clips of the part {part!r} are kept; a part is one of {', '.join(PARTS)}")
    rows = rows.sort_values("rank", ignore_index=True)
    return rows.assign(number=np.arange(1, len(rows) + 1))


def _of(study: Study, table: str, kind: str, cell: Cell, prototype: int | None = None) -> pd.DataFrame:
    """The rows of a table that tell of a probe, or of one of its prototypes."""
    rows = study.results.part(table, *cell) if table in study.results else pd.DataFrame()
    if rows.empty:
        add = add_command(study.folder, kind)
        raise StudyError(f"{study.folder} keeps nothing of {cell[2]} across clips: {add} adds it")
    if prototype is None:
        return rows
    found = rows[rows["prototype"] == prototype]
    if found.empty:
        raise StudyError(f"{cell[2]} has no prototype {prototype}: it has {rows.prototype.nunique()}")
    return found
