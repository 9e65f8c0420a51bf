"""The page Attention in a browser: what is drawn is the attention computed anew, and clicks change it."""

import numpy as np
import torch
from browsing import assert_layout
from page_bench import small_bench

from protoviz.explorer.pages.attention.encoders import EncoderShelf
from protoviz.scenes import make_scene

MAP = "Array.from(model('attention-{}-map').data.image[0])"


def expected(name, seed, polyphony, layer, head):
    """The bytes (f t) of a head's map (0: the mean of the heads), from the encoder alone."""
    encoding = (
        small_bench()
        .shared(EncoderShelf)
        .load(name)
        .encode(make_scene(seed, polyphony).waveform, attention=True)
    )
    rows = encoding.attention[layer - 1][0].double()
    rows = rows / rows.sum(-1, keepdim=True)
    row = rows[head - 1] if head else rows.mean(0)
    powers = torch.log2((512 * row).clamp_min(1e-9)).reshape(64, 8).T
    return (powers / 6).clamp(0, 1).mul(255).numpy()


def assert_drawn(opened, layer, head):
    state, own = opened.state, opened.state.own["attention"]
    for side in ("left", "right"):
        wanted = expected(getattr(own, side), *state.scene, layer, head).ravel()

        def same(side=side, wanted=wanted):
            drawn = opened.tell(MAP.format(side))
            return len(drawn) == len(wanted) and np.allclose(drawn, wanted, rtol=0, atol=1)

        opened.until(same)


def test_thumbnails_layers_and_clips_change_the_drawn_maps(open_page):
    opened = open_page("?page=attention&scene=30&events=3&layer=2&head=1", height=1500)
    own = opened.state.own["attention"]
    assert_drawn(opened, 2, 1)
    opened.click_at("attention-right-maps", 3.5, 4.5)
    opened.until(lambda: (own.layer, own.head) == (5, 3))
    assert_drawn(opened, 5, 3)
    assert "attention.layer=5&attention.head=3" in opened.page.url
    opened.click_at("effective", 3, 30)
    opened.until(lambda: own.layer == 3)
    assert_drawn(opened, 3, 3)
    opened.page.get_by_text("Layer 3 of 6, head 3 of 3").first.wait_for()
    opened.page.get_by_role("button", name="New scene").click()
    opened.until(lambda: opened.state.scene[0] != 30)
    assert_drawn(opened, 3, 3)
    assert opened.tell("model('attention-left-events').data.label.length") == 3
    dots = opened.tell("Array.from(model('effective-heads').data.y)")
    np.testing.assert_allclose(dots[:18], own.attended("left").heads.effective)
    assert (np.array(dots) <= 512 * (1 + 1e-9)).all()


def test_one_sound_two_bars_in_a_layout_that_holds_light_and_dark(open_page):
    opened = open_page("?page=attention&scene=30&events=3", width=1100, height=1300)
    assert_layout(opened, 1100, cards=4, narrowest=480)
    both = """() => Bokeh.documents.flatMap((d) => [...d._all_models.values()])
        .filter((m) => m.type == "Span").map((m) => m.location)"""
    opened.click_at("attention-right-spectrogram", 6.5, 100)
    opened.until(lambda: len(opened.tell(both)) == 2 and all(abs(np.array(opened.tell(both)) - 6.5) < 0.1))
    opened.page.get_by_label("Play").click()
    opened.wait("bar() > 6.8")
    first, second = opened.tell(both)
    assert abs(first - second) < 0.01
    opened.page.get_by_label("Play").or_(opened.page.get_by_label("Pause")).click()
    paper = opened.tell("model('attention-left-spectrogram').background_fill_color")
    opened.page.get_by_label("Toggle theme").click()
    opened.wait(f"model('attention-left-spectrogram').background_fill_color != '{paper}'")
    opened.until(lambda: opened.view.dark)
    opened.settle()
    assert opened.tell("document.documentElement.scrollWidth") <= 1100
