"""What the page Orthogonality says, as small pieces of HTML; every number is computed when it is said."""

import pandas as pd

from protoviz.analysis.geometry import Spread, welch_bound
from protoviz.explorer.pages.orthogonality.sets import Window
from protoviz.explorer.text import in_code, plain, spoken, wide
from protoviz.figures.style import minus

NEAR = 1.1  # within ten per cent of random corners counts as what chance gives
PALE = 0.05  # of a colour scale: what stays below is hardly seen
CHANGED = 1.05  # a root mean square that moves less than that is called kept

QUESTION = "Do the prototypes become orthogonal by training, or were they from their random start?"
HELP = """
The <b>cosine</b> of two prototypes p and q is p·q / (|p| |q|).
<b>Random ±1 corners</b> in D dimensions: where k of D signs agree the cosine is (2k − D) / D, and k is
binomial, so its mean is 0 and its standard deviation 1/√D (0.036 for the paper's D = 768). Random directions
spread as widely. More than D vectors cannot all be orthogonal: their root mean square cosine is at least
√((J − D) / (D (J − 1))) (Welch, 1974).<br>
<b>Binarised</b> prototypes are the signs that protobin compares, <b>real</b> ones the vectors behind them,
which the gradient moves; <b>proto</b> compares real vectors, binds each to one class, and adds an
orthogonality term to its loss. Taking signs turns a cosine ρ of Gaussian vectors into
(2/π) arcsin ρ, so it shrinks small ones by a third.<br>
<b>Effective rank</b>: exp of the entropy of the normalised singular values (Roy and Vetterli, 2007).
<b>Participation ratio</b>: (Σσ²)² / Σσ⁴. Both lie between 1 and the smaller of J and D.<br>
<b>Before training</b> is the very start of the run, drawn anew from its seed.<br>
Source: Rauch et al., “Unmute the Patch Tokens”, ICLR 2026, figure 4: classifier weights (top), pairwise
cosines (bottom); the random reference is added here.
"""
NONE = "None of the probes here has prototypes, so there is nothing to compare."
STAGES = {"before": "before training", "after": "after training"}


def sentence(title: str, form: str, stage: str, count: int, width: int) -> str:
    """Return what the pictures show."""
    return (
        f"The matrix holds the cosine of every two of {plain(title)}’s {count:,} {form} prototypes in "
        f"{width} dimensions, {STAGES[stage]}; the histogram sets all {count * (count - 1) // 2:,} pairs "
        "against random corners."
    )


def part(window: Window, count: int, each: int) -> str:
    """Return which part of a large matrix is shown, and how."""
    if each == 1:
        return "Each pixel is the cosine of one pair."
    block = f"Each pixel is the mean over {each} × {each} pairs"
    last = "" if window == ((0, count), (0, count)) else " of this part"
    return f"{block}{last}. Click a place, or choose rows and columns, for the cosines themselves."


def uncounted(lacking: str) -> str:
    """Return that nobody has counted the pairs of so many prototypes; lacking: plain text, with the cure."""
    return f"The cosines of so many pairs are counted once, and not on a click. {in_code(lacking)}"


def verdict(form: str, after: Spread, before: Spread | None) -> str:
    """Return whether near-orthogonality was there from the start, and what training did to it."""
    if before is None:
        return (
            f"The seed of this probe’s start is not known. After training its {form} prototypes have a root "
            f"mean square cosine of {_size(after)}. {_bound(after)}"
        )
    near = [one.rms / one.reference <= NEAR for one in (before, after)]
    change = after.rms / before.rms
    start = "as random corners have" if near[0] else "far from random corners"
    moved = "Training kept that"
    if change > CHANGED:
        moved = "Training made them a little more alike" if near[1] else "Training made them more alike"
    elif change < 1 / CHANGED:
        moved = "Training drove them apart"
    return (
        f"<b>{_conclusion(*near, change)}</b> Root mean square cosine of the {form} prototypes before "
        f"training: {_size(before)}, {start}. {moved}: {_size(after)}. {_bound(after)}"
    )


def _conclusion(near_before: bool, near_after: bool, change: float) -> str:
    if near_before:
        end = "training kept it." if near_after else "training gave part of it up."
        return f"Near-orthogonality is there from the random start; {end}"
    if near_after:
        return "Near-orthogonality came by training."
    return (
        "Nearer to orthogonal by training."
        if change < 1 / CHANGED
        else "Neither start nor training gives it."
    )


def _size(one: Spread) -> str:
    ratio = one.rms / one.reference
    return f'{one.rms:.3f} <span style="white-space:nowrap">({ratio:.2f} × 1/√{one.width})</span>'


def _bound(one: Spread) -> str:
    bound = welch_bound(one.count, one.width)
    if not bound:
        return f"{one.count:,} prototypes in {one.width} dimensions could be exactly orthogonal."
    return f"No {one.count:,} vectors in {one.width} dimensions can get below {bound:.3f}."


def key(stage: str, both: bool) -> str:
    """Return what the histogram's colours mean; its panes set --bars, --outline and --dashes."""
    other = STAGES["after" if stage == "before" else "before"]
    outline = _swatch("border-top:2px solid var(--outline)", other) if both else ""
    return (
        _swatch("height:11px;background:var(--bars)", STAGES[stage])
        + outline
        + _swatch("border-top:2px dashed var(--dashes)", "random ±1 corners")
    )


def rows_key(both: bool) -> str:
    """Return what the rows of sets show."""
    before = _swatch("height:9px;background:var(--outline)", STAGES["before"]) if both else ""
    return (
        "<b>All sets</b>: mean ± one standard deviation (bar), smallest to largest (line). Click one to "
        "see it above.<br>"
        + before
        + _swatch("height:9px;background:var(--bars)", STAGES["after"])
        + _swatch("height:11px;background:var(--band)", "± 1/√D, random corners")
    )


def _swatch(style: str, words: str) -> str:
    return (
        '<span style="white-space:nowrap;margin-right:16px;font-size:14px"><span style="display:inline-block;'
        f'width:20px;vertical-align:middle;margin-right:6px;{style}"></span>{words}</span>'
    )


def matrix(order: str, class_name: str, own: int, each: int) -> str:
    """Return the heading over the matrix."""
    by = {
        "class": "by the class they argue for most, strongest first",
        "cluster": "so that neighbours are alike",
        "number": "by number",
    }[order]
    name = plain(spoken(class_name))
    click = " Click a row to choose its prototype." if each == 1 else ""
    return (
        f"<b>Cosine of every pair</b>, prototypes {by}; the same order before and after training. "
        f"The marks beside it show the {own} of <b>{name}</b>.{click}"
    )


def weights(largest: float, scale: float) -> str:
    """Return the heading over the weights; largest: of all at this stage, scale: where the colours end."""
    text = "<b>Classifier weights</b>: one row a class, one column a prototype. Click a column to choose it."
    if largest < PALE * scale:
        text += (
            f" Before training none is larger than {largest:.2g}: on the same scale they can hardly be seen."
        )
    return text


def chosen(prototype: int, stage: str, favourites, weight, nearest) -> str:
    """Return one prototype: its class, the one most like it, the one most opposed to it; nothing
    without one.
    """
    if nearest is None:
        return ""
    (alike, high), (opposed, low) = nearest
    text = (
        f"<b>Prototype {prototype}</b> argues most for <b>{_named(favourites, prototype)}</b> once trained; "
    )
    text += f"its weight {STAGES[stage]}: {_signed(weight, 2)}."
    if alike < 0:
        return text
    return (
        f"{text} Most alike: prototype {alike} ({_named(favourites, alike)}), cosine {_signed(high, 3)}. "
        f"Most opposed: {opposed} ({_named(favourites, opposed)}), {_signed(low, 3)}."
    )


def _named(favourites, prototype: int) -> str:
    return plain(spoken(str(favourites[prototype])))


def set_name(title: str, form: str) -> str:
    """Return a probe and a form, for an axis; plain text in two lines."""
    return f"{title}\n{form}"


def table(frame: pd.DataFrame, corners: Spread, encoder: str) -> str:
    """Return the numbers of every set, the shown one in bold, and of as many random corners."""
    heads = "".join(f'<th class="words">{name}</th>' for name in ("probe", "prototypes", "stage"))
    quantities = (
        "mean cosine",
        "s.d.",
        "s.d. × √D",
        "r.m.s. × √D",
        "beyond 3/√D",
        "effective rank",
        "participation ratio",
    )
    heads += "".join(f"<th>{name}</th>" for name in quantities)
    rows = [
        _row([plain(row.title), f"{row.count_:,} {row.form}", STAGES[row.stage]], row, row.shown)
        for row in frame.rename(columns={"count": "count_"}).itertuples()
    ]
    rows.append(_row(["random corners", f"{corners.count:,} ±1", "one draw, seed 0"], corners, False))
    return (
        wide(
            f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>",
            "Numbers of every set",
        )
        + f'<span class="quiet">Measured on probes over {plain(encoder)}. D = {corners.width}; beyond 3/√D: '
        "share of pairs whose cosine is more than three standard deviations of random corners from 0.</span>"
    )


def _row(names: list[str], one, shown: bool) -> str:
    cells = [
        _signed(one.mean, 3),
        f"{one.sd:.3f}",
        f"{one.ratio:.2f}",
        f"{one.rms / one.reference:.2f}",
        f"{100 * one.beyond:.2f}\N{NO-BREAK SPACE}%",
        f"{one.effective_rank:.1f}",
        f"{one.participation:.1f}",
    ]
    words = "".join(f'<td class="words">{name}</td>' for name in names)
    numbers = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr{' class=chosen' if shown else ''}>{words}{numbers}</tr>"


def _signed(value: float, digits: int) -> str:
    value = round(value, digits)
    return minus(f"{value:+.{digits}f}") if value else f"{0:.{digits}f}"
