"""The clips that pages show first, chosen among held-out scenes by stated rules (`analysis.showing`)."""

from pathlib import Path

import numpy as np
import pandas as pd

from protoviz.analysis.attention import coverage, over_cells
from protoviz.analysis.hits import hit_table
from protoviz.analysis.showing import NUMBERS, first_clips, heard, recommended
from protoviz.cache.view import TokenView
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.materials import Pair
from protoviz.experiments.projections import compared_cells, rows_of
from protoviz.kept import write_frame
from protoviz.probes import Probe, load_probe
from protoviz.study.form import probe_file
from protoviz.training import predict_many

FAMILIES = ("cls", "prototype")  # of the two probes that are shown side by side, left and right
FEW, MANY = 3, 5  # events of a clip that can be taken in at a glance, and in which something can be missed


def choose_first(cells: Cells, task: Task, runs: pd.DataFrame, folder: Path, looked: int) -> pd.DataFrame:
    """Write results/showing.parquet of a study, and return it: `first_clips` with dataset, encoder, left,
    right.

    task: the encode task of the pages' data set and encoder, whose probes lie in the study; runs: of all
    methods. left is the [cls] probe and right the prototype probe that validation recommends. looked: so many
    test clips of FEW to MANY events are asked, in their order.
    """
    names = task.dataset, task.encoder
    titles = [recommended(runs, family) for family in FAMILIES]
    allow = [cells.method(title).found for title in titles]
    probes = [load_probe(probe_file(folder, *names, title), allow=allow) for title in titles]
    numbers = numbers_of(cells.of(task), cells.split(task, "test"), *probes, looked)
    told = dict(zip(("dataset", "encoder", "left", "right"), (*names, *titles), strict=True))
    found = first_clips(numbers, *titles).assign(**told)
    write_frame(folder / "results" / "showing.parquet", found)
    return found


def numbers_of(pair: Pair, test: TokenView, left: Probe, right: Probe, looked: int) -> pd.DataFrame:
    """Return NUMBERS of the first `looked` test clips of FEW to MANY events; right: a prototype probe."""
    fitting = np.flatnonzero(test.table["polyphony"].between(FEW, MANY))[:looked]
    view = TokenView(test.cache, test.rows[fitting])
    table, clips, grid = view.table, pair.clips, pair.encoder.cell_grid()
    logits, targets = predict_many([left, right], view), view.targets()
    rows = rows_of(clips, table["clip"])
    found = {"clip": table["clip"], "events": targets.sum(axis=1).astype(int)}
    found |= {"left": heard(logits[0], targets), "right": heard(logits[1], targets)}
    events = [clips.events(row) for row in rows]
    hits = [_hits(right, view, number, held, grid) for number, held in enumerate(events)]
    attention = [_attention(pair, row, held, grid) for row, held in zip(rows, events, strict=True)]
    for names, values in ((("first", "five"), hits), (("mass", "area"), attention)):
        found |= dict(zip(names, np.array(values).reshape(-1, 2).T, strict=True))
    return pd.DataFrame(found)[NUMBERS]


def _hits(probe: Probe, view: TokenView, number: int, events, grid) -> tuple[float, float]:
    """Shares of the strongest prototype and of the five strongest on their events, means over classes."""
    batch = view.read([number], probe.layers)
    told = probe.explain(batch.tokens, batch.cls, batch.mask, maps=False).numpy()
    own = told.contributions, told.locations, view.classes, compared_cells(probe, grid)
    first, five = (hit_table([events], *own, k).share.mean() for k in (1, 5))
    return float(first), float(five)


def _attention(pair: Pair, row: int, events, grid) -> tuple[float, float]:
    """The share of the last layer's attention on events, and their share of the cells; nan without any."""
    encoding = pair.encoder.encode(pair.clips.read(row), attention=True)
    inside, real = coverage(grid, events).ravel(), encoding.mask[0].cpu().numpy()
    if encoding.attention is None:
        return np.nan, np.nan
    shares = over_cells(encoding.attention[-1].float().cpu().numpy()[0], real).mean(axis=0)
    return float(shares @ inside), float(inside[real].mean())
