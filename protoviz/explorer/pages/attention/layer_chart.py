"""A number of every layer and head, encoders side by side: dots for heads, a line for their mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, Range1d

from protoviz.explorer.widgets.look import CLICKS, QUIET, TIP, describe, dress, quiet_figure
from protoviz.figures import INK

MANY = 12  # layers or heads of which only each second one is numbered: half a small screen is their room
APART = 0.07  # of a layer: the two encoders' dots stand beside each other


@dataclass(frozen=True)
class Series:
    """One encoder's numbers: frames of `diffusion` and `by_layer`, its colour (light, dark), its tips."""

    heads: pd.DataFrame
    layers: pd.DataFrame
    colour: tuple[str, str]
    tips: list[str]  # one a row of heads


class LayerChart:
    """One column of the frames by layer. `on_layer(layer)` is called when a layer is clicked.

    column: what is drawn; level: the column that it would have without any preference, a dashed line; ticks:
    value -> label; low, high: ends of the axis; log: on a logarithmic axis.
    """

    def __init__(
        self,
        name: str,
        column: str,
        level: str,
        label: str,
        ticks: Mapping[float, str],
        ends: tuple[float, float],
        on_layer: Callable[[int], None],
        log: bool = False,
        height: int = 260,
    ):
        self._column, self._level, self._on_layer = column, level, on_layer
        self.depth, self.dark = 1, False
        self._series: list[Series] = []
        self._ends = ends
        self.figure = quiet_figure(
            name=name,
            height=height,
            x_range=Range1d(0.5, 1.5),
            y_range=Range1d(*ends),
            y_axis_type="log" if log else "linear",
            x_axis_label="layer",
            y_axis_label=label,
        )
        self.figure.left[0].update(ticker=FixedTicker(ticks=list(ticks)), major_label_overrides=dict(ticks))
        self._draw(name)
        for click in CLICKS:
            self.figure.on_event(click, self._tapped)
        self.set_dark(False)

    def _draw(self, name: str) -> None:
        self.levels = ColumnDataSource({key: [] for key in ("xs", "ys")}, name=f"{name}-levels")
        self.rules = self.figure.multi_line(
            xs="xs", ys="ys", source=self.levels, line_width=1.5, line_dash="dashed"
        )
        self.means = ColumnDataSource({key: [] for key in ("xs", "ys", "colour")}, name=f"{name}-means")
        self.figure.multi_line(
            xs="xs", ys="ys", line_color="colour", source=self.means, line_width=2.5, line_join="round"
        )
        names = ("x", "y", "colour", "tip")
        self.dots = ColumnDataSource({key: [] for key in names}, name=f"{name}-heads")
        drawn = self.figure.scatter(
            x="x",
            y="y",
            size=9,
            fill_color="colour",
            line_color="colour",
            line_width=2,
            fill_alpha=0.6,
            source=self.dots,
        )
        # What a click changes lies on the overlay, a canvas of its own: the rest is not painted again.
        self.band = ColumnDataSource({"left": [], "right": []}, name=f"{name}-layer")
        bottom, top = self._ends
        self.bands = self.figure.quad(
            left="left",
            right="right",
            bottom=bottom,
            top=top,
            source=self.band,
            fill_alpha=0.09,
            line_color=None,
            level="overlay",
        )
        self.rings = ColumnDataSource({"x": [], "y": []}, name=f"{name}-head")
        self.ring = self.figure.scatter(
            x="x", y="y", size=15, fill_alpha=0, line_width=2.5, source=self.rings, level="overlay"
        )
        self.figure.add_tools(HoverTool(renderers=[drawn], tooltips=TIP, attachment="horizontal"))

    def show(self, series: list[Series]) -> None:
        """Show the encoders' numbers."""
        self.depth = max((len(one.layers) for one in series), default=1)
        self.figure.x_range.end = self.depth + 0.5
        each = 1 + (self.depth > MANY)
        self.figure.below[0].ticker = FixedTicker(ticks=list(range(each, self.depth + 1, each)))
        self.means.data = {
            "xs": [one.layers.layer.tolist() for one in series],
            "ys": [one.layers[self._column].tolist() for one in series],
            "colour": [one.colour[self.dark] for one in series],
        }
        dots = {key: [] for key in self.dots.data}
        for place, one in enumerate(series):
            dots["x"] += (one.heads.layer + _aside(place, len(series))).tolist()
            dots["y"] += one.heads[self._column].tolist()
            dots["colour"] += [one.colour[self.dark]] * len(one.heads)
            dots["tip"] += one.tips
        self.dots.data = dots
        levels = sorted({float(one.heads[self._level].iloc[0]) for one in series if self._known(one)})
        self.levels.data = {"xs": [[0.5, self.depth + 0.5]] * len(levels), "ys": [[y, y] for y in levels]}
        self._series = series
        told = (
            f"{', '.join(f'{value:.3g}' for value in one.layers[self._column])} ({side} encoder)"
            for side, one in zip(("left", "right"), series, strict=False)
        )
        describe(
            self.figure, f"{self.figure.left[0].axis_label}, layers 1 to {self.depth}: {'; '.join(told)}."
        )

    def choose(self, chosen: list[tuple[int, int]]) -> None:
        """Mark one layer, and one head of each encoder shown: (layer, head), head 0 for none."""
        rings = {"x": [], "y": []}
        for place, (one, (layer, head)) in enumerate(zip(self._series, chosen, strict=True)):
            found = one.heads[(one.heads.layer == layer) & (one.heads["head"] == head)]
            rings["x"] += (found.layer + _aside(place, len(chosen))).tolist()
            rings["y"] += found[self._column].tolist()
        self.rings.data = rings
        layers = [max(layer for layer, _ in chosen)] if chosen else []
        self.band.data = {"left": [at - 0.5 for at in layers], "right": [at + 0.5 for at in layers]}

    def _known(self, one: Series) -> bool:
        return bool(one.heads[self._level].notna().all())

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page; dots and lines get theirs with the next `show`."""
        self.dark = dark
        dress(self.figure, dark)
        self.bands.glyph.fill_color = self.ring.glyph.line_color = INK[dark]
        self.rules.glyph.line_color = QUIET[dark]

    def _tapped(self, event: Tap) -> None:
        layer = round(event.x) if event.x is not None else 0
        if 1 <= layer <= self.depth:
            self._on_layer(layer)


def _aside(place: int, count: int) -> float:
    """How far beside its layer the dots of an encoder stand."""
    return APART * (2 * place - count + 1)
