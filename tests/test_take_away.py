"""What each page gives away: made when it is chosen, and the same as what the page shows and plays."""

import io

import numpy as np
import pandas as pd
import panel as pn
import pytest
import soundfile
from page_bench import clips, small_bench, wav

from protoviz.explorer.frame import Frame
from protoviz.explorer.pages import PAGES
from protoviz.explorer.pages.view import PageView
from protoviz.explorer.session import ExplorerState

RATE = 16000


def view_of(page, **choices):
    return Frame(ExplorerState(small_bench(), page=page, **choices)).view


def taken(view):
    """{(words, sign): (name, bytes)} of every file in the page's menu."""
    menu = view.take_away
    menu.open()
    found = {}
    for line in menu.menu:
        for key, sign in line["buttons"]:
            before = menu.made
            menu.take(key)
            assert menu.made == before + 1
            found[line["words"], sign] = menu.name_of_file, menu.file
    return found


def heard(content):
    return soundfile.read(io.BytesIO(content), dtype="float32")


def sections(view):
    """The page, and what stands on it with a menu of its own."""
    return [view, *(part for part in vars(view).values() if isinstance(part, PageView))]


@pytest.mark.parametrize("page", PAGES)
def test_every_figure_of_every_page_is_given_with_its_table_and_nothing_is_made_before(page):
    view = view_of(page)
    assert not view.take_away.menu
    assert not view.take_away.file
    given = set()
    for section in sections(view):
        found = taken(section)
        for line in section.take_away.menu:
            if line["figure"]:
                given.add(line["figure"])
                assert (line["words"], "CSV") in found
        for (_, sign), (name, content) in found.items():
            assert content, name
            if sign == "CSV":
                assert len(pd.read_csv(io.BytesIO(content)).columns) > 1
    drawn = {pane.object.id for pane in shown_figures(view.__panel__())}
    assert drawn or page == "ranks"
    assert drawn <= given


def shown_figures(part):
    """The panes below a layout whose figures are not hidden."""
    if not part.visible:
        return
    if isinstance(part, pn.pane.Bokeh):
        if part.object is not None and part.object.visible:
            yield part
    elif isinstance(part, PageView):
        yield from shown_figures(part.__panel__())
    else:
        for child in getattr(part, "objects", None) or ():
            yield from shown_figures(child)


def table_of(view, words):
    return pd.read_csv(io.BytesIO(taken(view)[words, "CSV"][1]))


def test_tables_hold_what_their_figures_draw():
    view = view_of("orthogonality")
    cosines = table_of(view, "Cosines of all pairs").to_numpy()
    vectors = view.own.prototypes.vectors[view.own.shown[1]][view.own.sequence()]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(cosines, unit @ unit.T, atol=1e-5)
    weights = table_of(view, "Classifier weights").set_index("class")
    assert tuple(weights.index) == small_bench().classes
    np.testing.assert_allclose(weights.to_numpy(), view.own.weights()[0], atol=1e-6)

    across = view_of("prototypes").across
    rows = table_of(across, "Nearest clips")
    assert rows["clip"].tolist() == across.strip.rows["clip"].tolist()
    cloud = table_of(across, "Map of response")
    assert len(cloud) == len(across.own.points())

    view = view_of("attention")
    found = view.own.attended("left")
    maps = table_of(view, f"Attention, {view.own.left}: all maps")
    one = maps[(maps.layer == 1) & (maps["head"] == 2)].times
    np.testing.assert_allclose(one, found.times_uniform(1, 2).ravel(), rtol=1e-6)
    assert len(maps) == found.depth * (found.width + 1) * found.shares.shape[-1]


def test_sounds_are_the_clips_and_the_cells():
    view = view_of("listen", clip=clips()["clip"].iloc[2])
    state = view.state
    view.own.choose(1)
    found = taken(view)
    prototype = int(state.strongest().prototype.iloc[0])
    event = state.reading.events[1]
    stretch = state.reading.waveform[round(event.onset * RATE) : round(event.offset * RATE)]
    expected = {
        "The clip": state.reading.waveform,
        f"The cell of prototype {prototype}": state.sound_of(prototype)[0],
        f"Event 2: {event.label.replace('_', ' ')}": stretch,
    }
    for words, wave in expected.items():
        name, content = found[words, "WAV"]
        sound, rate = heard(content)
        assert name.endswith(".wav")
        assert rate == RATE
        assert len(sound) == pytest.approx(len(wave), abs=1)
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(np.sqrt(np.mean(wave**2)), rel=1e-3)


def test_tables_of_a_long_file_count_from_its_start():
    view = view_of("listen")
    state = view.state
    noise = np.random.default_rng(0).normal(0, 0.1, 25 * RATE).astype(np.float32)
    assert state.open_file("night.wav", wav(noise))
    state.start = 12.0
    view.own.begin()
    view.own.threshold = 0.0
    found = taken(view)
    cells = next(
        content for (words, sign), (_, content) in found.items() if (words[:5], sign) == ("Cells", "CSV")
    )
    table = pd.read_csv(io.BytesIO(cells))
    assert table.onset.tolist() == pytest.approx((12 + state.strongest().onset).tolist())
    assert set(table.file) == {"night.wav"}
    assert set(table.label) == {state.class_name}
    scan = next(
        content for (words, sign), (_, content) in found.items() if (words[:7], sign) == ("Windows", "CSV")
    )
    windows = pd.read_csv(io.BytesIO(scan))
    assert windows.onset.tolist() == view.own.strip().left.tolist()
    assert windows.probability.tolist() == pytest.approx(view.own.strip().probability.tolist())
    view.own.threshold = 1.0
    assert view.own.named().empty


def test_what_cannot_be_made_is_said(monkeypatch):
    view = view_of("listen")
    view.take_away.open()

    def none(*_):
        raise ValueError("no sound here")

    monkeypatch.setattr("protoviz.explorer.offers.write_wav_bytes", none)
    view.take_away.take("0")
    assert view.state.message == "no sound here"
    view.take_away.take("no such key")  # of a menu that was another page's
