"""What every page says of a clip's level, as small pieces of HTML."""

import math

from protoviz.analysis.loudness import ABOVE, BELOW, LOUD, QUIET, SILENCE, SILENT, TRAINED, judged
from protoviz.audio import Level
from protoviz.explorer.sound import MEAN, Taken
from protoviz.figures.style import minus

CANCELLED = 10.0  # dB by which a mean lies below the loudest channel before it is said
RULE = (
    f"Without its loudest millisecond a scene reaches {minus(f'{TRAINED:.1f}')} dBFS (the median of 300). "
    f"The shipped probes put a tenth fewer of the true classes on top {BELOW:g} dB below that, or {ABOVE:g} "
    "dB above (measured on 96 scenes)."
)


def level(level: Level, taken: Taken) -> str:
    """Return the level of what is played, and what was done to it."""
    peak, rms = (minus(f"{value:.1f}") for value in (level.peak, level.rms))
    said = [
        f"Level: peak {peak} dBFS, rms {rms} dBFS." if level.peak > -math.inf else "Level: no sound at all."
    ]
    if taken.gain:
        said.append(f"<b>Normalised</b> by {minus(f'{taken.gain:+.1f}')} dB.")
    if taken.offset:
        said.append(f"A constant offset of {minus(f'{taken.offset:.3f}')} is taken out.")
    return f'<span class="quiet">{" ".join(said)}</span>'


def remark(level: Level, taken: Taken) -> str:
    """Return what one has to know before one believes what is shown of an own sound; "": nothing."""
    verdict, said = judged(level), []
    if taken.apart > CANCELLED:
        by = f"{taken.apart:.0f} dB" if taken.apart < 200 else "far"
        said.append(
            f"<b>The mean of its {taken.channels} channels is {by} below the loudest of them</b>: they "
            "cancel each other, or most are silent. Choose one channel."
        )
    if verdict == SILENCE:
        said.append(
            f"<b>This clip is silent</b> (its peak is below {minus(f'{SILENT:g}')} dBFS): whatever "
            "encoder and probes say here, they say of nothing, and no cell is a place."
        )
    if verdict in (QUIET, LOUD):
        away = level.loud - TRAINED
        word, side = ("quiet", "below") if away < 0 else ("loud", "above")
        said.append(
            f"<b>This clip is too {word} for these probes</b>: {abs(away):.0f} dB {side} the scenes that "
            "they were trained on, so they misread it, however sure they look. Normalise brings it to their "
            f'level. <span class="quiet">{RULE}</span>'
        )
    return "<br>".join(said)


def channels(count: int) -> dict[str, int]:
    """Return what can be chosen of so many channels: words -> channel, the mean first."""
    names = ["left", "right"] if count == 2 else [f"channel {number + 1}" for number in range(count)]
    return {"mean of all": MEAN, **{name: number for number, name in enumerate(names)}}
