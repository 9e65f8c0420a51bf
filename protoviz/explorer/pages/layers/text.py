"""What the section on layers says; every number in it is computed."""

import pandas as pd

from protoviz.analysis.layers import MIXED
from protoviz.explorer.text import plain, spoken
from protoviz.figures.style import percent

SENTENCE = (
    "The same probes on the tokens of each layer, and on a learned mixture of all. Everything else on these "
    "pages reads the last."
)
QUESTION = "In which layer can a class be read?"
HELP = """
Layers are numbered as hidden states: 0 is what enters the first block, the last is after the final norm. Each
point is a probe trained on the tokens of that layer alone, at rates chosen for it; <i>mixture</i> reads
Σ a<sub>l</sub> z<sub>l</sub>, with a the softmax of a learned vector, which starts even. Curves show mean
average precision over the classes on the test scenes, the map that of each class. The charts above say how
far attention has spread in the same layers.<br>
Sources: layers side by side, Evci et al., “Head2Toe”, ICML 2022; the mixture is that of convex gated probing.
"""
LACKING = (
    "This study has no scores by layer. So far they are measured on scenes, by <code>protoviz layers</code>."
)


def measured(scores: pd.DataFrame) -> str:
    """Return in which layer each method reads best, and what the mixture gives; of a frame of `by_layer`."""
    told = []
    for method, rows in scores.groupby("method", sort=False):
        single, mixed = rows[rows.layer >= 0], rows[rows.layer == MIXED]
        parts = []
        if len(single):
            best, last = single.loc[single.score.idxmax()], single.loc[single.layer.idxmax()]
            parts.append(f"layer {best.layer} ({percent(best.score)})")
            if best.layer != last.layer:
                parts.append(f"the last gives {percent(last.score)}")
        if len(mixed):
            parts.append(f"the mixture {percent(mixed.score.iloc[0])}")
        told.append(f"<b>{plain(method)}</b>: {', '.join(parts)}")
    metric, seeds = scores.metric.iloc[0], int(scores.seeds.max())
    chance = percent(scores.chance.mean())
    return f"Best: {'; '.join(told)} ({metric}, %, mean over {seeds} seeds; chance {chance})."


def of_class(classes: pd.DataFrame, name: str) -> str:
    """Return in which layer one class is read best; of a frame of `classes_by_layer` of one method."""
    rows = classes[(classes["class"] == name) & (classes.layer >= 0)]
    if rows.empty:
        return ""
    best = rows.loc[rows.score.idxmax()]
    return f"<b>{plain(spoken(name))}</b> is read best in layer {best.layer} ({percent(best.score)} %)."
