"""What the section on numbers of prototypes says; every number in it is computed."""

from collections.abc import Sequence

import pandas as pd

from protoviz.explorer.text import plain, spoken
from protoviz.figures.style import percent, ranged

SENTENCE = (
    "The same probe with one to twenty prototypes a class; and the largest, from which those are taken away "
    "that add least on the validation clips."
)
QUESTION = "How many prototypes does a class need, and do all classes need as many?"
HELP = """
Logits are W s + b, s<sub>j</sub> the score of prototype j: without it they are what is left when
W<sub>·j</sub> s<sub>j</sub> is subtracted, exactly. In each round that prototype goes without which the mean
average precision of the validation clips stays highest; what is drawn is that of the test clips.
<b>Refitted</b>: the classifier of what is kept, trained anew. <b>Best on validation</b>: the fewest with the
highest score on the clips that chose. A prototype serves the class whose weight for it is largest. Lines
and bands are 95 % bootstrap intervals over seeds.<br>
Sources: Rauch et al., “Unmute the Patch Tokens”, ICLR 2026, figures 14 to 17, show the gain over J, steep
from 1 to 10; their curves could not be read. The pruning is not in the paper.
"""
NO_NUMBERS = (
    "This study has no scores by numbers of prototypes: <code>protoviz per-class</code> makes them, for "
    "scenes."
)
NOT_PRUNED = (
    "No probe of this study was pruned: <code>protoviz per-class</code> does that, for scenes, and "
    "<code>scores = [&quot;pruning&quot;]</code> in a study.toml for any data."
)


def numbers(table: pd.DataFrame, seeds: int) -> str:
    """Return the scores at each number; a frame of `by_number`."""
    told = []
    for method, rows in table.groupby("method", sort=False):
        each = ", ".join(f"{ranged(*row[1:])} at {row[0]}" for row in _rows(rows))
        told.append(f"<b>{plain(method)}</b>: {each}")
    over = f"mean over {seeds} seeds" if seeds > 1 else "one seed"
    return f"Test mAP in % by prototypes a class. {'; '.join(told)} ({over})."


def _rows(rows: pd.DataFrame):
    columns = ["per_class", "score", "low", "high"]
    return rows.sort_values("per_class")[columns].itertuples(index=False, name=None)


def pruned(curve: pd.DataFrame, chosen: Sequence[int]) -> str:
    """Return what is lost on the way to the number that validation clips chose; a frame of `pruned_means`."""
    mean = curve[curve["class"] == ""].set_index("kept")
    ends = list(dict.fromkeys((chosen[0], chosen[-1])))
    whole = mean.loc[mean.index.max()]
    there = mean.loc[[count for count in ends if count in mean.index]]
    scores = " to ".join(dict.fromkeys(map(percent, sorted(there.score))))
    return (
        f"Of {mean.index.max():,} prototypes the validation clips keep <b>{' to '.join(map(str, ends))}</b>: "
        f"{scores} % on the test clips, {percent(whole.score)} % with all."
    )


def needs(table: pd.DataFrame) -> str:
    """Return which classes keep most and fewest; a frame of `class_needs`."""
    first, last = table.iloc[0], table.iloc[-1]
    return (
        f"Most prototypes are kept for <b>{plain(spoken(first['class']))}</b> ({first.prototypes:.1f}), "
        f"fewest for <b>{plain(spoken(last['class']))}</b> ({last.prototypes:.1f}); "
        f"{table.prototypes.mean():.1f} a class on average."
    )
