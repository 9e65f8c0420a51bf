"""Navigation, links and Back in a browser."""

from urllib.parse import parse_qs, urlsplit

from page_bench import small_bench


def words(opened):
    return {name: value[0] for name, value in parse_qs(urlsplit(opened.page.url).query).items()}


def test_a_link_reopens_the_view_and_back_goes_back(open_page):
    absent = "rain" if "rain" not in small_bench().reading("scene-61-6").truth else "bell"
    opened = open_page(f"?scene=61&events=6&class={absent}&boxes=0&unheard=of")
    state = opened.state
    assert (*state.scene, state.class_name, state.show_events) == (61, 6, absent, False)
    assert opened.page.get_by_text("unheard").count() == 1
    opened.wait("!location.search.includes('unheard')")
    opened.click_at("classes", 0.3, 0)
    first = opened.view.class_bars.order[0]
    opened.until(lambda: state.class_name == first)
    opened.wait(f"new URLSearchParams(location.search).get('class') == '{first}'")
    opened.page.go_back()
    opened.until(lambda: state.class_name == absent)
    assert words(opened)["class"] == absent
    opened.page.go_forward()
    opened.until(lambda: state.class_name == first)
    copy = open_page(urlsplit(opened.page.url).query.join(("?", "")))
    assert (copy.state.scene[0], copy.state.class_name, copy.state.show_events) == (61, first, False)


def test_every_page_is_one_click_away_and_a_real_link(open_page):
    opened = open_page("?scene=30&events=3")
    links = opened.page.get_by_role("navigation", name="Pages").get_by_role("link")
    for link in links.all():
        link.click()
        title = link.text_content()
        opened.wait("document.title && location.search.includes('page=')")
        opened.until(lambda link=link: link.get_attribute("aria-current") == "page")
        key = parse_qs(urlsplit(link.get_attribute("href")).query)["page"][0]
        opened.until(lambda key=key: opened.state.page == key)
        opened.settle()
        assert opened.page.get_by_role("link", name=title).count() == 1
    assert opened.state.scene[0] == 30


def test_a_page_that_is_left_keeps_its_size_out_of_sight(open_page):
    opened = open_page("?page=ranks&scene=30&events=3")
    opened.wait("model('ranking') && Bokeh.index.find_one_by_id(model('ranking').id)")
    width = "Bokeh.index.find_one_by_id(model('ranking').id).el.getBoundingClientRect().width"
    opened.settle()
    before, seen = opened.tell(width), opened.page.locator(".bk-Figure:visible").count
    assert before > 300
    opened.page.get_by_role("navigation", name="Pages").get_by_role("link", name="Polyphony").click()
    opened.wait("model('polyphony') && Bokeh.index.find_one_by_id(model('polyphony').id)")
    opened.settle()
    opened.until(lambda: not opened.page.get_by_text("Encoders ranked by").is_visible())
    assert opened.tell(width) == before, "nothing has to be laid out when it comes back"
    assert seen() <= 3, "the other page's figures are out of sight"
