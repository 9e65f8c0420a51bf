"""The figures of notebooks and README: each returns what it drew, and what it drew is the data."""

import subprocess
import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from bokeh.models import BoxZoomTool, PanTool, Scroll, Toolbar

from protoviz.analysis.attention import diffusion
from protoviz.analysis.detection import told_events
from protoviz.analysis.polyphony import GROUPS, grouped
from protoviz.analysis.prototypes import class_scores, listed_classes, strongest_prototypes
from protoviz.analysis.results import results
from protoviz.audio import CellGrid
from protoviz.course import setup
from protoviz.figures import (
    ENCODER_COLOURS,
    FAMILY_COLOURS,
    PAPER,
    attention_maps,
    cell_map,
    class_bars,
    cosine_histogram,
    cosine_map,
    detections,
    diffusion_by_layer,
    ink_palette,
    polyphony_curves,
    probe_colour,
    score_intervals,
    similarity_map,
    spectrogram,
    storage_bars,
    straight_through,
    wash_palette,
    waveform_curve,
    weight_map,
)
from protoviz.figures.colours import UNSETTLED, contrast, method_looks, readable
from protoviz.figures.saving import model_of
from protoviz.scenes import Event, make_scene

hv = pytest.importorskip("holoviews")
hv.extension("bokeh", logo=False)
GRID = CellGrid(64, 8, 10.24)


def luminance(colour):
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    light = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(light @ [0.2126, 0.7152, 0.0722])


def cielab_lightness(colour):
    y = luminance(colour)
    return 116 * np.cbrt(y) - 16 if y > 0.008856 else 903.3 * y


def test_the_spectrogram_shows_sound_events_and_cells():
    scene = make_scene(1, 2)
    row, locations = np.array([2.0, 1.0, 0.5]), np.array([100, 100, 300])
    cells = strongest_prototypes(row, np.ones(3), locations, GRID)
    drawn = spectrogram(scene.waveform, scene.events, cells)
    assert drawn.events.data["left"] == [event.onset for event in scene.events]
    first = [drawn.cells.data[side][0] for side in ("left", "bottom", "right", "top")]
    np.testing.assert_allclose(first, [12 * 0.16, 4 * 16, 13 * 0.16, 5 * 16])
    assert drawn.tags.data["text"] == ["1 2", "3"]
    assert drawn.picture.data["image"][0].shape == (128, 1024)
    shown = drawn._repr_mimebundle_()
    assert "text/html" in (shown[0] if isinstance(shown, tuple) else shown), "a notebook shows it"


def test_the_axis_of_a_window_counts_in_its_file():
    drawn = spectrogram(np.zeros(163_840, "f4"))
    event = Event("wren", 1.0, 2.0, 0.0, 8000.0)
    drawn.show_picture(np.zeros((128, 1024), np.uint8), 60.0, 8.0, offset=3600.0)
    drawn.show_events([event])
    axis = drawn.figure.extra_x_ranges[drawn.figure.below[0].x_range_name]
    assert (axis.start, axis.end, axis.reset_start) == (3600.0, 3610.24, 3600.0)
    assert "60:01.00–60:02.00" in drawn.events.data["tip"][0]
    assert (drawn.figure.x_range.start, drawn.events.data["left"]) == (0, [1.0]), "the player's seconds"


def test_what_is_known_of_events_is_said():
    """Time and frequency, time only, labels only, nothing: four different legends."""
    drawn = spectrogram(np.zeros(163_840, "f4"))
    boxes, times = Event("wren", 1.0, 2.0, 500.0, 900.0), Event("wren", 1.0, 2.0, 0.0, 8000.0)
    said = []
    for events, labelled in (([boxes], True), ([times], True), ([], True), ([], False)):
        drawn.show_events(events, labelled=labelled)
        said.append(drawn.said.text)
    assert len(set(said)) == 4
    assert said[3] == ""
    drawn.show_events([times])
    assert (drawn.events.data["bottom"], drawn.events.data["top"]) == ([0.0], [128.0])
    assert "Hz" not in drawn.events.data["tip"][0]


def test_what_a_detector_tells_stands_in_the_rows_of_its_classes():
    grid, names = CellGrid(10, 2, 1.0), ("a", "b", "c_d")
    scores = np.full((10, 3), -1.0)
    scores[2:5, 0] = scores[7, 2] = 1
    told = told_events(scores, np.zeros(3), grid, names)
    spans = [(e.label, round(e.onset, 6), round(e.offset, 6)) for e in told]
    assert spans == [("a", 0.2, 0.5), ("c_d", 0.7, 0.8)]
    drawn = list(detections(scores, np.zeros(3), grid, names, [Event("b", 0, 1, 0, 1)], told))
    assert [type(layer).__name__ for layer in drawn] == ["Image", "HLines", "Rectangles", "Rectangles"]
    assert drawn[0].dimension_values(2, flat=False).shape == (3, 10)
    # What sounds has the top row.
    np.testing.assert_array_less(2, drawn[3].array()[:, 1])
    assert [int(low) for low in drawn[2].array()[:, 1]] == [1, 0]
    hv.render(hv.Overlay(drawn), backend="bokeh")


def test_class_bars_mark_truth_and_draw_the_probabilities():
    logits = {"linear": np.array([1.0, -1.0]), "protobin": np.array([-2.0, 2.0])}
    drawn = class_bars(class_scores(["rain", "bell"], logits, {"bell"}))
    bars = pd.DataFrame(drawn.bars.data)  # linear's rain and bell, protobin's
    assert drawn.heads.data["text"] == ["linear", "protobin"]
    assert bars.right[3] - bars.left[3] == pytest.approx(1 / (1 + np.exp(-2)))
    assert bars.alpha[[1, 3]].min() > bars.alpha[[0, 2]].max()
    assert bars.y[bars["dot"].notna()].tolist() == [1, 1], "only bell is there"
    assert bars.filled[[1, 3]].tolist() == [0, 1], "linear misses it: a ring"


def test_of_many_classes_the_highest_the_present_and_the_searched_have_a_bar():
    long = "a_sound_that_has_a_name_of_very_many_letters_as_some_tables_do"
    names = [*(f"class_{i:03d}" for i in range(526)), long]
    logits = {"linear": np.arange(527.0)[::-1], "protobin": np.zeros(527)}
    scores = class_scores(names, logits, {names[300]})
    drawn = class_bars(scores)
    assert drawn.order == [*names[:25], names[300]]
    assert drawn.figure.height < 800
    found = listed_classes(scores, names, "very MANY letters")
    assert found == [names[526], *names[:25], names[300]]
    drawn.show(scores, found, {"linear": "linear", "protobin": "protobin"})
    assert len(drawn.figure.left[0].major_label_overrides[0]) <= 24
    assert "very many letters as some tables do" in drawn.told.data["tip"][0]
    assert (drawn.at(0.2), drawn.at(-0.6), drawn.at(len(found))) == (names[526], None, None)
    few = class_scores(names[:10], {"linear": np.zeros(10)}, None)
    assert listed_classes(few, names[:10]) == names[:10]


SMALL, SOUND = CellGrid(8, 4, 1.28), np.linspace(-1, 1, 20_480, dtype="f4")
EVEN = np.full((3, 32), 1 / 32)  # softmax rows of three heads
SIGNS = np.sign(np.random.default_rng(0).normal(size=(20, 16)))
FIGURES = {
    "attention": lambda: attention_maps(EVEN, SMALL, SOUND),
    "diffusion": lambda: diffusion_by_layer({"one": diffusion([EVEN, EVEN], inside=np.ones(32))}),
    "cosines": lambda: cosine_map(SIGNS),
    "histogram": lambda: cosine_histogram(SIGNS),
    "weights": lambda: weight_map(SIGNS[:2], ["rain", "bell"]),
    "spectrogram": lambda: spectrogram(SOUND, seconds=1.28),
    "similarity": lambda: similarity_map(EVEN[0].reshape(8, 4)),
    "cells": lambda: cell_map(np.arange(32), SMALL),
    "waveform": lambda: waveform_curve(SOUND, 16_000),
    "classes": lambda: class_bars(class_scores(["rain"], {"linear": np.zeros(1)}, set())),
    "intervals": lambda: score_intervals(pd.DataFrame(INTERVALS)),
    "storage": lambda: storage_bars({"file": pd.DataFrame({"part": ["latent", "header"], "bytes": [9, 1]})}),
    "gradient": straight_through,
}
INTERVALS = {"encoder": ["a"], "method": ["linear"], "score": [0.5], "low": [0.4], "high": [0.6]}


@pytest.mark.parametrize("name", FIGURES)
def test_wheel_and_finger_scroll_the_page_until_the_toolbar_is_asked(name):
    """A figure without a toolbar, which nobody can ask, has nothing that pans or zooms."""
    drawn = model_of(FIGURES[name]())
    bars = list(drawn.select({"type": Toolbar}))
    assert bars
    for bar in bars:
        moving = [tool for tool in bar.tools if isinstance(tool, Scroll | PanTool | BoxZoomTool)]
        shown = name in ("cosines", "weights", "spectrogram", "similarity")
        assert bool(moving) == shown
        assert not shown or (bar.active_scroll, bar.active_drag) == (None, None)


def test_the_first_cell_of_a_notebook_gives_it_the_wheel(monkeypatch):
    """So do figures that a student draws; one that asks for its zoom has it."""
    element = hv.plotting.bokeh.ElementPlot
    monkeypatch.setattr(element, "active_tools", element.active_tools)  # for the other tests
    setup(threads=1)  # as before
    curve = hv.Curve([1, 2])
    wheels = [
        [bar.active_scroll for bar in hv.render(one, backend="bokeh").select({"type": Toolbar})]
        for one in (
            curve,
            curve * hv.Points([(1, 2)]),
            curve + curve,
            hv.Curve([3, 4]).opts(active_tools=["wheel_zoom"]),
        )
    ]
    assert {tool for found in wheels[:3] for tool in found} <= {None, "auto"}
    assert isinstance(wheels[3][0], Scroll)


@pytest.mark.parametrize("dark", [False, True])
def test_the_spectrogram_palette_has_even_steps_of_lightness(dark):
    palette = ink_palette(dark)
    assert len(palette) == 256
    # Every eighth colour: single steps are smaller than what eight bits a channel can hold.
    steps = np.diff([cielab_lightness(colour) for colour in palette[::8]])
    assert (steps > 0).all() if dark else (steps < 0).all()
    assert np.abs(steps).max() < 1.5 * np.abs(steps).min()


def test_probe_families_have_one_readable_colour_each():
    assert probe_colour("protobin") == probe_colour("protobin-batchnorm") == probe_colour("proto")
    assert probe_colour("linear") != probe_colour("protobin")
    for light, dark in FAMILY_COLOURS.values():
        assert 1.05 / (luminance(light) + 0.05) >= 3, "3:1 against paper, the bound for graphics"
        assert (luminance(dark) + 0.05) / 0.058 >= 3
    assert wash_palette("#000000")[0] == "#00000000"


def test_words_in_a_colour_have_the_contrast_of_words():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    for pair in (*FAMILY_COLOURS.values(), *ENCODER_COLOURS, UNSETTLED):
        for dark, colour in enumerate(pair):
            assert contrast(readable(colour, dark), PAPER[dark]) >= 4.5
            assert contrast(colour, PAPER[dark]) < 4.5 or readable(colour, dark) == colour.lower()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("group", GROUPS)
def test_methods_of_one_figure_are_told_apart_without_their_colour(group, dark):
    frame = results()
    frame = frame[(frame.polyphony > 0) & (frame.source == "polyphony")]
    names = grouped(frame, group).method.drop_duplicates().tolist()
    looks = method_looks(names, dark)
    assert list(looks) == names
    shapes = {(look.mark, look.fill == look.colour, look.dash) for look in looks.values()}
    assert len(shapes) == len(names)
    assert "dotted" not in {look.dash for look in looks.values()}, "that is chance"
    for look in looks.values():
        light = luminance(look.colour)
        assert (light + 0.05) / 0.058 >= 3 if dark else 1.05 / (light + 0.05) >= 3
    if {"proto", "protobin"} <= set(names):
        one, two = looks["proto"], looks["protobin"]
        assert one.dash != two.dash
        assert one.mark != two.mark
        assert one.colour != two.colour


def test_a_line_and_its_name_are_drawn_alike():
    rows = [(name, k, 0.5, 0.45, 0.55, 0.1, 90) for name in ("proto", "protobin") for k in (1, 2, 3)]
    columns = ["method", "polyphony", "score", "low", "high", "chance", "clips"]
    figure = hv.render(polyphony_curves(pd.DataFrame(rows, columns=columns)), backend="bokeh")
    lines = [r for r in figure.renderers if type(r.glyph).__name__ == "Line"]
    drawn = Counter((str(r.glyph.line_dash), r.glyph.line_color) for r in lines)
    assert len(drawn) == 3, "two methods and chance"
    assert set(drawn.values()) == {2}, "each with a piece before its name"
    labels = next(r for r in figure.renderers if type(r.glyph).__name__ == "Text")
    places = sorted(labels.data_source.data["y"])
    assert min(b - a for a, b in pairwise(places)) > 1, "names of equal ends stand apart"


def test_figures_work_before_any_extension_was_loaded():
    code = (
        "import sys, numpy as np; from protoviz.figures import spectrogram;"
        "assert 'holoviews' not in sys.modules, 'HoloViews costs seconds that a page need not pay';"
        "drawn = spectrogram(np.ones(16000, 'f4'));"
        "assert 'holoviews' not in sys.modules; drawn._repr_mimebundle_()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)


def test_the_label_of_a_full_score_has_room():
    rows = [("mini-with-a-long-name", "linear", 1.0, 0.81, 1.0), ("b", "linear", 0.4, 0.3, 0.5)]
    table = pd.DataFrame(rows, columns=["encoder", "method", "score", "low", "high"])
    figure = hv.render(score_intervals(table), backend="bokeh")
    label = " 100.0 (81.0 to 100.0)  mini-with-a-long-name"
    assert figure.x_range.end >= 101 + 1.2 * len(label), "a letter takes about 1.2 points at 700 pixels"
    assert hv.render(score_intervals(table.iloc[1:]), backend="bokeh").x_range.end == 130
