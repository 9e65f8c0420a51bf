"""Own sound in a browser: microphone and background work; an event heard again, and the threshold."""

import threading

import numpy as np
from page_bench import RATE, noise, small_bench, wav
from test_listen import assert_drawn, sound_in_player
from waiting import PATIENCE

from protoviz.audio import read_audio
from protoviz.explorer.pages.listen import own_sound
from protoviz.explorer.text import MICROPHONE_TROUBLE


def length(opened, seconds):
    """Change the longest recording, and wait until the browser knows."""
    opened.view.own_sound.microphone.seconds = seconds
    models = "Bokeh.documents.flatMap((document) => [...document._all_models.values()])"
    opened.wait(f"{models}.some((model) => model.attributes.seconds === {seconds})")


def test_a_recording_from_the_microphone_is_shown(open_page):
    opened = open_page()
    page, before = opened.page, opened.state.reading
    length(opened, 60.0)  # on a busy machine it takes a while until Stop is clicked
    page.get_by_role("button", name="Record").click()
    page.get_by_text("s left").wait_for()
    meter = page.get_by_role("meter")
    opened.until(lambda: float(meter.get_attribute("aria-valuenow") or -60) > -40)  # the fake device beeps
    opened.until(lambda: float(page.get_by_text("s left").text_content().split()[0]) < 58.5)
    page.get_by_role("button", name="Stop").click()
    opened.until(lambda: opened.state.reading is not before)
    waveform = opened.state.reading.waveform
    assert 1.0 < opened.state.reading.seconds < 60.0
    assert np.abs(waveform).max() > 0.01
    drawn, shown = opened.state.reading.picture.ravel().tolist(), "Array.from(model('picture').data.image[0])"
    opened.until(lambda: opened.tell(shown) == drawn)
    opened.settle()
    np.testing.assert_allclose(sound_in_player(opened)[0], waveform.clip(-1, 1), atol=1 / 32768)
    page.locator("h2", has_text=f"Recording, 0.00–{opened.state.reading.seconds:.2f} s").wait_for()
    assert opened.view.own_sound.microphone.wav == b""
    # Denied, absent, insecure: the cure is said, and the page stays as it is.
    shown = opened.state.reading
    for name, kind in (("NotAllowedError", "denied"), ("NotFoundError", "absent")):
        error = f'throw new DOMException("", "{name}")'
        opened.tell(f"void (navigator.mediaDevices.getUserMedia = async () => {{ {error} }})")
        page.get_by_role("button", name="Record").click()
        page.get_by_text(MICROPHONE_TROUBLE[kind]).wait_for()
    opened.tell("void Object.defineProperty(window, 'isSecureContext', {value: false})")
    page.get_by_role("button", name="Record").click()
    page.get_by_text(MICROPHONE_TROUBLE["insecure"]).wait_for()
    assert opened.state.reading is shown


def test_a_silent_and_a_quiet_file_say_so_and_the_quiet_one_is_normalised(open_page):
    opened = open_page()
    page = opened.page
    opened.drop("nothing.wav", wav(np.zeros((RATE, 2))))
    page.get_by_text("This clip is silent").wait_for()
    assert set(opened.tell("Array.from(model('picture').data.image[0])")) == {0}
    assert opened.tell("Array.from(model('cells').data.rank)") == []
    quiet = noise(10.24) * np.float32(0.01)
    opened.drop("quiet.wav", wav(np.stack([quiet, -quiet], 1)))
    page.get_by_text("they cancel each other").wait_for()
    opened.view.level.channel.value = 1
    page.get_by_text("This clip is too quiet").wait_for()
    page.get_by_label("Normalise").click()
    page.get_by_text("Normalised").wait_for()
    opened.settle()
    page.get_by_text("This clip is too quiet").wait_for(state="hidden")
    waveform = opened.state.reading.waveform
    assert 0.4 < np.abs(waveform).max() <= 1
    np.testing.assert_allclose(sound_in_player(opened)[0], waveform, atol=1 / 32768)
    np.testing.assert_allclose(waveform / np.abs(waveform).max(), -quiet / np.abs(quiet).max(), atol=0.05)


def test_the_longest_recording_is_one_window(open_page):
    opened = open_page()
    before = opened.state.reading
    length(opened, 0.8)
    opened.page.get_by_role("button", name="Record").click()
    opened.until(lambda: opened.state.reading is not before)
    assert abs(opened.state.reading.seconds - 0.8) < 0.01


def test_a_long_file_is_scanned_in_the_background(open_page, monkeypatch):
    bench = small_bench()
    logits, gate = bench.logits, threading.Semaphore(2)

    def slow(waveform):
        assert gate.acquire(timeout=PATIENCE)
        return logits(waveform)

    monkeypatch.setattr(bench, "logits", slow)
    first, second = open_page(), open_page()
    first.drop("<i>long</i>.wav", wav(noise(100.0)))
    first.page.get_by_role("button", name="Scan the whole file").click()
    first.page.get_by_text("Scanning <i>long</i>.wav: 10 windows").wait_for()
    # Another session is served meanwhile.
    scene = second.state.scene[0]
    second.page.get_by_role("button", name="New scene").click()
    second.until(lambda: second.state.scene[0] != scene)
    assert_drawn(second)
    scan = first.state.own["listen"]
    first.until(lambda: scan.filled > 0)  # of two windows, whose second may have come too soon to be told
    assert scan.work.running
    first.page.get_by_role("button", name="Cancel").click()
    first.until(lambda: not scan.work.running)
    gate.release(100)
    first.page.get_by_role("button", name="Go on scanning").wait_for()
    assert 0 < scan.filled < 10
    first.page.get_by_role("button", name="Go on scanning").click()
    first.until(lambda: scan.filled == 10)
    first.wait("!model('strip-levels').data.y.some((y) => Array.from(y).some(Number.isNaN))")
    strip = scan.strip()
    drawn = first.tell("model('strip-levels').data.y.map((y) => Array.from(y))")
    for probe, levels in zip(first.state.panels, drawn, strict=True):
        expected = np.repeat(strip[strip.probe == probe].probability.to_numpy(), 2)
        np.testing.assert_allclose(levels, expected)
    first.click_at("strip", 45.0, 0.5)
    first.until(lambda: first.state.reading.waveform[0] != 0 and first.state.start == 4 * 10.24)
    window = read_audio(first.state.own_file.stream(), RATE, offset=4 * 10.24, duration=10.24)
    assert_drawn(first, window)


def test_opening_a_file_keeps_nobody_waiting(open_page, monkeypatch):
    bench = small_bench()
    read, gate, finished = bench.read, threading.Event(), []

    def slow(waveform, *args, **kwargs):
        assert gate.wait(PATIENCE)
        finished.append(waveform)
        return read(waveform, *args, **kwargs)

    first, second = open_page(), open_page()
    for known in (second.state.polyphony, second.state.polyphony + 1):
        bench.reading(f"scene-{second.state.scene[0]}-{known}")
    monkeypatch.setattr(bench, "read", slow)
    first.drop("slow.wav", wav(noise(2.0)))
    first.page.get_by_text("Opening slow.wav").wait_for()
    second.page.get_by_role("slider").first.press("ArrowRight")
    second.until(lambda: second.state.polyphony == 4)
    assert_drawn(second)
    assert not finished, "the other session was answered while the file was being read"
    first.page.get_by_role("button", name="Cancel").click()
    first.until(lambda: not first.state.works["clip"].running)
    assert first.state.source == "clip"
    gate.set()
    second.until(lambda: len(finished) == 1)  # what was cancelled comes to its end and is thrown away
    first.settle()
    assert first.state.source == "clip"


def test_an_event_is_heard_over_and_over_until_it_is_released(open_page):
    opened = open_page("?page=listen&scene=30&events=3")
    page, reading, selection = opened.page, opened.state.reading, opened.state.own["listen"]
    page.keyboard.press("e")
    opened.until(lambda: selection.event == 0)
    audio = page.locator(".player audio")
    event = reading.events[0]
    page.locator(".player .label", has_text="all that sounds in it").wait_for()
    heard, rate = sound_in_player(opened)
    first = round(event.onset * rate)
    np.testing.assert_array_equal(heard, reading.waveform[first : first + len(heard)])
    assert abs(len(heard) / rate - (event.offset - event.onset)) < 2 / rate
    assert audio.evaluate("(audio) => audio.loop && !audio.paused")
    opened.wait(f"Math.abs(bar() - {event.onset}) < {event.offset - event.onset + 0.1}")
    assert list(opened.tell("Array.from(model('events').data.fill)")).count(0) == 2
    page.get_by_text("Only its band").click()
    page.locator(".player .label", has_text="Hz of it").wait_for()
    opened.until(lambda: not np.array_equal(sound_in_player(opened)[0], heard))
    np.testing.assert_allclose(sound_in_player(opened)[0], selection.sound()[0], atol=1 / 32768)
    page.keyboard.press("Escape")
    opened.until(lambda: selection.event == -1)
    opened.until(lambda: np.array_equal(sound_in_player(opened)[0], reading.waveform))
    assert audio.evaluate("(audio) => audio.paused && !audio.loop")
    # A click on an event's name does the same.
    at = opened.tell("['x', 'y', 'anchor'].map((name) => model('events').data[name][1])")
    side = -0.15 if at[2].endswith("right") else 0.15
    opened.click_at("spectrogram", at[0] + side, at[1] + (4 if at[2].startswith("bottom") else -4))
    opened.until(lambda: selection.event == 1)
    page.get_by_role("button", name="Release").click()
    opened.until(lambda: selection.event == -1)


def test_the_threshold_line_and_who_passes_it(open_page):
    opened = open_page("?page=listen&scene=30&events=3&threshold=0.4")
    scores = opened.state.scores()
    np.testing.assert_allclose(opened.tell("Array.from(model('threshold').data.x)"), [0.4, 1.62])
    outline = np.array(opened.tell("Array.from(model('class-bars').data.outline)"))
    np.testing.assert_array_equal(outline == 1, scores.probability >= 0.4)
    opened.page.get_by_role("slider", name="Threshold").press("ArrowRight")
    opened.wait("Math.abs(model('threshold').data.x[0] - 0.41) < 1e-9")
    opened.wait("location.search.includes('threshold=0.41')")


def test_a_file_that_does_not_arrive_is_said_and_the_next_one_is_shown(open_page, monkeypatch):
    monkeypatch.setattr(own_sound, "MAX_FILE_MB", 1)
    opened = open_page()
    opened.drop("empty.wav", b"")
    opened.page.get_by_text("0 bytes").wait_for()
    opened.drop("large.wav", bytes(2 * 2**20))
    opened.page.get_by_text("0 bytes").wait_for(state="hidden")
    opened.page.get_by_text("The file was not taken").wait_for()
    opened.drop("good.wav", wav(noise(1.0)))
    opened.page.get_by_text("good.wav").first.wait_for()
    opened.page.get_by_text("The file was not taken").wait_for(state="hidden")
    # The button tells the console as well.
    opened.errors[:] = [error for error in opened.errors if not error.startswith("Upload error")]
