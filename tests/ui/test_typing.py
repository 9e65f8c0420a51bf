"""Typing in the browser: a clip is found among suggestions of the server, a class among all."""


def test_a_clip_and_a_class_are_found_by_typing(open_page):
    opened = open_page()
    state = opened.state
    field = opened.page.get_by_role("combobox", name="Clip")
    field.click()
    opened.page.get_by_role("option").first.wait_for()
    field.fill("scene 61")
    opened.page.get_by_role("option", name="scene 61").click()
    opened.until(lambda: state.clip == "scene-61-6")
    opened.until(lambda: "scene 61" in field.input_value())
    opened.until(lambda: not state.works["clip"].running)
    opened.settle()  # a new clip may choose another class, which empties what is being typed there
    absent = next(name for name in state.workbench.classes if name not in state.reading.truth)
    field = opened.page.get_by_role("combobox", name="Class")
    field.fill(absent.replace("_", " ")[1:].upper())
    opened.page.get_by_role("option", name=absent.replace("_", " ")).first.click()
    opened.until(lambda: state.class_name == absent)
