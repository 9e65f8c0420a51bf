"""The page in a browser: what is drawn is what was computed, and what is clicked is what is heard."""

import base64
import io

import numpy as np
import soundfile
from browsing import assert_layout
from page_bench import small_bench, strongest_by_hand, wav

from protoviz.audio import box_sound
from protoviz.scenes import make_scene, recorded_sources

RATE = 16000
CELLS = """(() => {
    const {prototype, left, bottom} = model("cells").data
    return [...prototype].map((j, i) => [j, left[i], bottom[i]])
})()"""


def by_hand(waveform, class_name):
    """What the page should draw: [[prototype, left in seconds, bottom in mel rows]]."""
    return [[j, n // 8 * 0.16, n % 8 * 16] for j, n in strongest_by_hand(waveform, class_name)]


def shown_scene(state):
    return make_scene(*state.scene).waveform


def assert_drawn(opened, waveform=None):
    """The numbered cells are those of the clip that the state names, made and encoded anew here."""
    state = opened.state
    waveform = shown_scene(state) if waveform is None else waveform
    opened.until(lambda: np.array_equal(state.reading.waveform, waveform))

    def same():  # the class may still change when the clip has, so it is read anew each time
        expected, drawn = by_hand(waveform, state.class_name), opened.tell(CELLS)
        return np.shape(drawn) == np.shape(expected) and np.allclose(drawn, expected, rtol=0, atol=1e-9)

    opened.until(same)


def sound_in_player(opened):
    """What the player's audio element would play: (samples, rate)."""
    told = opened.page.locator(".player audio").evaluate(
        """async (audio) => {
            const bytes = new Uint8Array(await (await fetch(audio.src)).arrayBuffer())
            return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))
        }"""
    )
    return soundfile.read(io.BytesIO(base64.b64decode(told)), dtype="float32")


def test_the_cells_are_the_argmax_of_the_shown_clip_and_follow_the_class(open_page):
    opened = open_page()
    assert_drawn(opened)
    absent = next(name for name in small_bench().classes if name not in opened.state.reading.truth)
    opened.click_at("classes", 0.3, opened.view.class_bars.order.index(absent))
    opened.until(lambda: opened.state.class_name == absent)
    assert_drawn(opened)
    picture = opened.tell("Array.from(model('picture').data.image[0])")
    np.testing.assert_array_equal(np.array(picture, np.uint8), opened.state.reading.picture.ravel())


def test_a_clicked_cell_is_heard(open_page):
    opened = open_page()
    prototype, left, bottom = opened.tell(CELLS)[0]
    opened.click_at("spectrogram", left + 0.08, bottom + 8)
    opened.page.locator(".player .label", has_text=f"prototype {prototype}:").wait_for()
    waveform = shown_scene(opened.state)
    box = small_bench().grid.box(round(left / 0.16), round(bottom / 16))
    expected = box_sound(waveform, RATE, box, peak=0.5)
    heard, rate = sound_in_player(opened)
    assert rate == RATE
    np.testing.assert_allclose(heard, expected, atol=1 / 32768)
    opened.wait(f"bar() > {left - 0.05} && bar() < {left + 0.25}")
    opened.page.get_by_text("Whole clip").click()
    np.testing.assert_array_equal(sound_in_player(opened)[0], waveform)


def test_the_play_bar_moves_in_the_browser_alone(open_page):
    opened = open_page()
    opened.tell(
        """() => { window.sent = 0; const send = WebSocket.prototype.send
        WebSocket.prototype.send = function (data) { window.sent += 1; return send.call(this, data) } }"""
    )
    audio = opened.page.locator(".player audio")
    audio.evaluate("(audio) => { audio.playbackRate = 0.25 }")  # on a busy machine it is not over at once
    opened.page.get_by_label("Play").click()
    opened.wait("bar() > 0.4")
    assert opened.tell("window.sent") == 0, "a play bar that asks the server lags behind the sound"
    opened.page.get_by_text("One clip as the encoder hears it").click()  # the focus leaves the button
    for paused in (True, False):
        opened.page.keyboard.press(" ")
        opened.until(lambda paused=paused: audio.evaluate("(audio) => audio.paused") == paused)
        if paused:
            opened.until(lambda: abs(audio.evaluate("(audio) => audio.currentTime - bar()")) < 0.01)
    # Outside every cell a click seeks, without the server.
    opened.click_at("spectrogram", 7.77, 100)
    opened.wait("Math.abs(bar() - 7.77) < 0.05 || bar() > 7.77")


def test_keys_play_cells(open_page):
    opened = open_page()
    prototype, left, _ = opened.tell(CELLS)[1]
    opened.page.keyboard.press("2")
    opened.page.locator(".player .label", has_text=f"prototype {prototype}:").wait_for()
    opened.wait(f"bar() > {left - 0.05} && bar() < {left + 0.25}")


def test_new_scene_and_polyphony(open_page):
    opened = open_page()
    state, seed = opened.state, opened.state.scene[0]
    opened.page.get_by_role("button", name="New scene").click()
    opened.until(lambda: state.scene[0] != seed)
    assert_drawn(opened)
    opened.page.get_by_role("slider").first.press("ArrowRight")
    opened.until(lambda: state.polyphony == 4)
    assert_drawn(opened)
    assert opened.tell("model('events').data.label.length") == 4
    opened.until(lambda: np.array_equal(sound_in_player(opened)[0], shown_scene(state)))
    opened.page.get_by_text("True events").click()
    opened.wait("model('events').data.label.length == 0")


def test_real_recordings_dropped_into_the_page(open_page, shared):
    labels = ("dog", "rooster", "clock_tick", "sneezing")
    scene = make_scene(5, 4, sources=recorded_sources(shared("audio"), "test", labels=labels))
    opened = open_page()
    opened.drop("four recordings.wav", wav(scene.waveform))
    opened.until(lambda: opened.state.source == "file")
    assert_drawn(opened, scene.waveform)
    picture = opened.tell("Array.from(model('picture').data.image[0])")
    np.testing.assert_array_equal(np.array(picture, np.uint8), opened.state.reading.picture.ravel())
    opened.page.locator("h2", has_text="four recordings.wav").wait_for()
    opened.page.get_by_text("No truth is known").wait_for()
    assert opened.tell("model('events').data.label.length") == 0
    opened.until(lambda: np.array_equal(sound_in_player(opened)[0], scene.waveform))


def test_a_bad_file_says_so_and_changes_nothing(open_page):
    opened = open_page()
    before, reading = opened.tell(CELLS), opened.state.reading
    opened.drop("<b>notes</b>.txt", b"no sound in here")
    opened.page.get_by_text("<b>notes</b>.txt").first.wait_for()
    assert opened.tell(CELLS) == before
    assert opened.state.reading is reading
    opened.drop("long.wav", wav(np.zeros(12 * RATE, np.float32)))
    opened.page.get_by_text("Window starts at").first.wait_for()
    opened.until(lambda: opened.page.get_by_text("<b>notes</b>.txt").count() == 0)


def test_two_sessions_do_not_see_each_other(open_page):
    first, second = open_page(), open_page()
    before = second.tell(CELLS)
    first.page.get_by_role("button", name="New scene").click()
    first.until(lambda: first.state.scene[0] != second.state.scene[0])
    assert_drawn(first)
    assert second.tell(CELLS) == before
    assert_drawn(second)


def test_the_layout_holds_dark_and_light(open_page):
    opened = open_page(width=1100)
    for width in (1100, 2200, 1600):
        assert_layout(opened, width, cards=3)
    light = opened.tell("model('spectrogram').background_fill_color")
    opened.page.get_by_label("Toggle theme").click()
    opened.wait(f"model('spectrogram').background_fill_color != '{light}'")
    opened.until(lambda: opened.view.spectrogram.ink.palette[0] == "#14171c")
