"""Names of any kind in a browser: the page shows each as it is written, and none becomes a part of it."""

from browsing import WRITTEN
from hostile_names import HOSTILE, put_names

from protoviz.explorer.clip_index import ClipIndex
from protoviz.explorer.text import choices, spoken
from protoviz.figures.style import as_written
from protoviz.scenes import SCENE_CLASSES, make_scene

# A place within the name that is drawn at the first event.
NAME = """(() => {
    const {x, y, anchor} = model("events").data, [left, top] = pixel("spectrogram", x[0], y[0])
    return [left + (anchor[0].includes("right") ? -20 : 20), top + (anchor[0].includes("top") ? 9 : -9)]
})()"""


def choose(opened, label, entry):
    """Open a list, choose an entry, and return all entries as they are shown."""
    opened.page.get_by_role("combobox", name=label, exact=True).click()
    entries = opened.page.get_by_role("option")
    entries.first.wait_for()
    shown = entries.all_text_contents()
    entries.nth(entry).click()
    entries.first.wait_for(state="hidden")
    return shown


def test_a_name_is_text_and_nothing_else(open_page, server, monkeypatch):
    one = next(seed for seed in range(999) if make_scene(seed, 1).labels == SCENE_CLASSES[:1])
    bench = put_names(monkeypatch)
    monkeypatch.setattr(server, "bench", bench)
    opened = open_page(f"?scene={one}&events=1")
    state = opened.state
    assert as_written(bench.note) in opened.tell(WRITTEN)["texts"]
    opened.page.mouse.move(*opened.tell(NAME))
    opened.page.locator(".bk-Tooltip b").wait_for()
    assert opened.page.locator(".bk-Tooltip b").all_text_contents() == [spoken(HOSTILE[0])]
    for entry in (3, 2, 1, 0):  # a formula, Markdown, a script and a picture
        assert choose(opened, "Class", entry) == list(choices(HOSTILE, spoken))
        opened.page.locator("b", has_text=spoken(HOSTILE[entry])).first.wait_for()
        opened.settle()
        assert opened.tell(WRITTEN)["made"] == []
    assert choose(opened, "Clip", 0) == ClipIndex(bench).words
    opened.until(lambda: state.clip == bench.clips["clip"][0])
    opened.settle()
    assert opened.tell(WRITTEN)["made"] == []
