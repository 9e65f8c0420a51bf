"""The player in a browser: its speeds, its marks, the time it shows, and sound that waits for a tap."""

import numpy as np
from page_bench import wav

RATE = 16000
# Safari's rule: an element plays by itself only once `play` was called on it while a gesture was handled.
SAFARI = """() => {
  const play = HTMLMediaElement.prototype.play, freed = new WeakSet()
  HTMLMediaElement.prototype.play = function () {
    if (["pointerup", "touchend", "click", "keydown"].includes(window.event?.type)) { freed.add(this) }
    const no = new DOMException("no gesture", "NotAllowedError")
    return freed.has(this) ? play.call(this) : Promise.reject(no)
  }
}"""


def audio_of(opened, javascript):
    return opened.page.locator(".player audio").evaluate(f"(audio) => {javascript}")


def test_speed_repeat_and_time(open_page):
    opened = open_page()
    label = opened.page.locator(".player .label")
    speed, repeat = (opened.page.get_by_role("button", name=name) for name in ("Speed", "Repeat"))
    speed.click()
    assert audio_of(opened, "[audio.playbackRate, audio.preservesPitch]") == [0.5, False]
    assert "octave" in label.text_content()
    speed.click()
    opened.page.keyboard.press("1")  # the button has the focus, and takes no digit
    label.filter(has_text="prototype").wait_for()
    opened.until(lambda: audio_of(opened, "audio.playbackRate") == 0.1)
    assert "tenth" in label.text_content()
    # A pressed Repeat carries a mark, not only a colour.
    mark = "(button) => getComputedStyle(button, '::after').content"
    before = repeat.evaluate(mark)
    repeat.click()
    assert repeat.get_attribute("aria-pressed") == "true"
    assert repeat.evaluate(mark) != before
    assert audio_of(opened, "audio.loop")
    # A window of a long file counts as the file does.
    sound = np.random.default_rng(0).normal(0, 0.1, 130 * RATE).astype(np.float32)
    opened.drop("long.wav", wav(sound))
    opened.until(lambda: opened.state.source == "file")
    opened.state.start = 65.0
    opened.page.locator(".player .time", has_text="1:05.00 / 1:15.24").wait_for()
    drawn = "Bokeh.index.find_one_by_id(model('spectrogram').id).export('svg').ctx.get_serialized_svg(true)"
    opened.until(lambda: ">1:06<" in opened.tell(drawn))
    opened.page.keyboard.press("1")
    onset = 5 + opened.state.strongest().onset.iloc[0]
    label.filter(has_text=f"1:{onset:05.2f}–").wait_for()
    opened.state.start = 5.0
    opened.until(lambda: ">10<" in opened.tell(drawn) and ">1:06<" not in opened.tell(drawn))
    # Without a sound no time is shown, and there is nothing to press.
    opened.page.keyboard.press("Escape")
    opened.view.player.clip = b""
    opened.until(lambda: opened.page.locator(".player .time").text_content() == "")
    assert opened.page.get_by_role("button", name="Play").is_disabled()


def test_where_sound_waits_for_a_gesture_the_first_tap_frees_the_cells(open_page):
    opened = open_page()
    opened.tell(f"({SAFARI})()")
    player, sound = opened.view.player, np.zeros(RATE, np.float32)
    player.play_cell(sound, RATE, 0.0, "a cell")  # from the server, no gesture
    opened.page.locator(".player .label", has_text="press Play").wait_for()
    opened.page.get_by_text("One clip as the encoder hears it").click()  # any place will do
    assert audio_of(opened, "audio.paused"), "the tap itself is silent"
    audio_of(opened, "void audio.addEventListener('playing', () => { window.heard = true })")
    player.play_cell(sound, RATE, 0.0, "another")
    opened.wait("window.heard")
