"""Typing in the browser: a clip is found among suggestions of the server, a class among all."""

# A choice that leaves the focus where it is.
FLIP = """const {data} = Bokeh.index.query_one(({model}) => model.data?.label == "True events").model
data.value = !data.value"""


def test_a_clip_and_a_class_are_found_by_typing(open_page):
    opened = open_page()
    state, page = opened.state, opened.page
    field = page.get_by_role("combobox", name="Clip")
    shown = field.input_value()
    field.fill("nothing like it")
    field.blur()
    opened.until(lambda: field.input_value() == shown)
    field.click()
    page.get_by_role("option").first.wait_for()
    field.fill("scene 61")
    page.get_by_role("option", name="scene 61").click()
    opened.until(lambda: state.clip == "scene-61-6")
    opened.until(lambda: "scene 61" in field.input_value())
    # A new clip may choose another class, which empties what is being typed there.
    opened.until(lambda: len(state.reading.events) == 6)
    field = page.get_by_role("combobox", name="Class")
    shown = state.class_name.replace("_", " ")
    opened.until(lambda: field.input_value() == shown)
    field.fill("")
    field.press_sequentially("sss")
    events = state.show_events
    opened.tell(f"(() => {{{FLIP}}})()")
    opened.until(lambda: state.show_events != events)
    opened.settle()
    assert field.input_value() == "sss"
    field.blur()
    opened.until(lambda: field.input_value() == shown)
    choose_another_class(opened)
    page.get_by_role("link", name="Orthogonality", exact=True).click()
    opened.wait("location.search.includes('page=orthogonality')")
    choose_another_class(opened)


def choose_another_class(opened):
    state, field = opened.state, opened.page.get_by_role("combobox", name="Class")
    sounding = {*state.reading.truth, state.class_name}
    other = next(name for name in state.workbench.classes if name not in sounding)
    field.fill(other.replace("_", " ")[1:].upper())
    opened.page.get_by_role("option", name=other.replace("_", " ")).first.click()
    opened.until(lambda: state.class_name == other)
    opened.until(lambda: field.input_value() == other.replace("_", " "))
