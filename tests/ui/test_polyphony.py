"""The page Polyphony in a browser: the polyphony moves the marker, the scene, and the scene of Listen."""

from protoviz.scenes import make_scene

LABELS = "[...model('{}').data.label]"


def said(seed, polyphony):
    return [event.label.replace("_", " ") for event in make_scene(seed, polyphony).events]


def test_the_slider_moves_marker_scene_and_listen(open_page):
    opened = open_page("?page=polyphony&scene=30&events=3&curve=normalised")
    state = opened.state
    assert (*state.scene, state.own["polyphony"].scale) == (30, 3, "normalised")
    assert opened.tell("model('polyphony-k').location") == 3
    assert opened.tell(LABELS.format("polyphony-events")) == said(30, 3)
    slider = opened.page.get_by_role("slider").first
    for _ in range(2):
        slider.press("ArrowRight")
    opened.wait("model('polyphony-k').location == 5")
    opened.until(lambda: opened.tell(LABELS.format("polyphony-events")) == said(30, 5))
    opened.page.get_by_text("k = 5").first.wait_for()
    opened.page.get_by_role("link", name="Listen").click()
    opened.page.get_by_text("Own sound file").first.wait_for()
    opened.until(lambda: opened.tell("model('events') && model('events').data.label.length") == 5)
    assert opened.tell(LABELS.format("events")) == said(30, 5)
    assert "clip=scene-30-5" in opened.tell("location.search")
