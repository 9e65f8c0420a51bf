"""The exported pages: formulas, text, outputs and the sums behind the what-if, without a browser."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from bokeh.document import Document
from bokeh.embed.util import standalone_docs_json_and_render_items
from bokeh.models import ImportedStyleSheet, Toolbar, WheelZoomTool
from bokeh.plotting import figure as plot
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from protoviz import paths
from protoviz.analysis.what_if import linear_logits
from protoviz.audio import CellGrid
from protoviz.cli import app
from protoviz.course import what_if_panel
from protoviz.probes import build_probe
from protoviz.scenes import Event
from protoviz.study import StudyError

pytest.importorskip("jupytext", reason="needs the packages of protoviz[notebooks]")
pytest.importorskip("nbclient", reason="needs the packages of protoviz[notebooks]")
pytest.importorskip("ipykernel", reason="needs the packages of protoviz[notebooks]")
pytest.importorskip("latex2mathml", reason="needs the packages of protoviz[notebooks]")

import nbformat

from protoviz.export import (
    ExportError,
    export_course,
    find_lessons,
    own_copies,
    paired,
    run_notebooks,
    running,
)
from protoviz.export.outputs import Outputs, components
from protoviz.export.prose import formula, headings, prose

FIRST = """# %% [markdown]
# # 01 · First
#
# **You will** add. On to [the next](02_second.ipynb#more).

# %%
import pathlib
here = pathlib.Path("count.txt")
here.write_text(here.read_text() + "x" if here.exists() else "x")
print("ran <here>")

# %% [markdown]
# ## More
# **Predict:** what is one and one?

# %%
1 + 1

# %% [markdown]
# It makes a pair.
#
# ## After that
# Something else.
"""
SECOND = """# %% [markdown]
# # 02 · Second
#
# $$s_j = \\max_{t,f} \\cos(v_j, z_{t,f})$$

# %%
{}["absent"]
"""


@pytest.fixture
def notebooks(tmp_path):
    """A folder of two notebooks; the second one fails."""
    (tmp_path / "notebooks" / "py").mkdir(parents=True)
    for name, text in (("01_first", FIRST), ("02_second", SECOND)):
        (tmp_path / "notebooks" / "py" / f"{name}.py").write_text(text)
    return tmp_path / "notebooks"


def tags(mathml: str) -> set[str]:
    return set(re.findall(r"<(m\w+)", mathml))


def output(html: str):
    return SimpleNamespace(output_type="display_data", data={"text/html": html})


# -- formulas


@pytest.mark.parametrize(
    ("tex", "needs"),
    [
        (r"s_j = \max_{t,f} \cos(\operatorname{sign}(v_j), z_{t,f})", {"munder", "msub"}),
        (r"\mathbb{R}^{T \times F \times D}", {"msup"}),
        (r"\frac{1}{N} \sum_{n=1}^{N} z_n", {"mfrac", "munderover"}),
        (r"\text{logit}_c = \sum_j W_{cj} s_j + b_c", {"mtext"}),
        (r"\begin{cases} +1 & v \ge 0 \\ -1 & v < 0 \end{cases}", {"mtable"}),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", {"mtable"}),
        (r"\sqrt{D} \left\lVert z \right\rVert_2", {"msqrt"}),
        (r"\hat y, \bar s, \{-1, +1\}^D, \mathbf{z}, \mathcal{L}", {"mover"}),
    ],
)
def test_the_formulas_of_the_course_become_mathml(tex, needs):
    drawn = formula(tex, block=True)
    assert needs <= tags(drawn)
    assert "\\" not in re.sub(r'aria-label="[^"]*"', "", drawn)


def test_a_place_of_the_maximum_is_below_it_and_named_as_one():
    for tex in (r"\arg\max_n s", r"\operatorname*{arg\,max}_n s", r"\operatorname{arg max}_n s"):
        assert "<munder>" in formula(tex), tex
        assert "arg\u2009max" in formula(tex), tex


def test_a_formula_that_cannot_be_drawn_stops_the_export():
    for tex in (r"\frac{1", r"\notacommand x", r"a & b"):
        with pytest.raises(ExportError, match="formula"):
            formula(tex)


# -- text


def test_prose_has_anchors_formulas_and_links_between_pages(tmp_path):
    text = (
        "## A *part*\n\nSee [x](03_x.ipynb#there), [app](http://localhost:5006/app), $s_j$, costs 5$ or 6$."
    )
    html = prose(text, tmp_path, {"03_x.ipynb": "03_x.html"})
    assert 'href="03_x.html#there"' in html
    assert "http://localhost:5006/app" in html
    assert html.count("<math") == 1, "a dollar sign is not a formula"
    assert headings(text) == [(2, "A <em>part</em>", "a-part")]
    assert 'id="a-part"' in html


def test_pictures_travel_inside_and_others_are_refused(tmp_path):
    (tmp_path / "dot.png").write_bytes(b"picture")
    assert base64.b64encode(b"picture").decode() in prose("![a dot](dot.png)", tmp_path)
    for absent in ("gone.png", "https://example.org/dot.png"):
        with pytest.raises(ExportError, match=absent):
            prose(f"![a dot]({absent})", tmp_path)


# -- outputs


def test_a_sound_becomes_flac_with_the_same_samples(tmp_path):
    sound = (np.sin(np.arange(4000) / 9) * 20_000).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", sound, 16_000)
    address = "data:audio/wav;base64," + base64.b64encode((tmp_path / "a.wav").read_bytes()).decode()
    html = Outputs().html(output(f'<audio controls><source src="{address}"></audio>'), "here")
    found = re.search(r"data:audio/flac;base64,([^\"]+)", html)
    (tmp_path / "a.flac").write_bytes(base64.b64decode(found[1]))
    back, rate = soundfile.read(tmp_path / "a.flac", dtype="int16")
    assert rate == 16_000
    np.testing.assert_array_equal(back, sound)
    assert len(html) < 0.7 * len(address)


def figure(document: dict, items: list):
    """A figure's output as it stands in an executed notebook."""
    return output(f"docs_json = {json.dumps(document)};\n  var render_items = {json.dumps(items)};\n")


def test_a_figure_takes_one_copy_of_bokeh_and_nothing_from_a_network():
    drawn = plot()
    drawn.line([1, 2, 3], [1, 3, 2])
    drawn.stylesheets = [ImportedStyleSheet(url="https://example.org/loading.css")]
    Document().add_root(drawn)
    documents, items = standalone_docs_json_and_render_items([drawn])
    outputs = Outputs()
    html = outputs.html(figure(documents, [item.to_json() for item in items]), "here")
    told = json.loads(html.split('type="application/json">')[1].split("</script>")[0].replace("<\\/", "</"))
    assert len(told["items"]) == 1
    assert '"Figure"' in html
    assert "http" not in html
    assert "ImportedStyleSheet" not in html
    assert outputs.components == {"bokeh"}
    assert components({"Figure", "DataTable"}) == {"bokeh", "bokeh-widgets", "bokeh-tables"}
    assert components({"Slider"}) == {"bokeh", "bokeh-widgets"}


@pytest.mark.parametrize(
    ("tools", "active", "kept"),
    [
        ("pan,wheel_zoom,hover", {"active_scroll": "wheel_zoom"}, {}),
        ("pan,ypan,ywheel_zoom,box_select", {"active_scroll": "ywheel_zoom", "active_drag": "ypan"}, {}),
        ("box_zoom,xwheel_pan", {"active_scroll": "xwheel_pan", "active_drag": "box_zoom"}, {}),
        ("pan,box_select", {"active_drag": "box_select"}, {"active_drag": "BoxSelectTool"}),
        ([WheelZoomTool(modifiers="ctrl")], {}, {"active_scroll": "WheelZoomTool"}),
        ("", {}, {}),
    ],
    ids=str,
)
def test_a_figure_of_a_page_leaves_it_wheel_and_finger(tools, active, kept):
    drawn = plot(tools=tools, **active)
    drawn.line([1, 2, 3], [1, 3, 2])
    if kept and not active:
        drawn.toolbar.active_scroll = drawn.tools[0]
    Document().add_root(drawn)
    documents, items = standalone_docs_json_and_render_items([drawn])
    html = Outputs().html(figure(documents, [item.to_json() for item in items]), "here")
    told = json.loads(html.split('type="application/json">')[1].split("</script>")[0].replace("<\\/", "</"))
    ((key, document),) = told["documents"].items()
    (back,) = Document.from_json(documents[key] | document).select({"type": Toolbar})
    assert len(back.tools) == len(drawn.tools)
    on = {by: getattr(back, by) for by in ("active_scroll", "active_drag")}
    assert {by: type(tool).__name__ for by, tool in on.items() if tool is not None} == kept


def test_what_needs_python_or_a_network_is_refused_by_name():
    with pytest.raises(ExportError, match=r"03, cell 4 .*https://example\.org/x\.js"):
        Outputs().html(output('<script src="https://example.org/x.js"></script>'), "03, cell 4")
    roots = [{"type": "object", "name": "panel.models.widgets.Player", "id": "a"}]
    with pytest.raises(ExportError, match=r"03, cell 4 shows a widget .*Player"):
        Outputs().html(figure({"d": {"roots": roots}}, []), "03, cell 4")


def test_what_only_talks_with_a_kernel_leaves_nothing():
    roots = [{"type": "object", "name": "panel.models.browser.BrowserInfo", "id": "a"}]
    assert (
        Outputs().html(figure({"d": {"roots": roots}}, [{"docid": "d", "roots": {"a": "b"}}]), "here") == ""
    )


# -- the what-if


def clip(name="protobin", **hyper):
    """A probe with class names, its explanation of a clip, the clip, an event and the grid."""
    torch.manual_seed(3)
    probe = build_probe(name, 16, 3, (8, 4), prototypes_per_class=4, **hyper)
    probe.metadata = {"classes": ["bell", "glass_break", "</script>"], "mean_scores": [0.1] * 12}
    grid = CellGrid(8, 4, 1.28)
    waveform = np.random.default_rng(0).normal(size=20_480).astype(np.float32) / 8
    event = Event("glass_break", 0.2, 0.9, 300.0, 4000.0)
    return probe, probe.eval().explain(torch.randn(1, 32, 16)), waveform, [event], grid


@pytest.mark.parametrize("hyper", [{}, {"batch_norm": True}], ids=str)
def test_the_panel_holds_the_very_head_and_scores_of_the_probe(hyper):
    probe, explained, waveform, events, grid = clip(**hyper)
    told = what_if_panel(probe, explained, waveform, events, grid).told
    weight = np.frombuffer(base64.b64decode(told["weight"]), "<f8").reshape(3, 12)
    logits = linear_logits(weight, told["bias"], told["scores"])
    np.testing.assert_allclose(logits, explained.numpy().logits[0], atol=1e-5)
    assert told["classes"][told["chosen"]] == "glass break"
    assert told["present"] == [1]
    for number, listed in enumerate(told["listed"]):
        row = explained.numpy().contributions[0][number]
        best = [j for j in np.argsort(-row) if row[j] > 0][:9]
        assert [one["prototype"] for one in listed["rows"]] == best
        assert [one["contribution"] for one in listed["rows"]] == pytest.approx(row[best])
        for one in listed["rows"]:
            place = grid.place(int(explained.locations[0][one["prototype"]]))
            assert told["cells"][one["cell"]]["left"] == pytest.approx(place[0] / 8, abs=1e-4)


def test_the_panel_is_one_piece_that_no_name_can_break():
    html = what_if_panel(*clip())._repr_html_()
    assert html.count("</script>") == 1, "a class of that name does not end the script"
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", html)


def test_a_probe_without_prototypes_or_names_is_refused():
    probe, explained, *rest = clip()
    probe.metadata = {}
    with pytest.raises(ValueError, match="classes' names"):
        what_if_panel(probe, explained, *rest)
    linear = build_probe("linear", 16, 3)
    with pytest.raises(ValueError, match="no prototypes to mute"):
        what_if_panel(linear, linear.explain(torch.randn(1, 32, 16)), *rest)


# -- the course


@given(st.sets(st.sampled_from(["01_a", "02_b", "10_c"]), min_size=1), st.sampled_from(["0", "1", "_b", "x"]))
def test_lessons_are_found_by_parts_of_their_names(tmp_path_factory, names, part):
    folder = tmp_path_factory.mktemp("found")
    (folder / "py").mkdir()
    for name in names:
        (folder / "py" / f"{name}.py").touch()
    expected = [name for name in sorted(names) if part in name]
    if expected:
        assert [one.name for one in find_lessons(folder, [part])] == expected
        with pytest.raises(ExportError, match="nowhere"):  # a slip is not dropped beside what is found
            find_lessons(folder, [part, "nowhere"])
    else:
        with pytest.raises(ExportError, match=sorted(names)[0]):
            find_lessons(folder, [part])


def test_a_notebook_runs_once_and_becomes_a_page(notebooks, tmp_path):
    told = []
    options = {"notebooks": notebooks, "kept": tmp_path / "kept"}
    pages = export_course(tmp_path / "out", ["01"], progress=told.append, **options)
    again = export_course(tmp_path / "out", ["01"], **options)
    assert [(one.path.name, one.fresh) for one in pages + again] == [
        ("01_first.html", True),
        ("01_first.html", False),
    ]
    assert (notebooks / "count.txt").read_text() == "x"
    assert sum(event.done for event in told) <= told[0].total == 1
    html = again[0].path.read_text()
    assert "ran &lt;here&gt;" in html
    assert html.index("Predict:") < html.index('class="reveal"') < html.index(">2</pre>")
    folded = html.split('class="reveal"')[1].split("</details></main>")[0]
    assert html.index(">2</pre>") < html.index("It makes a pair") < html.index("After that</h2>")
    depth = [folded[: folded.index(words)] for words in ("It makes a pair", "After that</h2>")]
    opened = [1 + text.count("<details") - text.count("</details>") for text in depth]
    assert opened == [1, 0], "what is said of the result is folded with it, what comes next is not"
    assert "Bokeh.version" not in html, "a page without figures carries no Bokeh"
    assert 'href="02_second' not in html.split("<footer>")[0].split('class="neighbours"')[1], (
        "there is no such page"
    )
    listed = (tmp_path / "out" / "index.html").read_text()
    assert 'href="01_first.html"' in listed
    assert "02_second.html" not in listed
    assert not list((tmp_path / "out").glob("*.part*")), "pages appear whole"


def test_what_a_run_used_decides_whether_it_is_kept(notebooks, tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(
        running, "_run", lambda lesson, *_: (ran.append(lesson.name), (nbformat.v4.new_notebook(), 1.0))[1]
    )
    lesson, kept = find_lessons(notebooks, ["01"])[0], tmp_path / "kept"
    fresh = [running.executed(lesson, kept=kept).fresh for _ in range(2)]
    lesson.source.write_text(lesson.source.read_text() + "\n# %%\n40 + 2\n")
    fresh += [running.executed(lesson, kept=kept).fresh for _ in range(2)]
    fresh += [running.executed(lesson, again=True, kept=kept).fresh]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "new.csv").write_text("1")
    monkeypatch.setenv("PROTOVIZ_DATA", str(tmp_path / "data"))
    fresh += [running.executed(lesson, kept=kept).fresh for _ in range(2)]
    assert fresh == [True, False, True, False, True, True, False]
    assert ran == ["01_first"] * 4


def test_a_kept_run_that_was_damaged_is_run_again(notebooks, tmp_path, monkeypatch):
    output = nbformat.v4.new_output("stream", text="42")
    cell = nbformat.v4.new_code_cell("40 + 2", outputs=[output])
    monkeypatch.setattr(running, "_run", lambda *_: (nbformat.v4.new_notebook(cells=[cell]), 1.0))
    monkeypatch.setattr(running, "_fingerprint", lambda lesson: "the same")
    lesson, file = find_lessons(notebooks, ["01"])[0], tmp_path / "01_first.ipynb"
    running.executed(lesson, kept=tmp_path)
    good = file.read_bytes()
    for bad in (
        good.replace(b'"42"', b'"47"'),
        good[: len(good) // 2],
        b"",
        good + b" ",
        b"\xff" + good,
        b"{}",
    ):
        file.write_bytes(bad)
        run = running.executed(lesson, kept=tmp_path)
        assert (run.fresh, run.notebook.cells[0].outputs[0].text) == (True, "42")
    assert not running.executed(lesson, kept=tmp_path).fresh


def test_a_cell_that_fails_is_named_and_leaves_no_page(notebooks, tmp_path):
    done = CliRunner().invoke(
        app,
        ["export", "course", "--notebooks", str(notebooks), "--out", str(tmp_path / "out"), "--only", "02"],
    )
    assert done.exit_code == 1
    assert "02_second, cell 2: KeyError" in done.output
    assert not (tmp_path / "out").exists()


def test_one_notebook_that_fails_costs_no_other_its_page(notebooks, tmp_path, monkeypatch):
    """Nor does a folder that cannot keep the runs: they are only kept to save time."""
    (notebooks / "py" / "00_slow.py").write_text("# %%\nimport time\ntime.sleep(600)\n")
    monkeypatch.setenv("PROTOVIZ_CACHE", str(notebooks / "py" / "00_slow.py" / "no folder"))
    done, made = [], tmp_path / "out"
    with pytest.warns(UserWarning, match="01_first is not kept"), pytest.raises(ExportError) as told:
        export_course(made, notebooks=notebooks, limit=15, progress=done.append)
    assert [event.line.split(":")[0] for event in done if event.line] == ["01_first"]
    assert sorted(path.name for path in made.iterdir()) == ["01_first.html", "index.html"]
    assert "02_second.html" not in (made / "index.html").read_text()
    for words in ("00_slow, cell 1, ran longer than 15 s: --limit", "02_second, cell 2: KeyError", "2 of 3"):
        assert words in str(told.value)


@pytest.mark.parametrize("name", ["KeyboardInterrupt", "dead"])
def test_who_stops_one_notebook_stops_all(notebooks, tmp_path, monkeypatch, name):
    ran = []

    def stopped(lesson, *_):
        ran.append(lesson.name)
        raise running.StoppedError(name)

    monkeypatch.setattr(running, "_run", stopped)
    with pytest.raises(ExportError, match=name):
        export_course(tmp_path / "out", notebooks=notebooks, kept=tmp_path / "kept")
    assert ran == ["01_first"]


# A process that notes every file which it opens to write, and every folder that it makes, below a place.
WATCHED = """
import os, sys
place, found = sys.argv[1], []
def note(event, given):
    if event not in ("open", "os.mkdir"):
        return
    path, flags = given[0], given[2] if event == "open" else os.O_CREAT
    if isinstance(path, (str, os.PathLike)) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        path = os.path.abspath(path)
        if path.startswith(place + os.sep):
            found.append(path)
sys.dont_write_bytecode = True
sys.addaudithook(note)
from protoviz.cli import app
for words in sys.argv[2:]:
    try:
        app(words.split())
    except SystemExit as end:
        assert end.code in (0, None), (words, end.code)
assert not found, found
"""


@pytest.mark.slow
def test_no_command_writes_into_the_checkout_unless_told(notebooks, tmp_path):
    root, here = Path(paths.__file__).parents[1], tmp_path / "here"
    here.mkdir()
    commands = [
        f"export course --notebooks {notebooks} --only 01 --out {tmp_path / 'out'}",
        f"export course --notebooks {notebooks} --only 01",
        "encode scenes mini-random --train 2 --validation 1 --test 1",
        "report",
        "table",
    ]
    own = {"PROTOVIZ_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(root)}
    call = [sys.executable, "-c", WATCHED, str(root), *commands]
    done = subprocess.run(call, cwd=here, env={**os.environ, **own}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "01_first.html").exists()
    assert {path.name for path in here.iterdir()} == {"build", "runs"}
    assert len(list((tmp_path / "cache").rglob("01_first.ipynb"))) == 1, (
        "the second export took the first's run"
    )


def test_notebooks_to_work_in_are_copies_that_nobody_overwrites(notebooks, tmp_path):
    course, own = notebooks, tmp_path / "own"
    (course / "solutions").mkdir()

    def write(name: str, *cells: str) -> None:
        made = [nbformat.v4.new_code_cell(text) for text in cells]
        nbformat.write(nbformat.v4.new_notebook(cells=made), course / name)

    def work(name: str, text: str | None = None) -> None:
        notebook = nbformat.read(own / name, 4)
        notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="ran")]
        notebook.cells[0].source = text or notebook.cells[0].source
        nbformat.write(notebook, own / name)

    names = ["01_run.ipynb", "02_answered.ipynb", "solutions/03_both.ipynb"]
    for name in names:
        write(name, "answer = ...", "1")
    assert own_copies(own, course) == []
    work(names[0])
    work(names[1], "answer = 7")
    assert own_copies(own, course) == []
    assert all("ran" in (own / name).read_text() for name in names[:2]), "what was run stays"
    for name in names:
        write(name, "answer = ...", "2")
    (told,) = own_copies(own, course)
    assert "02_answered" in told
    answered = (own / names[1]).read_text()
    assert "answer = 7" in answered
    assert all(nbformat.read(own / name, 4).cells[1].source == "2" for name in (names[0], names[2]))
    assert own_copies(own, course) == [told]
    assert (own / names[1]).read_text() == answered


def test_notebooks_run_with_a_study_of_ones_own(notebooks, tmp_path):
    (notebooks / "py" / "03_third.py").write_text('# %%\nSTUDY = "demo"\n\n# %%\nprint(STUDY)\n')
    own = tmp_path / "own 'study'"
    shutil.copytree(paths.shipped_folder() / "demo", own, ignore=shutil.ignore_patterns("clips", "results"))
    (made,) = run_notebooks(tmp_path, study=own, notebooks=notebooks)
    assert nbformat.read(made.path, 4).cells[1].outputs[0].text == f"{own}\n"
    with pytest.raises(ExportError, match="01_first"):
        run_notebooks(tmp_path, ["01"], study=own, notebooks=notebooks)
    with pytest.raises(StudyError, match="study add"):
        run_notebooks(tmp_path, study=notebooks, notebooks=notebooks)


def test_the_course_comes_with_the_package(tmp_path):
    done = CliRunner().invoke(app, ["notebooks", "copy", str(tmp_path / "own")])
    assert done.exit_code == 0, done.output
    copied = {path.stem for path in (tmp_path / "own").glob("*.ipynb")}
    assert copied == {lesson.name for lesson in find_lessons()}


def test_pairing_keeps_the_cells_and_no_outputs(notebooks):
    cells = json.loads(paired(notebooks / "py" / "01_first.py"))["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code"] * 2 + ["markdown"]
    assert [cell["id"] for cell in cells] == [f"01-first-0{i}" for i in range(5)]
    assert not any(cell.get("outputs") for cell in cells)
