"""One encoder of the page Attention: its choice, one map large over the spectrogram, all as thumbnails."""

from collections.abc import Callable

import numpy as np
import panel as pn
import panel_material_ui as pmui

from protoviz.explorer.pages.attention import text as words
from protoviz.explorer.pages.attention.encoders import EncoderShelf
from protoviz.explorer.pages.attention.layer_chart import MANY
from protoviz.explorer.pages.attention.map_grid import MapGrid, Thumbnail
from protoviz.explorer.pages.attention.state import MEAN, Attended
from protoviz.explorer.text import choices
from protoviz.explorer.widgets.look import CARD, field, pane, text
from protoviz.explorer.widgets.spectrogram import MapLook, Spectrogram
from protoviz.explorer.workbench import Workbench
from protoviz.figures.attention import MOST, POINTED

# Maps are drawn in powers of two of the equal share: clear up to 1 time, full colour from 64 times on.
LIMITS = (0.0, MOST)
LEAST = -6.0  # where a map is stretched, no less than 1/64 of the equal share
TIMES = {float(power): f"{2**power}×" if power >= 0 else f"1/{2**-power}×" for power in range(-6, 10)}
HEIGHT, WIDE = 360, 320  # pixels; a picture's width where two stand side by side on a small screen


class AttentionSide:
    """The parts of one side, "left" or "right", and the `card` that holds them.

    `on_map(layer, head)` is called when a thumbnail is clicked; head 0 is the mean of the heads. The button
    `again` stands where attention was stopped before it was there.
    """

    def __init__(
        self,
        bench: Workbench,
        side: str,
        colour: tuple[str, str],
        channel: str,
        on_map: Callable[[int, int], None],
    ):
        self.colour = colour
        look = MapLook("× equal share", colour, TIMES, POINTED, ink=0.45, level=False)  # no room for two
        prefix = f"attention-{side}-"
        self.spectrogram = Spectrogram(
            bench.grid, bench.bank, channel, look=look, height=HEIGHT, prefix=prefix, width=WIDE
        )
        self.maps = MapGrid(f"{prefix}maps", colour, lambda row, column: on_map(row + 1, column))
        label = f"{side.capitalize()} encoder"
        names = choices(bench.shared(EncoderShelf).names)
        self.encoder = pmui.Select(label=label, options=names, **field(None))
        self.heading, self.title, self.numbers = text(), text(), text()
        # Its width as a style: Panel adds up the widths of what stands side by side, too wide for a phone.
        wide = {"width": "210px"}
        self.again = pmui.Button(label="Compute the attention", variant="outlined", margin=0, styles=wide)
        self.numbers.stylesheets = [*self.numbers.stylesheets, words.NUMBERS_CSS]
        self.card = pn.Column(
            self.encoder,
            self.title,
            self.again,
            pane(self.spectrogram.figure),
            self.numbers,
            pane(self.maps.figure, self.numbers),
            self.heading,
            **CARD,
        )

    def introduce(self, encoder: str, summary: str, found: Attended | str | None, stopped: bool) -> None:
        """Show another encoder; found: its attention, or why it cannot be shown; None: it is being computed,
        or that was stopped.
        """
        self.encoder.value = encoder
        if isinstance(found, str):
            self.heading.object = words.trouble(encoder, found)
        else:
            self.heading.object = words.heading(encoder, summary, found is not None and found.maps.received)
        if found is None:
            self.title.object = words.STOPPED if stopped else words.COMPUTING
            self.numbers.object = ""
            self.spectrogram.show_map(None)
            self.maps.clear()
        self.again.visible = found is None and stopped
        # The figures themselves: a pane of one that was hidden stays hidden.
        for part in (self.spectrogram.figure, self.maps.figure, self.title, self.numbers):
            part.visible = not isinstance(found, str)

    def show_map(self, found: Attended, layer: int, head: int, stretch: bool) -> None:
        """Show the map of a layer and head large, with its numbers."""
        times = found.times_uniform(layer, head)
        self.spectrogram.show_map(
            *_drawn(times, stretch),
            found.maps.grid,
            times=times.astype(np.float32),
            percent=(100 * times / found.maps.mask.sum()).astype(np.float32),
        )
        self.maps.choose(layer - 1, head)
        of_heads = None
        if head == MEAN:
            of_heads = float(found.layers.effective[found.layers.layer == layer].iloc[0])
        self.title.object = f"<b>{words.name_of(layer, found.depth, head, found.width)}</b>"
        row = found.numbers(layer, head)
        self.numbers.object = words.numbers(row, of_heads, found.maps.received)

    def show_grid(self, found: Attended, stretch: bool) -> None:
        """Show the maps of all layers and heads."""
        layers, heads = range(1, found.depth + 1), range(found.width + 1)
        maps = []
        for layer in layers:
            for head in heads:
                powers, (low, high) = _drawn(found.times_uniform(layer, head), stretch)
                share = np.clip((powers - low) / max(high - low, 1e-12), 0, 1)
                tip = words.tip(found.numbers(layer, head), head, found.maps.received)
                maps.append(Thumbnail(layer - 1, head, share, tip))
        names = [f"head {head}" if found.width < 7 else str(head) for head in heads[1:]]
        if found.width > MANY:
            names[::2] = [""] * len(names[::2])
        self.maps.show(maps, [f"layer {layer}" for layer in layers], ["mean", *names])

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        self.spectrogram.set_dark(dark)
        self.maps.set_dark(dark)


def _drawn(times: np.ndarray, stretch: bool) -> tuple[np.ndarray, tuple[float, float]]:
    """A map (t f) in powers of two of the equal share, and the powers without and with full colour."""
    powers = np.log2(np.maximum(times, 2.0**LEAST))
    if not stretch or np.isnan(powers).all():
        return powers, LIMITS
    return powers, (float(np.nanmin(powers)), float(np.nanmax(powers)))
