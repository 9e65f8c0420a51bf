"""Cells, seconds and hertz: both ways, for any grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protoviz.audio import Box, CellGrid, fit_length

GRIDS = [(64, 8, 10.24), (62, 8, 9.92), (250, 1, 10.0), (37, 8, 5.92), (1, 1, 0.3), (7, 128, 1.0)]

grids = st.builds(
    CellGrid,
    st.integers(1, 300),
    st.integers(1, 130),
    st.floats(0.05, 4000),
    st.just(32000),
    st.floats(0, 500),
    st.one_of(st.none(), st.floats(600, 16000)),
)


def _cells(grid):
    return st.tuples(st.integers(0, grid.times - 1), st.integers(0, grid.freqs - 1))


@given(st.data())
def test_middle_and_corner_of_a_box_lie_in_its_cell(data):
    grid = data.draw(grids)
    cell = data.draw(_cells(grid))
    box = grid.box(*cell)
    assert box.onset < box.offset
    assert box.low_hz < box.high_hz
    assert grid.cell((box.onset + box.offset) / 2, (box.low_hz + box.high_hz) / 2) == cell
    assert grid.cell(box.onset, box.low_hz) == cell


@given(st.data())
def test_point_lies_in_the_box_of_its_cell(data):
    grid = data.draw(grids)
    seconds = data.draw(st.floats(0, grid.seconds))
    hertz = data.draw(st.floats(grid.low_hz, grid.high_hz))
    box = grid.box(*grid.cell(seconds, hertz))
    assert box.onset <= seconds <= box.offset
    assert box.low_hz <= hertz <= box.high_hz


@given(st.data())
def test_number_and_place_are_inverse(data):
    grid = data.draw(grids)
    cell = data.draw(_cells(grid))
    assert grid.place(grid.index(*cell)) == cell
    assert grid.index(*cell) == cell[0] * grid.freqs + cell[1]


@given(st.data())
def test_cell_covers_itself_and_nothing_else(data):
    grid = data.draw(grids)
    cell = data.draw(_cells(grid))
    share = grid.overlap(grid.box(*cell))
    assert share[cell] == pytest.approx(1.0)
    assert share.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("times", "freqs", "seconds"), GRIDS)
def test_edges_meet_and_fill_the_grid(times, freqs, seconds):
    grid = CellGrid(times, freqs, seconds)
    assert grid.time_edges.shape == (times + 1,)
    assert grid.hertz_edges.shape == (freqs + 1,)
    assert (grid.time_edges[0], grid.time_edges[-1]) == (0.0, seconds)
    assert (grid.hertz_edges[0], grid.hertz_edges[-1]) == (20.0, 8000.0)
    for t in range(times - 1):
        assert grid.box(t, 0).offset == grid.box(t + 1, 0).onset
    for f in range(freqs - 1):
        assert grid.box(0, f).high_hz == grid.box(0, f + 1).low_hz
    whole = grid.overlap(Box(0, seconds, 20, 8000))
    np.testing.assert_allclose(whole, 1.0)


def test_bands_are_equal_on_the_mel_axis():
    mel = 1127 * np.log(1 + CellGrid(64, 8, 10.24).hertz_edges / 700)
    np.testing.assert_allclose(np.diff(mel), (mel[-1] - mel[0]) / 8)


def test_known_cell_of_the_paper_geometry():
    grid = CellGrid(64, 8, 10.24)
    assert grid.box(5, 3).onset == pytest.approx(0.8)
    assert grid.index(5, 3) == 43
    assert grid.cell(0.81, 1000.0) == (5, 2)
    assert grid.place(511) == (63, 7)


def test_points_outside_belong_to_the_nearest_cell():
    grid = CellGrid(64, 8, 10.24)
    assert grid.cell(-3.0, 0.0) == (0, 0)
    assert grid.cell(10.24, 8000.0) == (63, 7)
    assert grid.cell(99.0, 1e6) == (63, 7)
    with pytest.raises(ValueError, match="nan"):
        grid.cell(float("nan"), 100.0)


def test_numbers_come_in_arrays_too():
    grid = CellGrid(62, 8, 9.92)
    n = np.arange(62 * 8)
    t, f = grid.place(n)
    np.testing.assert_array_equal(grid.index(t, f), n)
    np.testing.assert_array_equal(n.reshape(62, 8)[t, f], n)


def test_half_covered_cells():
    grid = CellGrid(4, 1, 4.0)
    np.testing.assert_allclose(grid.overlap(Box(0.5, 2.25, 0, 9e9))[:, 0], [0.5, 1, 0.25, 0])
    assert grid.overlap(Box(5.0, 6.0, 20, 8000)).sum() == 0


@pytest.mark.parametrize("cell", [(-1, 0), (64, 0), (0, -1), (0, 8)])
def test_cells_outside_are_refused(cell):
    with pytest.raises(IndexError, match="64 x 8"):
        CellGrid(64, 8, 10.24).box(*cell)


def test_tokens_outside_are_refused():
    with pytest.raises(IndexError, match="512"):
        CellGrid(64, 8, 10.24).place(512)


@pytest.mark.parametrize(
    "settings", [(0, 8, 10.0), (8, 0, 10.0), (8, 8, 0.0), (8, 8, float("nan")), (8, 8, 1.0, 16000, 20, 9000)]
)
def test_impossible_grids_are_refused(settings):
    with pytest.raises(ValueError, match="grid"):
        CellGrid(*settings)


def test_edges_cannot_be_changed_by_a_caller():
    with pytest.raises(ValueError, match="read-only"):
        CellGrid(64, 8, 10.24).time_edges[0] = 1


@given(st.integers(0, 50), st.integers(0, 50))
def test_fit_length_cuts_or_pads(have, want):
    waveform = np.arange(1, have + 1, dtype=np.float32)
    fitted = fit_length(waveform, want)
    assert fitted.shape == (want,)
    assert fitted.dtype == np.float32
    np.testing.assert_array_equal(fitted[: min(have, want)], waveform[:want])
    assert not fitted[have:].any()


def test_fit_length_never_shares_memory():
    waveform = np.ones(5, dtype=np.float32)
    fit_length(waveform, 5)[:] = 0
    assert waveform.all()
