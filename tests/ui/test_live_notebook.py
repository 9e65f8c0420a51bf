"""A live JupyterLab with the mixer in a cell: whose keys are whose, and what is left beside notebooks."""

import os
import subprocess
import sys
from urllib.request import urlopen

import pytest
from browsing import PATIENCE
from test_export_page import CLIP
from waiting import until

from benchmarks.browser import free_port

pytest.importorskip("jupyterlab", reason="needs JupyterLab: the packages of protoviz[notebooks]")

from protoviz.export import paired

SOURCE = f"""# %% [markdown]
# # A lesson

# %%
{CLIP}
from protoviz.course import setup, what_if_panel
setup()
what_if_panel(probe, explained, waveform, events, CellGrid(8, 4, 1.28))

# %%
print(1)
"""
KINDS = """[...document.querySelectorAll('.jp-Notebook .jp-Cell')].map(
    (one) => one.className.match(/(Code|Markdown)Cell/)[0])"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of one lesson, as `make lab` opens it: its source below, its notebook paired with it."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "py").mkdir()
    (folder / "py" / "05_lesson.py").write_text(SOURCE)
    (folder / "05_lesson.ipynb").write_text(paired(folder / "py" / "05_lesson.py"))
    return folder


@pytest.fixture(scope="module")
def lab(folder, tmp_path_factory):
    """The address of a JupyterLab that serves `folder`, with settings of its own."""
    port, home = free_port(), tmp_path_factory.mktemp("home")
    own = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    told = [f"--ServerApp.{name}" for name in ("token=", "password=", f"root_dir={folder}")]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--port={port}", *told],
            env={**os.environ, **own, "IPYTHONDIR": str(home / "ipython")},
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, (home / "log").read_text()
        try:
            urlopen(f"{address}/api").close()
        except OSError:
            return False
        return True

    try:
        until(answers)
        yield address
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def notebook(browser, lab):
    """The lesson, opened and run."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{lab}/lab/tree/05_lesson.ipynb?reset")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.locator(".jp-NotebookPanel-toolbar").wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.locator(".protoviz-what-if li.prototype").first.wait_for()
    yield page
    context.close()


@pytest.mark.slow  # half a minute on a busy machine; test_export_page.py asks the same of a page at once
def test_the_mixer_keeps_its_keys_and_the_notebook_the_others(notebook, folder):
    before = notebook.evaluate(KINDS)
    rows = notebook.locator(".protoviz-what-if li.prototype")
    muted = "document.querySelector('.protoviz-what-if').whatIf.muted.size"
    rows.nth(0).get_by_text("M", exact=True).click()
    assert notebook.evaluate(muted) == 1
    notebook.keyboard.press("m")
    assert notebook.evaluate(muted) == 0, "the key is heard, once"
    for key in ("m", "a", "b", "x", "c", "v", "y", "d", "d", "z", "1", "s", "ArrowDown", "Shift+M", "r"):
        notebook.keyboard.press(key)
    notebook.locator(".protoviz-what-if select").focus()
    for key in ("b", "x", "m"):
        notebook.keyboard.press(key)
    assert notebook.evaluate(KINDS) == before
    assert notebook.evaluate(muted) == 2, "the first by M, the second by Shift and M"
    assert rows.nth(0).get_by_text("M", exact=True).count() == 1

    notebook.keyboard.press("Control+s")  # the notebook's own, and what it writes is the notebook alone
    file = folder / "05_lesson.ipynb"
    until(lambda: "protoviz-what-if" in file.read_text())  # its output is saved
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {name for name in found if ".ipynb_checkpoints" not in name} == {
        "05_lesson.ipynb",
        "py/05_lesson.py",
    }
    assert (folder / "py" / "05_lesson.py").read_text() == SOURCE
