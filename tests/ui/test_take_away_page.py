"""The menu in a browser: a sound, a table, a figure as PNG and SVG, and the link are saved by it."""

import io
import struct
from pathlib import Path

import numpy as np
import soundfile


def saved(opened, name):
    with opened.page.expect_download() as waiting:
        opened.page.get_by_role("button", name=name, exact=True).click()
    download = waiting.value
    return download.suggested_filename, Path(download.path()).read_bytes()


def test_sound_table_figure_and_link(open_page):
    opened = open_page()
    opened.page.get_by_role("button", name="Take away").click()
    name, content = saved(opened, "The clip: WAV")
    sound, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    assert (name.split(".")[-1], rate) == ("wav", opened.state.reading.sample_rate)
    np.testing.assert_allclose(sound, opened.state.reading.waveform, atol=1 / 32768)
    opened.until(lambda: opened.view.take_away.file == b"")
    name, content = saved(opened, "True events: Raven")
    assert name.endswith(".Table.1.selections.txt")
    assert content.decode().count("\n") == 1 + len(opened.state.reading.events)
    width, height = opened.tell(
        "(({width, height}) => [width, height])(Bokeh.index.find_one_by_id(model('classes').id).bbox)"
    )
    name, content = saved(opened, "Classes: PNG")
    assert name == "classes.png"
    assert struct.unpack(">II", content[16:24]) == (3 * width, 3 * height)
    name, content = saved(opened, "Classes: SVG")
    assert name == "classes.svg"
    assert all(label.replace("_", " ") in content.decode() for label in opened.state.reading.truth)
    opened.page.keyboard.press("Escape")
    button = opened.page.get_by_role("button", name="Take away")
    opened.until(lambda: button.get_attribute("aria-expanded") == "false")
