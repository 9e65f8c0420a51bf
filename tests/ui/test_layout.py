"""Pages of figures at every width of a screen, in the light and in the dark."""

import pytest
from browsing import NEWEST, assert_layout

# Page -> its link, cards, a figure, and what is still so in the dark: a model, a place in it, its value.
PAGES = {
    "ranks": ("?page=ranks", 4, "third", ("ranking", "below[0].major_label_text_font_size", "14px")),
    "polyphony": ("?page=polyphony&scene=61&events=8", 2, "polyphony", ("polyphony-k", "location", 8)),
}
# Names of figures with something in their first row or column of pixels: Bokeh clears half a pixel off, and
# the former theme would stay there as a line.
AT_THE_EDGE = """Bokeh.documents.flatMap((d) => [...d._all_models.values()]).filter((m) => {
    const canvas = Bokeh.index.find_one_by_id(m.id)?.canvas_view?.primary.canvas
    if (!canvas?.width || !canvas.height) return false
    const [row, column] = [[canvas.width, 1], [1, canvas.height]].map((size) =>
        canvas.getContext("2d").getImageData(0, 0, ...size).data)
    return [...row, ...column].some((value) => value)
}).map((m) => m.name)"""


@pytest.mark.parametrize("page", PAGES)
def test_the_layout_holds_in_the_light_and_in_the_dark(open_page, page):
    link, cards, figure, (name, place, value) = PAGES[page]
    opened = open_page(link, width=1100)
    for width in (1100, 1600):
        assert_layout(opened, width, cards)
    light = opened.tell(f"model('{figure}').background_fill_color")
    opened.page.get_by_label("Toggle theme").click()
    opened.wait(f"{NEWEST.format(figure)}.background_fill_color != '{light}'")
    opened.settle()
    assert opened.tell(f"{NEWEST.format(name)}.{place}") == value
    assert opened.tell(AT_THE_EDGE) == []
    for width in (1600, 1100):
        assert_layout(opened, width, cards)
