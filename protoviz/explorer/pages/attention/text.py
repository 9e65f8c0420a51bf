"""What the page Attention says, as small pieces of HTML; what a user or a file named is escaped here."""

from collections.abc import Mapping

import pandas as pd

from protoviz.audio import CellGrid
from protoviz.explorer.text import in_code, plain

HELP = """
Attention of layer l, head h: the softmax row a = softmax(q<sub>[cls]</sub> K<sup>T</sup> / √d<sub>h</sub>).
The column of [cls] itself is dropped and the row scaled to sum to 1 over the cells that hold sound:
p<sub>n</sub> = a<sub>n</sub> / Σ a. Drawn is p<sub>n</sub> × N, N the number of these cells: 1 × is the equal
share, what gets less stays clear, and every map has the same scale (unless each is stretched).<br>
<b>Effective tokens</b> are exp(H), H = −Σ p<sub>n</sub> ln p<sub>n</sub>: so many cells with equal shares
would be as spread, 1 to N. A line through the layers is exp of the mean H of the heads; the mean map of heads
that look at different places is more spread than they are.<br>
<b>Mass on true events</b> is Σ p<sub>n</sub> × (share of cell n inside an event box); attention that ignores
the events has their share of the area there. A box is not exact: an event fades, and its partials leave cells
of the box quiet.<br>
Heads of one number in two encoders have nothing to do with each other. What attention weights is not yet what
[cls] holds: values are mixed, and tokens of deep layers are mixtures themselves.<br>
Sources: the convention is that of gmum/beyond_cls (there 1e-6 stands inside the logarithm); Rauch et al.,
“Unmute the Patch Tokens”, ICLR 2026, figure 1, shows diffuse maps and reports no number. All numbers here are
measured by this page.
"""
NUMBERS_CSS = """
:host > div { display: grid; grid-template-columns: repeat(3, 1fr); gap: 18px; min-height: 76px; }
div > b { display: block; font-size: 22px; line-height: 1.2; }
div > span { display: block; font-size: 14px; line-height: 1.35; opacity: 0.85; }
"""
# What pre-training asked of [cls]; an encoder that is not here is introduced by the registry alone.
_NO_OBJECTIVE = (
    "In masked autoencoding [cls] has <b>no objective</b>: it serves the reconstruction of hidden cells, and "
    "nothing ever rewarded it for finding events. What its attention shows is a by-product."
)
_TEACHER = (
    "In pre-training [cls] had to match the <b>mean</b> of a teacher's tokens: a summary of the whole clip, "
    "which every cell has the same share in."
)
_TUNED = "Fine-tuned on labels of whole clips: attention was rewarded for finding what is labelled."
_DISTILLED = "In pre-training [cls] was trained by self-distillation beside the reconstruction of cells."
_NO_CLS = "It has no [cls]: shown is the <b>attention received</b> by each cell, the mean over all queries."
_OBJECTIVES = {
    "mini-random": "Never trained: whatever a trained encoder shows has to beat this floor.",
    "mini-mae": _NO_OBJECTIVE,
    "mini-eat": _TEACHER,
    "mini-sslam": _TEACHER,
    "mini-beats": "In pre-training each hidden cell had to be given its code; no token had to sum a clip up.",
    "mini-asit": _DISTILLED,
    "mini-dasheng": "In pre-training hidden stretches of 40 ms were redrawn; no token had to sum a clip up.",
    "mini-eat+": _TUNED,
    "a-mae": _NO_OBJECTIVE,
    "eat": _TEACHER,
    "sslam": _TEACHER,
    "eat+": _TUNED,
    "sslam+": _TUNED,
    "beats+": _TUNED,
    "asit": _DISTILLED,
}


def sentence(grid: CellGrid, cls: bool = True) -> str:
    """Return what the picture shows; cls: the encoder has one."""
    looks, whose = ("[cls] looks", "its attention") if cls else ("attention goes", "it")
    return (
        f"Where {looks}: the share of {whose} that each of the {grid.times} × {grid.freqs} cells gets, in "
        "one layer and head of two encoders, and how far it spreads in all of them."
    )


def question(known: bool) -> str:
    """Return what to find out with it; known: the true events of the clip are known."""
    if not known:
        return "Does attention gather where you hear something, or does every cell get about the same?"
    return "Does attention gather on the true events, or do they get no more than their share of the area?"


def heading(name: str, summary: str, received: bool) -> str:
    """Return over an encoder's maps: what it is, and what its [cls] was trained for."""
    said = (summary and f"{plain(summary)}.", _NO_CLS if received else "", _OBJECTIVES.get(name, ""))
    return f'<span class="quiet">{" ".join(filter(None, said))}</span>'


def name_of(layer: int, depth: int, head: int, heads: int) -> str:
    """Return "Layer 6 of 6, mean of 3 heads"."""
    which = f"mean of {heads} heads" if head == 0 else f"head {head} of {heads}"
    return f"Layer {layer} of {depth}, {which}"


def numbers(row: pd.Series, of_heads: float | None, received: bool) -> str:
    """Return the numbers of the map that is shown large.

    row: as in a frame of `diffusion`; of_heads: effective tokens of its heads, where the map is their mean.
    """
    if pd.isna(row.effective):
        return "[cls] keeps all of this row to itself: no cell gets a share that could be shown."
    one = f"; {_tokens(of_heads)} for one head" if of_heads is not None else ""
    figures = [(_tokens(row.effective), f"effective tokens of {int(row.uniform)}{one}")]
    if pd.notna(row.mass):
        times = f": {row.concentration:.2f} ×" if pd.notna(row.concentration) else ""
        figures.append(
            (_percent(row.mass), f"of it on true events, which are {_percent(row.area)} of the area{times}")
        )
    if not received:
        figures.append((_percent(row.cls_to_cls, 1), "of its row [cls] keeps to itself"))
    return "".join(f"<div><b>{value}</b><span>{what}</span></div>" for value, what in figures)


def tip(row: Mapping, head: int, received: bool, encoder: str = "") -> str:
    """Return what a thumbnail or a dot says of one map; head 0: the mean of the heads."""
    which = f"head {head}" if head else "mean of the heads"
    of = f"{plain(encoder)}, " if encoder else ""
    lines = [f"<b>{of}layer {int(row['layer'])}, {which}</b>"]
    if pd.isna(row["effective"]):
        lines.append("no attention on cells")
    else:
        lines.append(f"{_tokens(row['effective'])} of {int(row['uniform'])} effective tokens")
        if pd.notna(row["mass"]):
            lines.append(
                f"{_percent(row['mass'], 1)} on true events ({_percent(row['area'], 1)} of the area)"
            )
    if not received:
        lines.append(f"[cls] to itself: {_percent(row['cls_to_cls'], 1)}")
    return "<br>".join(lines)


def tips(heads: pd.DataFrame, maps) -> list[str]:
    """Return what the dots say, one a row of a frame of `diffusion` or `over_clips`; maps:
    `AttentionMaps`.
    """
    said = [tip(row, int(row["head"]), maps.received, maps.encoder) for row in heads.to_dict("records")]
    if "clips" not in heads:
        return said
    return [
        f"{words}<br>mean of {int(row.clips)} clips; s.d. of H {row.entropy_sd:.2f} nats, "
        f"on events {_percent(row.mass_sd, 1)}"
        for words, row in zip(said, heads.itertuples(), strict=True)
    ]


def key(encoders: list[tuple[str, str, bool]], frames: list[pd.DataFrame]) -> str:
    """Return the key of the charts; encoders: name, colour, whether its attention is the one received.

    frames: their frames of `diffusion`, for what the dashed lines stand at.
    """
    if not frames:
        return ""
    bar = "display: inline-block; width: 22px; height: 4px; border-radius: 2px; vertical-align: middle"
    names = "".join(
        f'<span style="margin-right: 20px; white-space: nowrap">'
        f'<span style="{bar}; margin-right: 7px; background: {colour}"></span>'
        f"{plain(name)}{' (attention received)' if received else ''}</span>"
        for name, colour, received in encoders
    )
    levels = [f"{frame.uniform.iloc[0]:.0f} tokens" for frame in frames]
    for place, frame in enumerate(frames):
        if pd.notna(frame.area.iloc[0]):
            levels[place] += f", {_percent(frame.area.iloc[0])} on events"
    level = " or ".join(dict.fromkeys(levels))
    rest = f"Line: mean of the heads; dots: heads; dashed: every cell gets the same ({level})."
    return f'{names}<span class="quiet">{rest} Click a layer to show it.</span>'


MEASURING = '<span class="quiet">Measuring the listed clips, once for everyone …</span>'
COMPUTING, STOPPED = "Computing its attention …", "Its attention over this clip was not computed: stopped."
STRETCHED = (
    "Each map is stretched from its own smallest to its own largest share: even an equal spread then shows a "
    "pattern, and colours of two maps do not compare."
)


def trouble(name: str, why: str) -> str:
    """Return an encoder that cannot be shown."""
    return f"<b>{plain(name)}</b> cannot be shown: {in_code(why)}"


def _tokens(number: float) -> str:
    return f"{number:.1f}" if number < 99.95 else f"{number:.0f}"


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"
