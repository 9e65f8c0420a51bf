"""What the page Listen says, as small pieces of HTML; what a user or a file named is escaped here."""

from collections.abc import Mapping

import pandas as pd

from protoviz.analysis.loudness import LOUD, QUIET, SILENCE
from protoviz.audio import Box, CellGrid
from protoviz.explorer.text import count, plain, spoken, stretch

HELP = """
<b>linear</b> reads one vector: logits = W [cls] + b. <b>protobin</b> compares J binary prototypes
p<sub>j</sub> with every token z<sub>n</sub> and keeps the largest cosine: s<sub>j</sub> = max<sub>n</sub>
cos(p<sub>j</sub>, z<sub>n</sub>), logits = W s + b. What a prototype adds to class c is W<sub>cj</sub>
s<sub>j</sub>; these summands and the bias are the logit. A numbered cell is where a maximum lies.
The probability is the sigmoid of the logit. The encoder is frozen; only probes are trained.<br>
<b>Two rules.</b> The rank rule asks for an order: k different classes sound, and a probe that does not put a
present one among its k highest has <i>missed</i> it, however high or low the values are; average precision,
too, knows nothing but the order. A threshold asks for a value: the probe <i>names</i> every class whose
probability reaches it. So a class can be found by rank and stay silent at 0.5, where all values are low, and
the threshold that suits one probe need not suit another. In use nobody tells a probe k: there it is the
threshold that decides.<br>
Source: Rauch et al., “Unmute the Patch Tokens”, ICLR 2026, section 3.
"""


def sentence(grid: CellGrid) -> str:
    """Return what the picture shows."""
    return (
        f"One clip as the encoder hears it, {grid.times} × {grid.freqs} cells: the bars show what two probes "
        "make of it, the numbered cells where the strongest prototypes of one class found their best match."
    )


def question(left: str, right: str, known: bool = True) -> str:
    """Return what to find out with it; known: the true events of the clip are known."""
    if not known:
        return "Listen first: which of the sounds that you hear does each probe name, and where?"
    first, second = plain(left), plain(right)
    return f"Which events does {first} miss, and does {second} find them where they really are?"


def event(label: str, box: Box, band: bool) -> str:
    """Return what the player says while it loops over an event; plain text."""
    what = f"only {box.low_hz:.0f}–{box.high_hz:.0f} Hz of it" if band else "all that sounds in it"
    return f"{spoken(label)}, {stretch(box.onset, box.offset)}, {what}, again and again"


def keys(cells: int, events: bool) -> str:
    """Return what the keys do, with so many numbered cells; events: those of the clip are known."""
    loop = "Click an event's name, or press <b>E</b> for one after the other, to hear it over and over; "
    numbered = f"<b>1</b> to <b>{cells}</b> play the numbered cells, " if cells else ""
    rest = "<b>space</b> plays the clip, <b>Esc</b> goes back to it."
    return f'<span class="quiet">{loop if events else ""}{numbered}{rest}</span>'


def decided(scores: pd.DataFrame, threshold: float, titles: Mapping[str, str]) -> str:
    """Return what each probe names at the threshold: a frame of `over_threshold`."""
    lines = []
    for probe in scores.probe.drop_duplicates():
        verdicts = scores[scores.probe == probe].verdict.value_counts()
        hits, alarms = verdicts.get("hit", 0), verdicts.get("false alarm", 0)
        named = count(hits + alarms + verdicts.get("named", 0), "class")
        names = f"<b>{plain(titles[probe])}</b> names {named}"
        if scores.present.notna().any():
            names += f": {hits} of {hits + verdicts.get('silent', 0)} present, {count(alarms, 'false alarm')}"
        lines.append(f"{names}.")
    rule = "Outlined bars reach the dashed line; unlike the rank rule it asks how high a value is."
    head = f'<span class="quiet">At a threshold of {threshold:.2f}:</span>'
    return "<br>".join([head, *lines, f'<span class="quiet">{rule}</span>'])


def scanned(
    filled: int, windows: int, seconds: float, class_name: str, judged: Mapping[str, int] | None = None
) -> str:
    """Return the heading over the strip of a whole file; judged: how many windows are silent, quiet, loud."""
    if not filled:
        return f"<b>The whole file</b>: {windows} windows of {seconds:g} s; this page shows one of them."
    part = "" if filled == windows else f" ({filled} of {windows} windows so far)"
    name = plain(spoken(class_name))
    said = f"<b>{name}</b> over the whole file{part}. Click a place to see that window."
    return f"{said} {windows_judged(judged or {})}".rstrip()


def windows_judged(judged: Mapping[str, int]) -> str:
    """Return which of a file's windows are not read as they should be; "": none."""
    said = []
    if silent := judged.get(SILENCE):
        said.append(f"{count(silent, 'window')} silent: nothing is drawn there.")
    if away := judged.get(QUIET, 0) + judged.get(LOUD, 0):
        said.append(f"{count(away, 'window')} far from the level of the scenes: misread, unless normalised.")
    return " ".join(said)


def missed(
    scores: pd.DataFrame, by_probe: Mapping[str, list[str]], titles: Mapping[str, str], silent: bool = False
) -> str:
    """Return what each probe missed, and the rule; without truth, or of silence, that there is none."""
    if silent:
        return "<b>Nothing sounds in this clip</b>: the bars show what each probe says of silence."
    if not by_probe:
        return "No truth is known for this clip: the bars show what each probe hears in it."
    present = int(scores[scores.probe == scores.probe.iloc[0]].present.sum())
    if not present:
        return "No class is present in this clip, so none can be missed."
    lines = []
    for probe, names in by_probe.items():
        ranks = scores[scores.probe == probe].set_index("class")["rank"]
        list_ = ", ".join(f"{plain(spoken(name))} (rank {ranks[name]})" for name in names)
        lines.append(f"<b>{plain(titles[probe])}</b> missed {list_ or 'nothing'}.")
    highest = "its highest class" if present == 1 else f"among its {present} highest classes"
    rule = f"Rank rule: a probe missed a class that is present but not {highest}, whatever its value."
    key = '<span class="key">present and found</span><span class="key missed">present but missed'
    return "<br>".join(
        [f'<span class="quiet">{key}</span></span>', *lines, f'<span class="quiet">{rule}</span>']
    )


def logit(class_name: str, probe: str | None, cells: int, silent: bool = False, audible: bool = True) -> str:
    """Return the heading over the summands of a logit; audible: the sound of a cell can be played."""
    name = plain(spoken(class_name))
    if probe is None:
        return (
            f"<b>{name}</b>: neither probe has prototypes, so neither says where it heard the class. "
            "Choose one that has to see cells."
        )
    if silent:
        return f"<b>{name}</b>: nothing sounds in this clip, so no cell is a place where it was found."
    if not cells:
        return f"<b>{name}</b>: no prototype of {plain(probe)} argues for it in this clip."
    what = f"what the prototypes of {plain(probe)} add to its logit"
    return f"<b>{name}</b>: {what}.{' Click a bar or a cell to hear it.' if audible else ''}"
