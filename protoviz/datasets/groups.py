"""Whether clips of one source lie in two splits: by their column `group`, or by what their names suggest."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from protoviz.audio import nfc
from protoviz.datasets.clips import ClipSet
from protoviz.scenes import RecordedSources
from protoviz.scenes.groups import group_by

# How people name the pieces of one recording, the surest first.
PATTERNS = (
    r"^\d-(\d+)-[A-Z]\b",  # ESC-50: fold-SOURCE-take
    r"^(\d+)-\d+-\d+-\d+\.",  # UrbanSound8K: SOURCE-class-occurrence-slice
    r"^([a-z_]+-[a-z]+-\d+)-\d+-\w+\.",  # TAU Urban: scene-city-PLACE-segment-device
    r"(XC\d+)",  # xeno-canto
    r"^(.+?)(?:[_\- @]\d+\.\d+s?){1,2}\.\w+$",  # SOURCE_0.0_5.0: from and to
    r"^(.+?)[_\-. @#(]+(?:[A-Za-z]*\d+(?:of\d+)?|[A-Za-z])\)?\.\w+$",  # SOURCE_seg003, SOURCE-12, SOURCE (2)
    r"^(.*\d)[A-Za-z]\.\w+$",  # SOURCE12b
    r"^(.+?)[_\- ]\d+s?[_\- ]\d+s?\.\w+$",  # SOURCE_0_5
)
HELD = ("test", "validation")


class Torn(NamedTuple):
    """Clips held out for choosing or reporting whose group has clips in another split too."""

    pattern: str | None  # for the option `group`; None: the clip table has the groups
    groups: int  # that lie in two or more splits
    clips: dict[str, int]  # held-out split -> clips of such groups
    of: dict[str, int]  # held-out split -> its clips
    example: tuple[str, ...]  # clips of one such group, in different splits


def torn_groups(clips: ClipSet) -> Torn | None:
    """Return the groups that lie in two splits: of the column `group`, else what names suggest; None: none
    does.

    Names suggest a group where pieces share a stem before a last number or letter, and the stem is no mere
    name of a class or a campaign: not one of one folder or class each, and it has digits in it, or there are
    more than two stems a folder and class.
    """
    return _torn_in(clips.table)


def torn_recordings(sources: Mapping[str, RecordedSources]) -> Torn | None:
    """Return the same of the recordings of train and test, where each file counts as a source of its own."""
    rows = {
        (region.path, split, (region.label,)): region.source
        for split, found in sources.items()
        for regions in found.regions.values()
        for region in regions
    }
    if any(nfc(Path(path).stem) != source for (path, *_), source in rows.items()):
        return None  # they are named by a table, or by a pattern
    table = pd.DataFrame(list(rows), columns=["path", "split", "labels"])
    return _torn_in(table.assign(clip=table.path))


def _torn_in(table: pd.DataFrame) -> Torn | None:
    if "group" in table:
        known = table["group"].fillna("").astype(str)
        return _torn(table, known.where(known != "", table["clip"]), None)
    names = table.path.map(lambda path: "" if path is None else str(path))
    if names.eq("").any() or names.str.endswith(".parquet").any():
        return None
    for pattern in PATTERNS:
        stems = names.map(group_by(pattern))
        pieces = names.map(lambda name: Path(name).name).groupby(stems).transform("nunique")
        groups = stems.where(pieces > 1, table["clip"])  # one file, or one name in two folders, is no pieces
        if _suggests(table, stems, groups) and (found := _torn(table, groups, pattern)):
            return found
    return None


def _suggests(table: pd.DataFrame, stems: pd.Series, groups: pd.Series) -> bool:
    """Whether stems are those of sources rather than an enumeration of what a folder or class holds."""
    shared, every = set(groups[groups == stems]), set(stems)
    folders = table.path.map(lambda path: str(Path(path).parent))
    classes = table["labels"].map(tuple)
    for holders in (folders, classes):
        if len(set(zip(holders, stems, strict=True))) == len(set(holders)) == len(every):  # a stem each
            return False
    if not shared or len(every) < 2:
        return False
    numbered = sum(bool(re.search(r"\d", stem)) for stem in shared)
    return 2 * numbered >= len(shared) or len(shared) > 2 * max(len(set(folders)), len(set(classes)))


def _torn(table: pd.DataFrame, groups: pd.Series, pattern: str | None) -> Torn | None:
    lies = table["split"].groupby(groups.to_numpy()).transform("nunique") > 1
    counts = {split: int((lies & (table["split"] == split)).sum()) for split in HELD}
    if not lies.any():
        return None
    first = groups[lies].iloc[0]
    example = table[(groups == first).to_numpy()].drop_duplicates("split")["clip"].tolist()
    sizes = {split: int((table["split"] == split).sum()) for split in HELD}
    return Torn(pattern, groups[lies].nunique(), counts, sizes, tuple(example))
