"""Pages of figures at every width of a screen, in the light and in the dark."""

import pytest
from browsing import NEWEST, assert_layout

# Page -> its link, cards, a figure, and what is still so in the dark: a model, a place in it, its value.
PAGES = {
    "ranks": ("?page=ranks", 4, "third", ("ranking", "below[0].major_label_text_font_size", "14px")),
    "polyphony": ("?page=polyphony&scene=61&events=8", 2, "polyphony", ("polyphony-k", "location", 8)),
}


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
    for width in (1600, 1100):
        assert_layout(opened, width, cards)
