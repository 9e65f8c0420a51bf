"""What the view across clips says, as small pieces of HTML."""

import pandas as pd

from protoviz.analysis.neighbours import BACKGROUND, PARTS, SEED
from protoviz.audio import Box
from protoviz.explorer.text import in_code, place, plain, spoken

HELP = """
The <b>histogram</b> counts all test clips by a prototype’s score in them; the triangles are the clips below
it. The highest scores alone flatter a prototype, so clips are also <b>drawn</b>, by chance and not by us,
from the middle and the lowest third.<br>
A <b>nearest clip</b> of prototype p<sub>j</sub> is a held-out clip with one of the highest scores
s<sub>j</sub> = max<sub>n</sub> cos(p<sub>j</sub>, z<sub>n</sub>); its orange cell is where that maximum lies,
the green box the true event on that cell. <b>Purity</b> is the share of these cells that lie on events of one
and the same class; “by chance” is what remains of it when the labels of all these cells are dealt out anew
among the prototypes.<br>
The <b>maps</b> are UMAPs (15 neighbours, seed 0). By response: prototypes whose scores s<sub>j</sub> over the
held-out clips are correlated lie together. By direction: the prototypes themselves, and the tokens, by their
cosine; prototypes that point in all directions alike show no groups there. The axes, and distances between
far groups, mean nothing.<br>
Sources: this way of naming a prototype, Chen et al., “This Looks Like That”, NeurIPS 2019; McInnes, Healy and
Melville, “UMAP”, 2018.
"""


def sentence(most: int) -> str:
    """Return what the section shows."""
    return (
        f"One prototype across clips: its score in all of them, {most} held-out clips from the top, the "
        "middle or the bottom of it, and its place among all prototypes and tokens."
    )


def question(class_name: str) -> str:
    """Return what to find out with it."""
    return f"Do the prototypes that argue for {plain(spoken(class_name))} really listen for it?"


def absent(table: str, lacking: str) -> str:
    """Return that a table is not there, and what makes it; lacking: plain text."""
    return f"No table of {table}. {in_code(lacking)}"


TITLES = {"Highest": "top", "Middle": "middle", "Lowest": "bottom"}
_DRAWN = {"middle": "the middle third", "bottom": "the lowest third"}
NOT_COUNTED = "How its scores spread over all test clips is not counted yet."
OFF_MAP = "The shown clip is none of those on this map. Click a point to open its clip and hear the cell."
NO_PROTOTYPE = "Neither shown probe has prototypes, or none of them argues for this class in this clip."


def no_part(part: str, lacking: str) -> str:
    """Return that a study of before keeps the nearest clips alone; lacking: plain text, with the cure."""
    return f"Of {_DRAWN[part]} of a prototype’s scores no clips are kept. {in_code(lacking)}"


def nearest(prototype: int, probe: str, rows: pd.DataFrame, favourite: str | None, clips: int = 0) -> str:
    """Return the heading over a part of a prototype's clips (rows of the table "nearest"), and what sounds in
    their cells; clips: how many were scored, 0: not known.
    """
    head, part, of = f"<b>Prototype {prototype}</b> of {plain(probe)}", rows["part"].iloc[0], ""
    if part == PARTS[0]:
        of = f" of {clips:,}" if clips else ""
        head += f": the {len(rows)} nearest{of} test clips, none of them trained on."
    else:
        of = f" of its scores in {clips:,} test clips" if clips else " of its scores"
        head += f": {len(rows)} clips drawn from {_DRAWN[part]}{of} (seed {SEED})."
    if rows.label.isna().any():
        return head
    counts = rows.label.value_counts(sort=True)
    heard = [f"{_name(label)} {count}" for label, count in counts.items() if label != BACKGROUND]
    heard += [f"no event {counts[BACKGROUND]}"] if BACKGROUND in counts else []
    weighs = f" It weighs most for {_name(favourite)}." if favourite else ""
    return f"{head}<br>What sounds in its {len(rows)} cells: {', '.join(heard)}.{weighs}"


def purity(table: pd.DataFrame, probe: str) -> str:
    """Return how pure the prototypes of a probe are (rows of "map-prototypes"), beside chance; "" where
    unknown.
    """
    if not len(table) or table.purity.isna().any():
        return ""
    agree = (table.favourite == table.label).mean()
    return (
        f"The {len(table)} prototypes of {plain(probe)}: on average {100 * table.purity.mean():.0f} % of a "
        "prototype’s nearest cells lie on events of one class "
        f"(by chance {100 * table.chance.iloc[0]:.0f} %); "
        f"{100 * agree:.0f} % of the prototypes weigh most for that class."
    )


PLACES = {
    "response": "Prototypes that answer alike to the held-out clips lie together. Click one to look at it.",
    "direction": "Prototypes that point in similar directions lie together. Click one to look at it.",
}


def key(of_tokens: bool, class_name: str, listening: int, arguing: int) -> str:
    """Return what the marks on the map are, and how many there are; colours are set by the page."""
    name = _name(class_name)
    if of_tokens:
        marks = [
            _mark("●", "truth", f"{listening:,} on a true {name}"),
            _mark("○", "ink", "in the shown clip"),
        ]
    else:
        marks = [
            _mark("◯", "truth", f"{listening} nearest to {name}"),
            _mark("●", "prototype", f"{arguing} that weigh most for it"),
        ]
    numbers = "matched in it" if of_tokens else "numbered in the shown clip"
    marks += [_mark("1", "tag", numbers), _mark("◯", "ink", "chosen")]
    return " &ensp; ".join(marks)


def _mark(sign: str, kind: str, what: str) -> str:
    look = f'<b style="color: var(--{kind})">{sign}</b>'
    return f'<span style="white-space: nowrap">{look} {what}</span>'


def point(row) -> str:
    """Return what the pointer says of a prototype on the map; row of "map-prototypes"."""
    found = "" if pd.isna(row.label) else f"<br>nearest to {_name(row.label)}, purity {row.purity:.2f}"
    return f"<b>prototype {row.prototype}</b><br>weighs most for {_name(row.favourite)}{found}"


def token(label, box: Box) -> str:
    """Return what is said of a chosen token."""
    on = "" if pd.isna(label) else f", on {_name(label)}"
    return f"The chosen token: {place(box)}{on}. Click another to open its clip and hear it."


def heard(number: int, title: str, box) -> str:
    """Return what the player says while it plays a shown clip's cell; plain text."""
    return f"clip {number}, {title}: {place(box)}"


def cell(box: Box) -> str:
    """Return what the player says while it plays a token's cell; plain text."""
    return f"token: {place(box)}"


def _name(label: str) -> str:
    return f"<b>{plain(spoken(label))}</b>"
