"""The colours that every picture of the project shares, and the palettes made of them."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from protoviz.probes import family_of

# Okabe and Ito's colour-blind-safe set; one colour a probe family, kept in every picture: (light, dark page).
FAMILY_COLOURS = {
    "cls": ("#0072B2", "#56B4E9"),
    "prototype": ("#D55E00", "#F0894A"),
    "attentive": ("#A3518A", "#CC79A7"),
    "token map": ("#6B6B00", "#D8CE4A"),
}
# Methods in one figure are told apart without their colour: by a mark each, whose variants are open, and by a
# dash among those of one family. Dots are left to chance. The second of a family is mixed with ink.
MARKS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "hex", "star", "plus")
DASHES = ("solid", "12 4", "5 4", "12 4 2 4", "5 3 2 3", "18 3 2 3 2 3", "9 9", "3 2")
INKED = 0.45
READ = 4.5  # contrast of words against their ground
# Nine encoders, told apart by every kind of eye: at least 3:1 against paper, and far apart in OKLab as seen
# with all cones, without the red and without the green ones. The first six are the farthest apart.
ENCODER_COLOURS = (
    ("#376293", "#057CA0"),
    ("#F25A20", "#E1881C"),
    ("#1E4A06", "#1DF22A"),
    ("#3D007D", "#B2FFD3"),
    ("#B017F6", "#B40AFF"),
    ("#10A281", "#29B88A"),
    ("#B5085B", "#936D21"),
    ("#0105C3", "#9FC4FD"),
    ("#9B82D5", "#B183E7"),
)
UNSETTLED = ("#8A929E", "#7C8591")  # what the measurements leave open
TAG = ("#A84A00", "#F0894A")  # behind a cell's number: the prototypes' colour, dark enough for white text
TRUTH_COLOUR = ("#007A5E", "#2FBF98")  # true events, wherever they are drawn
# Two encoders side by side, left and right: what is drawn in one of them is that encoder's.
SIDE_COLOURS = (FAMILY_COLOURS["attentive"], FAMILY_COLOURS["cls"])
PAPER = ("#FBFCFD", "#14171C")
INK = ("#12203A", "#F4F6FA")
# Below and above zero, (light, dark page): equally light and equally strong in OKLab, blue against red-brown,
# which every kind of colour vision tells apart; no family has them.
BELOW = ("#2E4FA2", "#87BAFD")
ABOVE = ("#932E14", "#F0A276")


def probe_colour(name: str, dark: bool = False) -> str:
    """Return the colour (hex) of a probe's family; `name`: a method's title, or a file's
    ("protobin-batchnorm").

    A name that no imported class has is drawn as a token map.
    """
    return FAMILY_COLOURS[family_of(name) or "token map"][dark]


@dataclass(frozen=True)
class MethodLook:
    """How a method's line and marks are drawn, in words of Bokeh."""

    colour: str
    fill: str  # of its marks: the colour, or paper for a variant of a method
    dash: str
    mark: str


def method_looks(names: Iterable[str], dark: bool = False) -> dict[str, MethodLook]:
    """Return a look for each method of one figure, by its title or file.

    What follows " + ", ": " or "-" names a variant of what stands before it.
    Up to eight methods of one figure, and up to eight of a family, differ without their colour too.
    """
    looks: dict[str, MethodLook] = {}
    bases: dict[str, str] = {}  # the method without its variant -> colour of its family
    lines: Counter[str] = Counter()  # of a family
    for name in dict.fromkeys(names):
        family, base = _line_colour(name, dark), re.split(r" \+ |: |-", name)[0]
        variant = base in bases
        bases.setdefault(base, family)
        place = [other for other, own in bases.items() if own == family].index(base)
        colour = blend(family, INK[dark], INKED) if place % 2 else family
        mark = MARKS[list(bases).index(base) % len(MARKS)]
        dash = DASHES[lines[family] % len(DASHES)]
        looks[name] = MethodLook(colour, PAPER[dark] if variant else colour, dash, mark)
        lines[family] += 1
    return looks


def _line_colour(name: str, dark: bool) -> str:
    """The family's colour; of what no probe is behind: the encoder's [cls], and ink for the sound itself."""
    if name == "loudest cell":
        return INK[dark]
    return probe_colour("linear" if name == "[cls] attention" else name.split(": ")[0], dark)


def encoder_colours(names: Iterable[str], dark: bool = False) -> dict[str, str]:
    """Return a colour (hex) for each encoder, by its place among the names; past nine they begin again."""
    return {name: ENCODER_COLOURS[i % len(ENCODER_COLOURS)][dark] for i, name in enumerate(names)}


def blend(colour: str, other: str, share: float) -> str:
    """Return the colour (hex) with this share of another mixed in, in OKLab."""
    one, two = _to_oklab(np.stack([_rgb(colour), _rgb(other)]))
    return _hex(_from_oklab((one * (1 - share) + two * share)[None]))[0]


@cache
def readable(colour: str, dark: bool = False) -> str:
    """Return the colour (hex) for words: with as much ink mixed in as 4.5:1 against paper asks for."""
    steps = (blend(colour, INK[dark], share) for share in np.linspace(0, 1, 21))
    return next(one for one in steps if contrast(one, PAPER[dark]) >= READ)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (hex) as the WCAG define it, 1 to 21."""
    light = np.stack([_linear(_rgb(one)), _linear(_rgb(other))]) @ (0.2126, 0.7152, 0.0722) + 0.05
    return float(light.max() / light.min())


def ink_palette(dark: bool = False) -> tuple[str, ...]:
    """Return 256 colours from paper to ink with even steps of perceived lightness (straight line in OKLab).

    One hue only: colour is left free for what is drawn on top. On a dark page paper is dark and ink light.
    """
    ends = _to_oklab(np.stack([_rgb(PAPER[dark]), _rgb(INK[dark])]))
    share = np.linspace(0, 1, 256)[:, None]
    return _hex(_from_oklab(ends[0] * (1 - share) + ends[1] * share))


def diverging_palette(dark: bool = False) -> tuple[str, ...]:
    """Return 255 colours for -1..1, from BELOW through paper, the middle, to ABOVE: even in lightness."""
    below, paper, above = _to_oklab(np.stack([_rgb(BELOW[dark]), _rgb(PAPER[dark]), _rgb(ABOVE[dark])]))
    share = np.abs(np.linspace(-1, 1, 255))[:, None]
    ends = np.where(np.arange(255)[:, None] < 127, below, above)
    return _hex(_from_oklab(paper * (1 - share) + ends * share))


def wash_palette(colour: str, steps: int = 256, strongest: float = 0.85) -> tuple[str, ...]:
    """Return colours of one hue from fully transparent to `strongest` opaque, to lay over a spectrogram."""
    opacity = np.rint(np.linspace(0, strongest, steps) * 255).astype(int)
    return tuple(f"{colour}{value:02x}" for value in opacity)


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def _hex(rgb: np.ndarray) -> tuple[str, ...]:
    return tuple("#" + "".join(f"{v:02x}" for v in row) for row in np.rint(rgb * 255).astype(int))


# Björn Ottosson's OKLab, 2020: linear light -> cones -> cube root -> lightness and two opponent axes.
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_AXES = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _to_oklab(rgb: np.ndarray) -> np.ndarray:
    return np.cbrt(_linear(rgb) @ _CONES.T) @ _AXES.T


def _linear(rgb: np.ndarray) -> np.ndarray:
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _from_oklab(lab: np.ndarray) -> np.ndarray:
    light = ((lab @ np.linalg.inv(_AXES).T) ** 3) @ np.linalg.inv(_CONES).T
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
