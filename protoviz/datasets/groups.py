"""Whether clips of one source lie in two splits: by their column `group`, or by what their names suggest."""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from protoviz.datasets.clips import ClipSet
from protoviz.scenes.groups import group_by

# How people name the pieces of one recording, the surest first.
PATTERNS = (
    r"^\d-(\d+)-[A-Z]\b",  # ESC-50: fold-SOURCE-take
    r"^(\d+)-\d+-\d+-\d+\.",  # UrbanSound8K: SOURCE-class-occurrence-slice
    r"(XC\d+)",  # xeno-canto
    r"^(.+?)(?:[_\- ]\d+\.\d+s?){1,2}\.\w+$",  # SOURCE_0.0_5.0: from and to
    r"^(.+)[_\-. ](?:[A-Za-z]*\d+|[A-Za-z])\.\w+$",  # SOURCE_seg003, SOURCE-12, SOURCE_b
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
    """The groups that lie in two splits: of the column `group`, else what names suggest; None: none does.

    Names suggest a group where pieces share a stem before a last number or letter, and the stem is no mere
    name of a class or a campaign: it has digits in it, or there are more stems than folders.
    """
    table = clips.table
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
        if _suggests(names, stems, groups) and (found := _torn(table, groups, pattern)):
            return found
    return None


def _suggests(names: pd.Series, stems: pd.Series, groups: pd.Series) -> bool:
    """Whether stems are those of sources rather than an enumeration of what a folder holds."""
    shared = set(groups[groups == stems])
    pairs = {(Path(name).parent, stem) for name, stem in zip(names, stems, strict=True)}
    folders = {folder for folder, _ in pairs}
    every = {stem for _, stem in pairs}
    if not shared or len(every) < 2 or len(pairs) == len(folders) == len(every):  # a stem a folder
        return False
    numbered = sum(bool(re.search(r"\d", stem)) for stem in shared)
    return 2 * numbered >= len(shared) or len(shared) > len(folders)


def _torn(table: pd.DataFrame, groups: pd.Series, pattern: str | None) -> Torn | None:
    lies = table["split"].groupby(groups.to_numpy()).transform("nunique") > 1
    counts = {split: int((lies & (table["split"] == split)).sum()) for split in HELD}
    if not lies.any():
        return None
    first = groups[lies].iloc[0]
    example = table[(groups == first).to_numpy()].drop_duplicates("split")["clip"].tolist()
    sizes = {split: int((table["split"] == split).sum()) for split in HELD}
    return Torn(pattern, groups[lies].nunique(), counts, sizes, tuple(example))
