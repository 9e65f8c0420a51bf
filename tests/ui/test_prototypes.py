"""The page Prototypes in a browser: what is muted or taken away there is so in a computation of its own."""

import numpy as np
import pytest
from browsing import assert_layout
from page_bench import logits_by_hand, small_bench, strongest_by_hand
from test_listen import CELLS, RATE, sound_in_player

from protoviz.analysis.prototypes import sigmoid
from protoviz.audio import box_sound, silence_box
from protoviz.scenes import make_scene

# Signed lengths of the logit's bars but for the last, the logit itself.
SUMMANDS = """(() => {
    const {left, right, value} = model("parts").data
    const lengths = [...value].map((v, i) => (v.startsWith("−") ? left[i] - right[i] : right[i] - left[i]))
    return lengths.slice(0, -1)
})()"""
PAGE = "?page=prototypes&scene=30&events=3"


def assert_told(opened, source, column, expected):
    """A source of the page comes to hold these numbers."""
    told = f"Array.from(model('{source}').data['{column}'])"

    def holds():
        values = opened.tell(told)
        return len(values) == len(expected) and np.allclose(values, expected, rtol=0, atol=1e-5)

    opened.until(holds)


def test_cells_are_the_argmax_are_heard_and_a_muted_one_is_a_column_less(open_page):
    opened = open_page(PAGE)
    waveform, state = make_scene(30, 3).waveform, opened.state
    listed = strongest_by_hand(waveform, state.class_name, 9)
    drawn = opened.tell(CELLS)
    np.testing.assert_allclose(drawn, [[j, n // 8 * 0.16, n % 8 * 16] for j, n in listed], atol=1e-9)
    (first, _), (_, cell) = listed[:2]
    # A clicked cell is heard; where several share it, the strongest is named.
    strongest, place = next((j, n) for j, n in listed if n == listed[6][1])
    opened.click_at("spectrogram", place // 8 * 0.16 + 0.08, place % 8 * 16 + 8)
    opened.page.locator(".player .label", has_text=f"prototype {strongest}:").wait_for()
    expected = box_sound(waveform, RATE, small_bench().grid.box(place // 8, place % 8), peak=0.5)
    np.testing.assert_allclose(sound_in_player(opened)[0], expected, atol=1 / 32768)
    # By the keyboard; the focus stays for the next press.
    button = opened.page.get_by_label(f"Mute prototype {first}")
    button.focus()
    opened.page.keyboard.press("Enter")
    opened.wait("model('cells').data.alpha[0] == 0")
    assert_told(opened, "changed", "right", sigmoid(logits_by_hand(waveform, [first])))
    assert_told(opened, "ghosts", "right", sigmoid(logits_by_hand(waveform)))
    assert button.get_attribute("aria-pressed") == "true"
    opened.page.keyboard.press("Enter")
    opened.until(lambda: not state.own["prototypes"].muted)
    # By a click with Shift: all that lie in the cell.
    opened.page.keyboard.down("Shift")
    opened.click_at("spectrogram", cell // 8 * 0.16 + 0.08, cell % 8 * 16 + 8)
    opened.page.keyboard.up("Shift")
    here = sorted(j for j, n in listed if n == cell)
    opened.until(lambda: state.own["prototypes"].muted == here)
    assert_told(opened, "changed", "right", sigmoid(logits_by_hand(waveform, here)))
    logit = logits_by_hand(waveform, here)[small_bench().classes.index(state.class_name)]
    assert sum(opened.tell(SUMMANDS)) == pytest.approx(logit, abs=1e-5)
    # The link reopens it, and with a region in it that is taken out at once.
    opened.wait("location.search.includes('prototypes.muted=')")
    again = open_page(opened.tell("location.search") + "&whatif=region&cells=12,22,1,5&stand_in=silence")
    own = again.state.own["prototypes"]
    assert own.muted == here
    assert_told(again, "effects", "taken_out", logits_by_hand(silence_box(waveform, RATE, own.box)))
    again.page.get_by_text("Mute prototypes").click()
    assert_told(again, "changed", "right", sigmoid(logits_by_hand(waveform, here)))


def test_a_dragged_region_is_left_out_and_taken_out(open_page):
    opened = open_page(PAGE + "&stand_in=silence")
    waveform, own = make_scene(30, 3).waveform, opened.state.own["prototypes"]
    corners = opened.tell("[pixel('spectrogram', 2.0, 30), pixel('spectrogram', 3.5, 70)]")
    opened.page.mouse.move(*corners[0])
    opened.page.mouse.down()
    opened.page.mouse.move(*np.mean(corners, axis=0))
    opened.page.mouse.move(*corners[1])
    opened.page.mouse.up()
    opened.until(lambda: own.region == [12, 22, 1, 5])
    hidden = [t * 8 + f for t in range(12, 22) for f in range(1, 5)]
    assert_told(opened, "effects", "left_out", logits_by_hand(waveform, hidden=hidden))
    left = silence_box(waveform, RATE, own.box)
    assert_told(opened, "effects", "taken_out", logits_by_hand(left))
    assert_told(opened, "effects", "original", logits_by_hand(waveform))
    assert opened.tell("model('region').visible")
    assert opened.tell("[model('region').left, model('region').top]") == pytest.approx([1.92, 80])
    opened.page.get_by_text("Hear what is left").click()
    opened.page.locator(".player .label", has_text="what is left without").wait_for()
    np.testing.assert_allclose(sound_in_player(opened)[0], left, atol=1 / 32768)
    # The sliders do the same by keyboard, in whole cells.
    opened.page.get_by_role("slider").nth(1).press("ArrowLeft")
    opened.until(lambda: own.region == [11, 22, 1, 5])
    hidden += [11 * 8 + f for f in range(1, 5)]
    assert_told(opened, "effects", "left_out", logits_by_hand(waveform, hidden=hidden))


def test_the_layout_holds_in_both_what_ifs_and_the_dark(open_page):
    opened = open_page(PAGE, width=1100)
    assert_layout(opened, 1100, cards=5)
    opened.page.get_by_text("Take a region away").click()
    opened.wait("model('region-logits') != null")
    opened.settle()
    assert_layout(opened, 1100, cards=5)
    opened.page.set_viewport_size({"width": 2200, "height": 1000})
    opened.page.get_by_label("Toggle theme").click()
    opened.wait("model('region').line_color == '#F4F6FA'")  # ink of the dark page, as the server says
    opened.settle()
    assert_layout(opened, 2200, cards=5)
    assert opened.view.region.dots.diamonds.glyph.fill_color == "#F4F6FA"
    assert opened.view.mixer.truth == "#2FBF98"
