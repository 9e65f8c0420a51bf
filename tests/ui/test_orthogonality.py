"""The page Orthogonality in a browser: its pixels are the cosines, a click chooses on every page."""

import base64

import numpy as np
import pytest
import torch
from browsing import assert_layout
from page_bench import small_bench

from protoviz.probes import build_probe
from protoviz.scenes import SCENE_CLASSES

PAGE = "?page=orthogonality&scene=30&events=3&class=rain"
# As text: a list of 230,400 numbers takes seconds from the browser to here.
BYTES = """(() => {
    const bytes = Array.from(model("cosine-map-image").data.image[0], (byte) => String.fromCharCode(byte))
    return btoa(bytes.join(""))
})()"""


def signs(stage):
    """(j d) the binarised prototypes of the page's probe, from torch alone."""
    probe = small_bench().probes["protobin"]
    if stage == "before":
        torch.manual_seed(4)
        probe = build_probe("protobin", probe.dim, probe.classes, probe.grid)
    return np.where(probe.latent.detach().numpy() >= 0, 1.0, -1.0)


def order_by_hand():
    weight = small_bench().probes["protobin"].classifier.weight.detach().numpy()
    return sorted(range(480), key=lambda j: (weight[:, j].argmax(), -weight[:, j].max()))


def bytes_by_hand(stage, limit):
    """The image from below up, 127 for a cosine of 0."""
    some = signs(stage)[order_by_hand()]
    return np.rint(np.clip(some @ some.T / 192 / limit, -1, 1) * 127 + 127)[::-1].ravel()


def assert_drawn(opened, stage):
    """The matrix in the browser is that of this stage; a rounded half may fall either way."""
    limit = opened.tell("model('cosine-map').above[0].color_mapper.high")
    expected = bytes_by_hand(stage, limit)

    def same():
        drawn = np.frombuffer(base64.b64decode(opened.tell(BYTES)), np.uint8).astype(int)
        return np.abs(drawn - expected).max() <= 1 and np.mean(drawn != expected) < 1e-3

    opened.until(same)


def test_the_matrix_is_drawn_switched_and_clicked(open_page):
    opened = open_page(PAGE, height=1900)
    assert_drawn(opened, "after")
    shown = opened.tell("Array.from(model('cosines').data.top)")
    opened.page.get_by_role("button", name="Untrained").click()
    opened.until(lambda: opened.state.own["orthogonality"].stage == "before")
    assert_drawn(opened, "before")
    assert opened.tell("Array.from(model('cosines').data.top)") != shown
    some = signs("before")
    rms = np.sqrt(np.mean((some @ some.T / 192)[np.triu_indices(480, 1)] ** 2))
    opened.page.get_by_text(f"{rms:.3f}").first.wait_for()

    order = order_by_hand()
    opened.click_at("cosine-map", 240, 480 - 99.5)
    opened.until(lambda: opened.state.prototype == order[99])
    opened.wait("model('prototype-column').data.x[0] == 99.5")
    opened.page.get_by_text(f"Prototype {order[99]}", exact=True).wait_for()
    opened.click_at("weight-map", 400.5, 3.5)
    opened.until(lambda: opened.state.prototype == order[400])
    weight = small_bench().probes["protobin"].classifier.weight.detach().numpy()
    favourite = SCENE_CLASSES[int(weight[:, order[400]].argmax())]
    opened.until(lambda: opened.state.class_name == favourite)
    opened.wait(f"model('class-row').data.y[0] == {24 - SCENE_CLASSES.index(favourite) - 0.5}")
    opened.click_at("sets", 0, 1)
    opened.until(lambda: opened.state.own["orthogonality"].shown == ("protobin", "real", "before"))

    for said in (f"prototype={order[400]}", "form=real", "stage=before"):
        opened.wait(f"location.search.includes('{said}')")
    again = open_page(opened.tell("location.search"))
    assert again.state.own["orthogonality"].shown == ("protobin", "real", "before")
    assert again.tell("model('prototype-column').data.x[0]") == 400.5
    assert again.tell(BYTES) == opened.tell(BYTES)


# Width of the drawn matrix over its height.
SIDES = """(() => {
    const {x_scale: x, y_scale: y} = Bokeh.index.find_one_by_id(model('cosine-map').id).frame
    return (x.compute(480) - x.compute(0)) / (y.compute(0) - y.compute(480))
})()"""


def test_the_layout_holds_and_the_matrix_is_square(open_page):
    opened = open_page(PAGE, width=1100, height=1900)
    for width in (1100, 1600):
        assert_layout(opened, width, cards=5)
        opened.until(lambda: opened.tell(SIDES) == pytest.approx(1, rel=0.05))
    opened.page.get_by_label("Toggle theme").click()
    opened.until(lambda: opened.view.cosine_map.mapper.palette[127] == "#14171c")
    opened.page.get_by_label("Formula and source").first.click()
    opened.page.get_by_text("Roy and Vetterli").wait_for()
    opened.page.mouse.move(400, 5)
    opened.page.get_by_role("tooltip").wait_for(state="hidden")  # while it grows its text is small
    opened.settle()
    for width in (1600, 1100):
        assert_layout(opened, width, cards=6)
