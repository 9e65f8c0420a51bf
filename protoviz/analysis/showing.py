"""Which clip a page shows first: the first held-out one on which its point is seen, and how often it is seen.

A rule is stated before it is looked. It is asked of every clip of a sample, and beside the clip that a page
takes stands the share of the sample that shows its point: what a random one would show.
Letters: b clip, c class.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from protoviz.analysis.tables import of_names
from protoviz.probes import family_of
from protoviz.probes.base import Family

# A row a clip: events; left, right: how many of them each of two probes hears (`heard`); first, five: the
# share of its classes' strongest, and five strongest, prototypes of the right probe that lie on an event of
# the class; mass: the share of the encoder's attention that lies on events, area: what an even one would.
NUMBERS = ["clip", "events", "left", "right", "first", "five", "mass", "area"]
CHOSEN = ["page", "clip", "says", "shown", "clips", "share"]
FEW, MANY = 3, 5  # events of a clip that can be taken in at a glance, and in which something can be missed


@dataclass(frozen=True)
class Rule:
    """What a page's first clip has to show. {left} and {right} in the words are the two methods."""

    says: str
    shows: Callable[[pd.DataFrame], pd.Series]  # a frame of NUMBERS -> whether each clip shows it


RULES = {
    "listen": Rule(
        "{right} has every event among its highest classes, one for each event; {left} misses two or more",
        lambda rows: (rows.right == rows.events) & (rows.left <= rows.events - 2),
    ),
    "prototypes": Rule(
        "of {right} the strongest prototype of every event's class lies on it, as do four of five on average",
        lambda rows: (rows["first"] == 1) & (rows.five >= 0.8),
    ),
    "attention": Rule(
        "the attention of [cls] in the last layer lies on the events less than an even one would",
        lambda rows: rows.mass < rows.area,
    ),
}


def heard(logits, targets) -> np.ndarray:
    """Return how many of a clip's classes are on a probe's first ranks (b), as many ranks as it has classes.

    logits, targets (b c). The rule of `protoviz.analysis.prototypes.class_scores`, free of any threshold.
    """
    truth = np.asarray(targets) > 0
    order = np.argsort(-np.asarray(logits, dtype=float), axis=1, kind="stable")
    ranked = np.take_along_axis(truth, order, axis=1)
    return (ranked & (np.arange(truth.shape[1]) < truth.sum(axis=1, keepdims=True))).sum(axis=1)


def recommended(runs: pd.DataFrame, family: Family) -> str:
    """Return the method of a family whose runs score best on validation clips, in the mean over seeds.

    runs: method, validation. Test clips decide nothing. ValueError where no method is of the family.
    """
    own = runs[of_names(runs.method, family_of) == family]
    if own.empty:
        raise ValueError(f"no method of {', '.join(runs.method.unique())} is of the family {family}")
    return str(own.groupby("method", sort=False).validation.mean().idxmax())


def first_clips(table: pd.DataFrame, left: str, right: str) -> pd.DataFrame:
    """Return a frame: CHOSEN: a row a page of RULES: a clip of a frame of NUMBERS, and how many of its clips
    show the page's point; share = shown / clips.

    All pages take the first clip that shows the points of all of them, so that who goes from one to another
    keeps it. Where there is none each takes the first that shows its own, "" where none does.
    """
    shown_by = {page: rule.shows(table) for page, rule in RULES.items()}
    together = np.logical_and.reduce(list(shown_by.values()))
    rows = []
    for page, rule in RULES.items():
        shows = shown_by[page]
        fitting = table["clip"][together if together.any() else shows]
        clip = fitting.iloc[0] if len(fitting) else ""
        said, shown = rule.says.format(left=left, right=right), int(shows.sum())
        rows.append((page, clip, said, shown, len(table), shown / len(table) if len(table) else np.nan))
    return pd.DataFrame(rows, columns=CHOSEN)
