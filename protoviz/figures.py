"""HoloViews figures for notebooks and README, and the colours that every picture of the project shares.

Each function returns what it drew. HoloViews is imported when the first figure is drawn; where no backend is
loaded yet, Bokeh's is, so that a figure never fails with "no plotting extension".
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from protoviz.analysis.picture import hertz_ticks, mel_picture, mel_row
from protoviz.audio import FilterBank, log_mel

# Okabe and Ito's colour-blind-safe set; one colour a probe family, kept in every picture: (light, dark page).
FAMILY_COLOURS = {
    "cls": ("#0072B2", "#56B4E9"),
    "prototype": ("#D55E00", "#F0894A"),
    "attentive": ("#A3518A", "#CC79A7"),
    "token map": ("#6B6B00", "#D8CE4A"),
}
TRUTH_COLOUR = ("#007A5E", "#2FBF98")  # true events, wherever they are drawn
PAPER = ("#FBFCFD", "#14171C")
INK = ("#12203A", "#F4F6FA")
# What a probe pools; a name that is not here is drawn as a token map.
FAMILIES = {
    "linear": "cls",
    "mlp": "cls",
    "mhca": "attentive",
    "ep": "attentive",
    "simpool": "attentive",
    "abmilp": "attentive",
    "proto": "prototype",
    "protobin": "prototype",
    "protofloat": "prototype",
}


def probe_colour(name: str, dark: bool = False) -> str:
    """The colour (hex) of a probe's family; `name` is one of PROBES or starts so ("protobin-batchnorm")."""
    family = FAMILIES.get(name.split("-")[0].split(" ")[0], "token map")
    return FAMILY_COLOURS[family][dark]


def ink_palette(dark: bool = False) -> tuple[str, ...]:
    """256 colours from paper to ink with even steps of perceived lightness (straight line in OKLab).

    One hue only: colour is left free for what is drawn on top. On a dark page paper is dark and ink light.
    """
    ends = _to_oklab(np.stack([_rgb(PAPER[dark]), _rgb(INK[dark])]))
    share = np.linspace(0, 1, 256)[:, None]
    return _hex(_from_oklab(ends[0] * (1 - share) + ends[1] * share))


def wash_palette(colour: str, steps: int = 256, strongest: float = 0.85) -> tuple[str, ...]:
    """`steps` colours of one hue from fully transparent to `strongest` opaque, to lay over a spectrogram."""
    opacity = np.rint(np.linspace(0, strongest, steps) * 255).astype(int)
    return tuple(f"{colour}{value:02x}" for value in opacity)


def spectrogram(
    waveform,
    events: Iterable = (),
    cells: pd.DataFrame | None = None,
    bank: FilterBank | None = None,
    seconds: float = 10.24,
):
    """An overlay: mel spectrogram (dB, 0 = loudest), true event boxes with labels, numbered max locations.

    waveform (s,) at `bank.sample_rate`; events with label, onset, offset, low_hz, high_hz; cells: a frame of
    `strongest_prototypes`. Prototypes that share a cell share its numbers: "1 3".
    """
    hv = _holoviews()
    bank = bank or FilterBank()
    frames = round(seconds * 1000 / bank.frame_shift_ms)
    mels = log_mel(np.asarray(waveform, dtype=np.float32), bank).numpy()
    picture, span = mel_picture(mels, frames)
    level = (picture[::-1].astype(np.float32) / 255 - 1) * span
    image = hv.Image(level, kdims=["seconds", "mel row"], vdims=["dB"], bounds=(0, 0, seconds, bank.mels))
    image = image.opts(
        cmap=list(ink_palette()),
        clim=(-span, 0),
        colorbar=True,
        clabel="dB, 0 = loudest",
        ylabel="hertz (mel axis)",
        yticks=list(hertz_ticks(*_axis(bank)).items()),
    )
    layers = [image, *_event_layers(hv, list(events), bank)]
    if cells is not None and len(cells):
        layers += _cell_layers(hv, cells, bank)
    return hv.Overlay(layers).opts(show_legend=False, responsive=True, height=360)


def class_bars(scores: pd.DataFrame):
    """A layout with one panel a probe: each class's probability as a bar, `●` before the present classes.

    scores: a frame of `protoviz.analysis.prototypes.class_scores`; classes are drawn in the frame's order.
    """
    hv = _holoviews()
    panels = []
    for probe, frame in scores.groupby("probe", sort=False):
        marks = np.where(frame.present.fillna(False).astype(bool), "● ", "")
        labels = [mark + name for mark, name in zip(marks, frame["class"], strict=True)]
        rows = pd.DataFrame({"class": labels, "probability": frame.probability.to_numpy()})[::-1]
        bars = hv.Bars(rows, kdims=["class"], vdims=["probability"], label=str(probe))
        panels.append(
            bars.opts(
                invert_axes=True,
                color=probe_colour(str(probe)),
                ylim=(0, 1),
                xlabel="",
                width=380,
                height=max(200, 24 * len(rows)),
            )
        )
    return hv.Layout(panels).cols(len(panels))


def _event_layers(hv, events: list, bank: FilterBank) -> list:
    if not events:
        return []
    low = mel_row([event.low_hz for event in events], *_axis(bank))
    high = mel_row([event.high_hz for event in events], *_axis(bank))
    boxes = [(e.onset, lo, e.offset, hi) for e, lo, hi in zip(events, low, high, strict=True)]
    words = [(e.onset, hi, e.label) for e, hi in zip(events, high, strict=True)]
    left = {"text_align": "left", "text_baseline": "bottom"}
    return [
        hv.Rectangles(boxes).opts(fill_alpha=0, line_color=TRUTH_COLOUR[0], line_width=2),
        hv.Labels(words).opts(text_color=TRUTH_COLOUR[0], text_font_size="14px", **left),
    ]


def _cell_layers(hv, cells: pd.DataFrame, bank: FilterBank) -> list:
    colour = FAMILY_COLOURS["prototype"][0]
    boxes, words = [], []
    for _, group in cells.groupby(["t", "f"], sort=False):
        cell = group.iloc[0]
        low, high = mel_row([cell.low_hz, cell.high_hz], *_axis(bank))
        boxes.append((cell.onset, low, cell.offset, high))
        numbers = " ".join(map(str, group["rank"]))
        words.append(((cell.onset + cell.offset) / 2, (low + high) / 2, numbers))
    return [
        hv.Rectangles(boxes).opts(fill_color=colour, fill_alpha=0.3, line_color=colour, line_width=2),
        hv.Labels(words).opts(text_color=INK[0], text_font_size="14px", text_font_style="bold"),
    ]


def _axis(bank: FilterBank) -> tuple[int, float, float]:
    return bank.mels, bank.low_hz, bank.top_hz


def _holoviews():
    import holoviews as hv

    if not hv.Store.loaded_backends():
        hv.extension("bokeh", logo=False)
    return hv


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
    light = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(light @ _CONES.T) @ _AXES.T


def _from_oklab(lab: np.ndarray) -> np.ndarray:
    light = ((lab @ np.linalg.inv(_AXES).T) ** 3) @ np.linalg.inv(_CONES).T
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
