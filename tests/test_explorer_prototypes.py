"""The page Prototypes without a browser: who keeps silent, what is missing, what the sources then hold."""

import io

import numpy as np
import pytest
import soundfile
import torch
from page_bench import logits_by_hand, small_bench, strongest_by_hand
from visiting import drag, says, slide

from protoviz.audio import box_sound, silence_box
from protoviz.explorer.frame import Frame
from protoviz.explorer.link import open_link, to_link
from protoviz.explorer.pages.prototypes import text as words
from protoviz.explorer.pages.prototypes.view import Prototypes
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.workbench import BenchError, Workbench
from protoviz.probes import build_probe
from protoviz.scenes import make_scene


@pytest.fixture
def state():
    return ExplorerState(small_bench(), clip="scene-30-3", page="prototypes")


@pytest.fixture
def own(state):
    return state.own["prototypes"]


def bench_with(**metadata):
    """The small bench with a second prototype probe, whose scores are normalised."""
    bench = small_bench()
    torch.manual_seed(5)
    probe = build_probe("protofloat", bench.encoder.dim, len(bench.classes), bench.encoder.grid)
    normed = build_probe(
        "protobin", bench.encoder.dim, len(bench.classes), bench.encoder.grid, batch_norm=True
    )
    for one in (probe, normed):
        one.metadata = metadata
    probes = {"linear": bench.probes["linear"], "protobin-batchnorm": normed.eval(), "protofloat": probe}
    return Workbench(bench.encoder, probes, bench.classes, bench.clips)


# -- the state


def test_muting_with_0_drops_columns_of_the_classifier(state, own):
    waveform = make_scene(30, 3).waveform
    np.testing.assert_allclose(own.changes().new_logit, logits_by_hand(waveform), atol=1e-5)
    own.mute_listed()
    own.toggle(77)
    listed = [j for j, _ in strongest_by_hand(waveform, state.class_name, 9)]
    assert own.silent().tolist() == sorted({*listed, 77})
    changes = own.changes()
    np.testing.assert_allclose(changes.new_logit, logits_by_hand(waveform, [*listed, 77]), atol=1e-5)
    np.testing.assert_allclose(changes.logit, logits_by_hand(waveform), atol=1e-5)
    own.clear()
    own.toggle(listed[0], alone=True)
    others = [j for j in range(480) if j != listed[0]]
    np.testing.assert_allclose(own.changes().new_logit, logits_by_hand(waveform, others), atol=1e-5)
    own.clear()
    assert not own.changes().change.any()


def test_the_parts_sum_to_the_muted_logit_for_every_head():
    for name, means in (("protofloat", None), ("protobin-batchnorm", [0.125] * 480)):
        bench = bench_with(**({"mean_scores": means} if means else {}))
        state = ExplorerState(bench, clip="scene-30-3", right=name)
        own = state.own["prototypes"]
        assert own.used_baseline == ("mean" if means else "zero")
        own.mute_listed()
        strongest = own.strongest()
        parts = own.parts(strongest)
        logit = own.changes().set_index("class").new_logit[state.class_name]
        assert parts.value.iloc[:-1].sum() == pytest.approx(logit, abs=1e-5)
        assert parts.value.iloc[-1] == pytest.approx(logit, abs=1e-5)
        weights = bench.heads[name].weight[own.class_number][strongest.prototype]
        instead = weights * (means[0] if means else 0) - weights * strongest.score
        np.testing.assert_allclose(parts.value.iloc[:9], strongest.contribution + instead, atol=1e-6)


def test_mean_scores_of_another_probe_are_refused():
    with pytest.raises(BenchError, match="mean scores"):
        bench_with(mean_scores=[0.1, 0.2])
    head = bench_with(mean_scores=[0.1] * 480).heads["protofloat"]
    with pytest.raises(ValueError, match="read-only"):
        head.means[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        head.weight[0] = 1


def test_a_cell_is_muted_with_all_that_lie_in_it(state, own):
    rows = own.strongest()
    place = state.reading.explained["protobin"].locations
    first = int(rows.prototype.iloc[0])
    here = [int(j) for j in rows.prototype if place[j] == place[first]]
    own.toggle_cell(first)
    assert own.muted == sorted(here)
    own.toggle_cell(first)
    assert own.muted == []


def test_another_probe_starts_with_none_muted_and_another_clip_keeps_them():
    state = ExplorerState(bench_with(), clip="scene-30-3", right="protofloat")
    own = state.own["prototypes"]
    own.toggle(4)
    state.choose_clip("scene-61-6")
    assert own.muted == [4]
    state.right = "protobin-batchnorm"
    assert own.muted == []


def test_a_region_is_left_out_exactly_and_taken_out_of_the_sound(state, own):
    event = state.reading.events[0]
    own.take_box(event)
    assert own.box.onset <= event.onset < event.offset <= own.box.offset
    t0, t1, f0, f1 = own.cells
    hidden = np.arange(64 * 8).reshape(64, 8)[t0:t1, f0:f1].ravel()
    waveform = make_scene(30, 3).waveform
    effects = own.effects()
    np.testing.assert_allclose(effects.left_out, logits_by_hand(waveform, hidden=hidden), atol=1e-5)
    assert effects.taken_out.isna().all()
    own.stand_in = "silence"
    own.take_out()
    np.testing.assert_allclose(
        own.effects().taken_out, logits_by_hand(silence_box(waveform, 16000, own.box)), atol=1e-5
    )
    own.stand_in = "background"
    assert own.taken_out is None, "another stand-in is another clip"
    own.take_out()
    left = own.left_sound()
    np.testing.assert_allclose(own.effects().taken_out, logits_by_hand(left), atol=1e-5)
    outside = int((own.box.onset - 0.05) * 16000)
    np.testing.assert_allclose(left[:outside], waveform[:outside], atol=1e-6)
    state.choose_clip("scene-61-6")
    assert own.taken_out is None
    assert own.region, "a place stays chosen"


def test_links_reopen_what_is_muted_and_missing(state, own):
    own.param.update(muted=[3, 99], solo=[5], baseline="zero", what="region", region=[4, 9, 0, 3])
    own.stand_in = "silence"
    link = to_link(state)
    other = ExplorerState(small_bench(), clip="scene-10-1")
    assert open_link(other, link) == []
    again = other.own["prototypes"]
    assert to_link(other) == link
    assert (again.muted, again.solo, again.cells) == ([3, 99], [5], (4, 9, 0, 3))
    assert open_link(other, "?page=prototypes") == []
    assert (again.muted, again.region) == ([], [])
    refused = open_link(other, "?cells=1,2,3&mute=x&stand_in=music")
    assert set(refused) == {"cells", "mute", "stand_in"}
    assert open_link(other, "?cells=60,99,7,9") == []
    assert again.cells == (60, 64, 7, 8), "a region of a finer grid ends with this one"
    open_link(other, "?cells=64,99,7,9")
    assert again.cells is None


# -- what the page draws


def test_the_page_shows_places_hits_and_who_keeps_silent(state, own):
    view = Prototypes(state)
    cells = view.spectrogram.cells.data
    expected = strongest_by_hand(make_scene(30, 3).waveform, state.class_name, 9)
    assert cells["prototype"] == [j for j, _ in expected]
    assert cells["left"] == pytest.approx([n // 8 * 0.16 for _, n in expected])
    hits = own.strongest().hit
    assert cells["dash"] == ["solid" if hit else "dashed" for hit in hits]
    assert [row["hit"] for row in view.mixer.rows] == hits.tolist()
    assert says(view, f"{hits.sum()} of 9")
    state.show_similarity = True
    view.hear(expected[7][0])
    image = view.spectrogram.map.data["image"][0]
    assert int(image.T.argmax()) == expected[7][1], "the map of the eighth, though Listen numbers five"
    own.toggle(expected[1][0])
    assert view.spectrogram.cells.data["alpha"][1] == 0
    assert [row["mute"] for row in view.mixer.rows] == [False, True] + [False] * 7
    changes = own.changes()
    ghosts, bars = view.class_bars.ghosts.data, view.class_bars.bars.data
    np.testing.assert_allclose(ghosts["right"], changes.probability)
    np.testing.assert_allclose(bars["right"], changes.new_probability)
    assert view.logit_bars.bars.data["value"][1] == "0"


def test_clicks_hear_or_mute(state, own):
    view = Prototypes(state)
    first = int(own.strongest().prototype.iloc[0])
    view.clicked(first)
    heard, _ = soundfile.read(io.BytesIO(view.player.cell), dtype="float32")
    expected = box_sound(state.reading.waveform, 16000, state.cell_of(first), peak=0.5)
    np.testing.assert_allclose(heard, expected, atol=1 / 32768)
    assert own.muted == []
    view.clicks.value = "mute"
    view.clicked(first)
    assert first in own.muted
    view.clear.clicks += 1
    assert own.muted == []
    view.mute_all.clicks += 1
    assert len(own.muted) == 9


def test_a_region_is_chosen_by_sliders_events_and_drags(state, own):
    view = Prototypes(state)
    panel = view.region
    assert not view.frame.frame.visible
    drag(view.spectrogram, 3.2 * 0.16, 8.7 * 0.16, 33, 63)
    assert own.what == "region"
    assert (view.frame.frame.left, view.frame.frame.right) == pytest.approx((3 * 0.16, 9 * 0.16))
    assert (view.frame.frame.bottom, view.frame.frame.top) == (32, 64)
    assert own.taken_out is not None, "without a browser it is encoded at once"
    panel.event.value = 1
    assert own.cells == own.event_regions()[1]
    assert panel.times.value == own.cells[:2]
    slide(panel.freqs, (0, 8))
    slide(panel.times, (5, 5))
    assert own.region == [5, 6, 0, 8], "one cell at least"
    np.testing.assert_allclose(panel.dots.rows.data["left_out"], own.effects().left_out)
    np.testing.assert_allclose(panel.dots.rows.data["taken_out"], own.effects().taken_out)
    panel.hear_left.clicks += 1
    heard, _ = soundfile.read(io.BytesIO(view.player.cell), dtype="float32")
    np.testing.assert_allclose(heard, own.left_sound(), atol=1 / 32768)
    slide(panel.times, (0, 64))
    assert own.region == []
    assert panel.hear_left.disabled


def test_nothing_is_encoded_while_prototypes_are_muted(state, own, monkeypatch):
    view = Prototypes(state)
    monkeypatch.setattr(small_bench(), "logits", None)  # any encoding would fail
    own.region = [3, 9, 2, 4]
    own.toggle(1)
    state.class_name = "rain"
    assert not view.frame.frame.visible


def test_without_prototypes_the_page_says_so():
    bench = small_bench()
    only = Workbench(bench.encoder, {"linear": bench.probes["linear"]}, bench.classes, bench.clips)
    frame = Frame(ExplorerState(only, clip="scene-30-3", page="prototypes"))
    frame.state.own["prototypes"].what = "region"
    frame.view.set_dark(True)
    assert frame.view.spectrogram.cells.data["prototype"] == []
    assert says(frame.view, words.NO_PLACES)


def test_a_file_without_truth_has_no_hits(state, own):
    view = Prototypes(state)
    sound = io.BytesIO()
    soundfile.write(sound, make_scene(61, 6).waveform, 16000, format="WAV")
    state.open_file("mine.wav", sound.getvalue())
    assert all(row["hit"] is None for row in view.mixer.rows)
    assert set(view.spectrogram.cells.data["dash"]) == {"solid"}
    own.what = "region"
    assert not view.region.event.visible


def test_words_are_escaped():
    nasty = "<img src=x>"
    frame = ExplorerState(small_bench(), clip="scene-30-3").own["prototypes"].strongest()
    assert "<img" not in words.listed(nasty, nasty, frame, 0.1)
