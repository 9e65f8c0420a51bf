"""Work beside the event loop, own sound, listed recordings, the scan, the loop and the threshold."""

import queue
import threading

import numpy as np
import pytest
from page_bench import RATE, noise, small_bench, wav, write_demo
from panel.models.esm import DataEvent
from visiting import says
from waiting import PATIENCE, until

from protoviz.analysis.prototypes import over_threshold
from protoviz.audio import box_sound
from protoviz.explorer.background import WORKERS, Work
from protoviz.explorer.frame import explorer
from protoviz.explorer.link import open_link, to_link
from protoviz.explorer.pages.listen.view import Listen
from protoviz.explorer.recordings import LISTED_A_LABEL, list_recordings
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.studies import served_studies
from protoviz.explorer.text import MICROPHONE_TROUBLE, heading
from protoviz.explorer.workbench import BenchError, Workbench

NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture
def state():
    return ExplorerState(small_bench(), clip="scene-30-3")


def say(component, **data):
    """What the browser sends by `model.send_msg`."""
    component._process_event(DataEvent(model=component, data=data))


class Session:
    """Stands in for a served document: what a thread delivers waits until the session takes it."""

    def __init__(self, *works):
        self.calls = queue.Queue()
        for work in works:
            work.deliver = self.calls.put

    def take(self, until):
        while not until():
            self.calls.get(timeout=PATIENCE)()


def counted(steps, gate=None, error=None):
    for step in range(steps):
        if gate is not None:
            assert gate.wait(PATIENCE)
        if error is not None and step == 1:
            raise error
        yield (step + 1) / steps
    return steps


# -- work


def test_work_without_a_session_is_done_at_once():
    work, told = Work(), []
    work.run("counting", counted(3), told.append, told.append)
    assert told == [3]
    assert (work.running, work.progress) == (False, 1.0)
    error = ValueError("no sound")
    work.run("counting", counted(3, error=error), told.append, told.append)
    assert told == [3, error]
    with pytest.raises(TypeError, match="a mistake"):
        work.run("counting", counted(3, error=TypeError("a mistake")), told.append, told.append)


def test_work_in_a_thread_comes_back_to_its_session_only():
    work, told, here = Work(), [], threading.get_ident()
    session, gate = Session(work), threading.Event()
    work.run(
        "counting", counted(3, gate), lambda result: told.append((result, threading.get_ident())), told.append
    )
    assert work.running, "the caller does not wait"
    assert told == []
    gate.set()
    session.take(lambda: told)
    assert told == [(3, here)]
    assert not work.running


def test_errors_come_back_too():
    work, told = Work(), []
    session, error = Session(work), ValueError("no sound")
    work.run("counting", counted(2, error=error), told.append, told.append)
    session.take(lambda: told)
    assert told == [error]
    work.run("counting", counted(2, error=TypeError("a mistake")), told.append, told.append)
    with pytest.raises(TypeError, match="a mistake"):
        session.take(lambda: False)
    assert not work.running


def test_cancelled_work_tells_and_never_delivers():
    work, told, gate = Work(), [], threading.Event()
    session = Session(work)
    work.run("first", counted(2, gate), told.append, lambda error: told.append(("stopped", error)))
    work.cancel()
    assert told == [("stopped", None)]
    work.run("second", counted(5), told.append, told.append)
    gate.set()
    session.take(lambda: len(told) > 1)
    assert told[1:] == [5], "only the second job's result"
    work.cancel()
    assert len(told) == 2, "nothing runs any more: nobody is told"


def test_a_long_job_lets_a_short_one_pass():
    several, quick, told = [Work() for _ in range(2 * WORKERS)], Work(), []
    session = Session(*several, quick)

    def endless():
        while "quick" not in told:
            yield 0.5

    for slow in several:
        slow.run("slow", endless(), lambda _: told.append("slow"), told.append)
    quick.run("quick", counted(3), lambda _: told.append("quick"), told.append)
    session.take(lambda: len(told) > len(several))
    assert told == ["quick", *["slow"] * len(several)]


# -- own sound beside the event loop


def slow_bench(gate):
    """The small bench, whose reading of own sound waits for the gate."""
    bench = small_bench()
    slow = Workbench(bench.encoder, bench.probes, bench.classes, bench.clips)
    read = slow.read

    def waiting(*args, **kwargs):
        assert gate.wait(PATIENCE)
        return read(*args, **kwargs)

    slow.read = waiting
    return slow


def test_a_slow_encoder_keeps_no_other_session_waiting():
    gate = threading.Event()
    gate.set()
    bench = slow_bench(gate)
    one, other = (ExplorerState(bench, clip="scene-30-3") for _ in range(2))
    other.choose_clip("scene-31-3")
    other.choose_clip("scene-30-3")  # both scenes are known now
    session = Session(one.works["clip"])
    gate.clear()
    before = one.reading
    assert not one.open_file("slow.wav", wav(noise(2.0))), "it is not shown yet"
    other.choose_clip("scene-31-3")
    assert other.reading is not before
    assert (one.reading, one.source, one.works["clip"].running) == (before, "clip", True)
    gate.set()
    session.take(lambda: one.source == "file")
    assert one.reading.seconds == 2.0
    assert not one.works["clip"].running


def test_a_window_under_way_can_be_cancelled_or_overtaken(state):
    state.open_file("long.wav", wav(noise(40.0)))
    shown, work = state.reading, state.works["clip"]
    session = Session(work)
    state.start = 20.0
    assert work.running
    work.cancel()
    assert (state.start, state.reading, state.message) == (0.0, shown, "")
    state.start = 7.0
    state.start = 9.0
    session.take(lambda: state.reading is not shown)
    np.testing.assert_allclose(state.reading.waveform[:100], noise(40.0)[9 * RATE :][:100], atol=1e-4)
    state.start = 15.0
    state.choose_clip("scene-31-3")
    assert not work.running
    state.start = 11.0  # a scene has no window
    assert (state.source, state.scene[0]) == ("clip", 31)


def test_a_damaged_window_leaves_the_page_at_the_last_good_one(state, monkeypatch):
    state.open_file(f"{NASTY}.wav", wav(noise(40.0)))
    shown = state.reading

    def broken(*args, **kwargs):
        raise ValueError("truncated or damaged")

    monkeypatch.setattr("protoviz.explorer.sound.read_channels", broken)
    view = Listen(state)
    view.clips.start.value = 20.0
    assert (state.start, state.reading) == (0.0, shown)
    assert "damaged" in state.message
    assert view.clips.start.value == 0.0, "the slider goes back with it"
    assert "<img" not in explorer_alert(state)


def explorer_alert(state):
    from protoviz.explorer.frame import Frame

    return str(Frame(state).alert.object)


def test_a_recording_is_opened_like_a_file(state):
    view = Listen(state)
    microphone = view.own_sound.microphone
    rate = 48000
    tone = np.sin(2 * np.pi * 440 * np.arange(round(4.32 * rate)) / rate).astype(np.float32) / 2
    microphone.wav = wav(tone, rate)
    assert state.title == "Recording, 0.00–4.32 s"
    assert microphone.wav == b""
    assert np.abs(state.reading.waveform[RATE : 2 * RATE]).max() == pytest.approx(0.5, abs=0.01)
    shown = state.reading
    microphone.wav = b"RIFF and nothing"
    assert state.reading is shown
    assert "Recording" in state.message


@pytest.mark.parametrize("kind", sorted(MICROPHONE_TROUBLE))
def test_every_trouble_of_the_microphone_names_a_cure(state, kind):
    view, before = Listen(state), state.reading
    say(view.own_sound.microphone, trouble=kind)
    assert state.message == MICROPHONE_TROUBLE[kind]
    assert state.reading is before


# -- the scan


def test_the_scan_gives_every_window_as_it_is_shown(state):
    scan = state.own["listen"]
    scan.begin()
    assert scan.filled == 0, "a scene has nothing to scan"
    sound = noise(25.0) * np.linspace(0, 1, 25 * RATE, dtype=np.float32)
    state.open_file("long.wav", wav(sound))
    scan.begin()
    np.testing.assert_allclose(scan.starts, [0, 10.24, 25 - 10.24])
    strip = scan.strip()
    assert strip.right.max() == 25.0
    for window, start in enumerate(scan.starts):
        state.start = start
        for probe in state.panels:
            logit = state.reading.explained[probe].logits[state.workbench.classes.index(state.class_name)]
            found = strip[strip.probe == probe].probability.iloc[window]
            assert found == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)
    assert scan.window_at(12.0) == 10.24
    assert scan.window_at(24.9) == 25 - 10.24
    state.choose_clip("scene-30-3")
    assert scan.strip().empty
    state.open_file("other.wav", wav(noise(30.0, seed=1)))
    assert scan.filled == 0


def test_a_cancelled_scan_goes_on_where_it_stopped(state):
    state.open_file("long.wav", wav(noise(80.0)))
    scan, encoded = state.own["listen"], []
    logits, gate = state.workbench.logits, threading.Semaphore(3)
    session = Session(scan.work)

    def few(waveform):
        assert gate.acquire(timeout=PATIENCE)
        encoded.append(len(waveform))
        return logits(waveform)

    bench = state.workbench
    bench.logits = few
    try:
        scan.begin()
        until(lambda: len(encoded) == 3)
        scan.cancel()
        gate.release(20)
        view = Listen(state)
        assert view.whole_file.button.label in ("Go on scanning", "Scan the whole file")
        scan.begin()
        session.take(lambda: not scan.work.running)
    finally:
        del bench.logits
    assert scan.filled == len(scan.starts) == 8
    assert len(encoded) <= 9, "no window twice, but for one that was under way"
    assert np.isfinite(scan.strip().probability).all()
    assert not view.whole_file.button.visible


# -- recordings of a folder


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "recordings"
    for label, count in (("rain", LISTED_A_LABEL + 2), ("Glass Break", 1), (f"{NASTY.replace('/', '')}", 1)):
        (root / label).mkdir(parents=True)
        for i in range(count):
            (root / label / f"{i}.wav").write_bytes(wav(noise(1.0, seed=i)))
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "secret.wav").write_bytes(wav(noise(1.0)))
    (root / "rain" / "outside.wav").symlink_to(tmp_path / "secret" / "secret.wav")
    return root


@pytest.fixture
def listed(folder):
    bench = small_bench()
    table = list_recordings(folder, bench.classes)
    return ExplorerState(
        Workbench(bench.encoder, bench.probes, bench.classes, bench.clips, recordings=table),
        clip="scene-30-3",
    )


def test_recordings_are_listed_a_few_a_label(listed):
    table = listed.workbench.recordings
    assert table.label.value_counts()["rain"] == LISTED_A_LABEL
    assert not table.recording.str.contains("outside").any()
    assert table.known.tolist().count(False) == 1
    view = Listen(listed)
    view.clips.suggest("rain: 1")
    view.clips.clip.value = view.clips.clip.options["rain: 1.wav"]
    assert (listed.source, listed.recording) == ("recording", "rain/1.wav")
    assert listed.reading.truth == {"rain"}
    assert listed.reading.events == ()
    assert listed.strongest().hit.isna().all(), "nobody knows where in the clip it rains"
    listed.own["attention"].seek()
    assert listed.own["attention"].attended("left").heads.mass.isna().all(), (
        "nor how much attention that gets"
    )
    np.testing.assert_allclose(listed.reading.waveform, noise(1.0, seed=1), atol=1e-4)
    listed.choose_recording("Glass Break/0.wav")
    assert listed.reading.truth == {"glass_break"}


def test_recordings_of_one_name_in_two_splits_are_told_apart(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split / "rain").mkdir(parents=True)
        (tmp_path / split / "rain" / "1.wav").write_bytes(wav(noise(0.2)))
    table = list_recordings(tmp_path, small_bench().classes)
    assert table.title.is_unique
    assert len(table) == 2
    assert set(table.recording) == {"train/rain/1.wav", "test/rain/1.wav"}


def test_an_unknown_label_is_no_truth_and_is_escaped(listed):
    name = listed.workbench.recordings.recording[~listed.workbench.recordings.known].iloc[0]
    listed.choose_recording(name)
    assert listed.reading.truth is None
    assert listed.missed() == {}
    assert "not one of the" in listed.title
    assert "<img" not in heading(listed.title)


def test_a_link_opens_listed_recordings_only(listed, folder):
    listed.choose_recording("rain/2.wav")
    link = to_link(listed)
    other = ExplorerState(listed.workbench)
    assert open_link(other, link) == []
    assert other.recording == "rain/2.wav"
    assert other.reading is listed.reading, "encoded once for all sessions"
    assert other.class_name == listed.class_name
    for name in ("../secret/secret.wav", "rain/outside.wav", str(folder / "rain/0.wav"), "rain/5.wav"):
        fresh = ExplorerState(listed.workbench)
        assert open_link(fresh, f"?scene=30&events=3&recording={name}") == ["recording"]
        assert (fresh.source, fresh.recording) == ("clip", "")
        with pytest.raises(ValueError, match="recording"):
            fresh.choose_recording(name)
        with pytest.raises(ValueError, match="not one of the recordings"):
            listed.workbench.recording(name)
    open_link(other, "?scene=31&events=3")
    assert (other.source, other.recording, other.scene[0]) == ("clip", "", 31)


def test_a_broken_recording_says_so_and_changes_nothing(listed, folder):
    listed.choose_recording("rain/0.wav")
    shown = listed.reading
    (folder / "rain" / "3.wav").write_bytes(b"nothing")
    view = Listen(listed)
    view.clips.suggest("rain: 3")
    view.clips.clip.value = ("recording", "rain/3.wav")
    assert (listed.recording, listed.reading) == ("rain/0.wav", shown)
    assert "3.wav" in listed.message
    assert view.clips.clip.value == ("recording", "rain/0.wav")


def test_the_folder_comes_from_the_environment(folder, tmp_path, monkeypatch):
    demo = write_demo(tmp_path / "demo")
    monkeypatch.setenv("PROTOVIZ_RECORDINGS", str(folder))
    assert len(served_studies([demo]).first().recordings) == LISTED_A_LABEL + 2
    monkeypatch.setenv("PROTOVIZ_RECORDINGS", str(tmp_path / "nowhere"))
    with pytest.raises(BenchError, match="PROTOVIZ_RECORDINGS"):
        served_studies([demo]).first()
    monkeypatch.setenv("PROTOVIZ_DATA", str(tmp_path))
    page = str(explorer().main[0][0].object)
    assert "PROTOVIZ_RECORDINGS" in page
    assert "protoviz demo" not in page, "that would not help"


def test_real_recordings_are_listed(shared):
    bench = small_bench()
    table = list_recordings(shared("audio/env/esc10"), bench.classes)
    assert table.label.nunique() == 10
    assert "rain" in set(table.label[table.known])
    real = Workbench(bench.encoder, bench.probes, bench.classes, bench.clips, recordings=table)
    state = ExplorerState(real)
    state.choose_recording(table.recording[table.label == "rain"].iloc[0])
    assert state.reading.truth == {"rain"}
    assert state.reading.seconds == pytest.approx(5.0, abs=0.3)


# -- the loop


def test_an_event_is_looped_as_it_sounds_or_in_its_band(state):
    selection, view = state.own["listen"], Listen(state)
    selection.step()
    event, wave = state.reading.events[0], state.reading.waveform
    sound, start = selection.sound()
    first = round(event.onset * RATE)
    assert start == first / RATE
    np.testing.assert_array_equal(sound, wave[first : round(event.offset * RATE)])
    assert view.player.cell_loop
    assert "all that sounds" in view.player.cell_label
    assert view.spectrogram.events.data["fill"].index(max(view.spectrogram.events.data["fill"])) == 0
    assert view.band.visible
    view.band.value = True
    np.testing.assert_array_equal(selection.sound()[0], box_sound(wave, RATE, event_box(event)))
    assert "Hz of it" in view.player.cell_label
    again = ExplorerState(small_bench())
    open_link(again, to_link(state))
    assert (again.own["listen"].chosen, again.own["listen"].band) == (event, True)
    # A cell, the same event again, the end of the list and another clip release it.
    view.hear(int(state.strongest().prototype.iloc[0]))
    assert (selection.event, view.player.cell_loop, len(view.player.cell) > 44) == (-1, False, True)
    for release in (
        lambda: selection.choose(2),
        selection.step,
        lambda: say(view.player, released=True),
        lambda: state.choose_clip("scene-31-3"),
    ):
        selection.event = 2
        assert view.player.cell_loop
        release()
        assert (selection.chosen, view.player.cell_loop, view.band.visible) == (None, False, False)
    open_link(state, "?scene=30&events=3&loop=7")
    assert selection.chosen is None, "there is no eighth event"


def event_box(event):
    from protoviz.audio import Box

    return Box(event.onset, event.offset, event.low_hz, event.high_hz)


# -- the threshold


def test_a_threshold_decides_by_value_and_the_rank_rule_by_order(state):
    decision, view = state.own["listen"], Listen(state)
    scores = state.scores()
    decision.threshold = float(scores.probability[scores.probe == "protobin"].median())
    decided = decision.decided()
    for row in decided.itertuples():
        passes = row.probability >= decision.threshold
        there = row._asdict()["_2"] in state.reading.truth
        expected = {(True, True): "hit", (True, False): "false alarm", (False, True): "silent"}
        assert row.verdict == expected.get((passes, there), "rest")
    drawn = view.class_bars.bars.data["outline"]
    np.testing.assert_array_equal(np.asarray(drawn) == 1, decided.passes)
    assert view.class_bars.threshold.data_source.data["x"][0] == decision.threshold
    assert says(view, f"{decision.threshold:.2f}")
    assert (state.scores().missed == scores.missed).all(), "the rank rule knows no threshold"
    view.threshold.value = 1.0
    assert not decision.decided().passes.any()
    assert "threshold=1" in to_link(state)
    state.open_file("mine.wav", wav(noise(1.0)))
    view.threshold.value = 0.0
    assert set(over_threshold(state.scores(), 0.0).verdict) == {"named"}
    assert says(view, "24 classes")
