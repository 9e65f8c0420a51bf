"""What the page Prototypes says, as small pieces of HTML; what a user or a file named is escaped here."""

import pandas as pd

from protoviz.audio import Box
from protoviz.explorer.text import count, in_code, place, plain, spoken, stretch
from protoviz.figures.style import minus

SENTENCE = (
    "The prototypes that argue for one class, each on the cell where it found its best match; mute them, or "
    "take a region of the sound away, and every class's logit answers at once."
)
QUESTIONS = {
    "mute": "Which prototypes carry the class: is it one alone, or do the others stand in when it is mute?",
    "region": "Without its event's region, is the class gone, or do tokens elsewhere still know of it?",
}
HELP = """
A prototype probe compares every prototype p<sub>j</sub> with every token z<sub>n</sub>: s<sub>j</sub> =
max<sub>n</sub> cos(p<sub>j</sub>, z<sub>n</sub>), logits = W s + b. Both what-ifs change s and use the same W
and b, so they are exact for this probe.<br>
<b>Mute</b>: a muted prototype's score is replaced by its <i>mean</i> over the training clips (it no longer
says anything of this clip) or by <i>0</i> (as if its column of W were gone; the level that its scores always
have, and that the bias has learnt with it, is gone too). A contribution may stay beside 0 for either. Where
the probe normalises its scores, contributions are counted from the scores' running mean.<br>
<b>Left out</b>: the maximum is taken over the tokens outside the region, s<sub>j</sub> =
max<sub>n outside</sub> cos(p<sub>j</sub>, z<sub>n</sub>). Those tokens have already heard the region: the
encoder's attention lets every token take something from every other. <b>Taken out</b>: the region's sound is
filtered out of the clip, fades and slopes outside it, and the clip is encoded again: no token has heard it.
Their difference is how far the sound had leaked into tokens elsewhere, and what the encoder makes of the
stand-in; the two cannot be told apart. In silence an encoder hears a hole, which it never did in training,
and may take it for a sound; noise like the clip's own background (the quietest fifth of each frequency)
disturbs it less. A region is made of whole cells, all of those that a drag or an event's box touches. Muting
does not act on the regions' logits.<br>
<b>Hit</b>: a prototype's cell shares some area with a true event of the class. Chance is the share of
all cells that do.<br>
Source: Rauch et al., “Unmute the Patch Tokens”, ICLR 2026, section 3; the what-ifs are this project's.
"""
NO_PLACES = "Neither probe has prototypes, so there is nothing to mute. Choose one that has."


def listed(
    class_name: str, probe: str, strongest: pd.DataFrame, chance: float | None, silent: bool = False
) -> str:
    """Return the heading over the prototypes of a class, with their hits beside chance."""
    name = plain(spoken(class_name))
    if silent:
        return f"<b>{name}</b>: nothing sounds in this clip, so no cell is a place where it was found."
    if strongest.empty:
        return f"<b>{name}</b>: no prototype of {plain(probe)} argues for it in this clip."
    words = f"<b>{name}</b>: what the prototypes of {plain(probe)} add to its logit."
    if chance is None:
        return f'{words} <span class="quiet">Where it sounds in this clip is not known: no hits.</span>'
    hits = int(strongest.hit.sum())
    if chance == 0:
        return f"{words} The class is not in this clip, so none can be a hit."
    by_chance = f"{100 * chance:.0f}\N{NO-BREAK SPACE}%"
    return f"{words} <b>{hits} of {len(strongest)}</b> on a true event of the class; chance {by_chance}."


def key(silent: int, listed: int, known: bool) -> str:
    """Return what the marks in the list mean, and how many keep silent; known: where the class sounds."""
    rest = f"{silent} of {listed} are muted." if silent else f"all {listed} speak now."
    return (
        f'<span class="quiet"><b>M</b> mutes a prototype, <b>S</b> lets only the solo ones speak; {rest}'
        f"{' Solid cell: on a true event, dashed: beside.' if known else ''}</span>"
    )


def muted(class_name: str, changes: pd.DataFrame, silent: int, baseline: str, means_known: bool) -> str:
    """Return what muting did to the chosen class and to the one that it moved most."""
    instead = {
        "mean": "A muted prototype scores its mean over the training clips.",
        "zero": "A muted prototype scores 0, as if its column of W were gone.",
    }[baseline]
    if not means_known:
        instead += " (This study was made without mean scores; a new one has them.)"
    if not silent:
        return f'All prototypes speak. <span class="quiet">{instead}</span>'
    own = changes[changes["class"] == class_name].iloc[0]
    other = changes[changes["class"] != class_name]
    most = other.loc[other.change.abs().idxmax()]
    return (
        f"<b>{plain(spoken(class_name))}</b>: logit {_logit(own.logit)} → {_logit(own.new_logit)}. Of the "
        f"others <b>{plain(spoken(most['class']))}</b> moves most: {_logit(most.logit)} → "
        f'{_logit(most.new_logit)}. <span class="quiet">{instead}</span>'
    )


def region(
    class_name: str, effects: pd.DataFrame, box: Box | None, cells: int, ready: bool, lacking: str = ""
) -> str:
    """Return what the missing region did to the chosen class, and what that says; lacking: why its sound
    cannot be taken out.
    """
    if box is None:
        return "Drag a box over the spectrogram, move the sliders, or take the box of an event."
    row = effects[effects["class"] == class_name].iloc[0]
    name = f"<b>{plain(spoken(class_name))}</b>"
    said = (
        f"{name} without {place(box)}, {count(cells, 'cell')}: logit {_logit(row.original)}, left out "
        f"{_logit(row.left_out)}"
    )
    if lacking:
        return f'{said}. <span class="quiet">{in_code(lacking)}</span>'
    if not ready:
        return f'{said}; <span class="quiet">encoding the clip without its sound …</span>'
    side = "lower" if row.difference < 0 else "higher"
    meaning = (
        f"{abs(row.difference):.2f} {side} than left out: what tokens outside had heard of the region, and "
        "what the encoder makes of the stand-in."
    )
    return f'{said}, taken out {_logit(row.taken_out)}. <span class="quiet">{meaning}</span>'


def marks() -> str:
    """Return what the marks of the region's chart mean."""
    return (
        '<span class="quiet"><span class="mark ring"></span>as it is<span class="mark dot"></span>'
        'left out of the maximum<span class="mark diamond"></span>taken out of the sound</span>'
    )


def left_sound(box: Box) -> str:
    """Return what the player says while it plays the clip without the region; plain text."""
    return f"what is left without {place(box)}"


def region_sound(box: Box) -> str:
    """Return what the player says while it plays the region; plain text."""
    return f"the region: {place(box)}"


def event(label: str, box: Box) -> str:
    """Return an event in a list; plain text."""
    return f"{spoken(label)}, {stretch(box.onset, box.offset)}"


def _logit(value: float) -> str:
    return minus(f"{value:.2f}")
