"""An exported page opened from the disk, with every request refused: what a student has on a train."""

import numpy as np
import pytest
from bokeh.resources import Resources
from browsing import PATIENCE, refuse_others

from benchmarks.everyone import findings, grave
from protoviz.analysis.what_if import muted_logits, silent_prototypes

pytest.importorskip("nbclient", reason="needs the packages of protoviz[notebooks]")
pytest.importorskip("jupytext", reason="needs the packages of protoviz[notebooks]")
pytest.importorskip("ipykernel", reason="needs the packages of protoviz[notebooks]")
pytest.importorskip("latex2mathml", reason="needs the packages of protoviz[notebooks]")

from protoviz.course import check
from protoviz.export import export_course

# What the notebook's first cell does, and this test too: both have the same probe and clip.
CLIP = """
import numpy as np
import torch
from protoviz.audio import CellGrid
from protoviz.probes import build_probe
from protoviz.scenes import Event

torch.manual_seed(5)
probe = build_probe("protobin", 16, 4, (8, 4), prototypes_per_class=5, batch_norm=True)
probe(torch.randn(9, 32, 16))
means = np.linspace(0.1, 0.3, 20).tolist()
probe.eval().metadata = {"classes": ["bell", "glass_break", "rain", "bark"], "mean_scores": means}
explained = probe.explain(torch.randn(1, 32, 16))
waveform = np.random.default_rng(0).normal(size=20_480).astype(np.float32) / 8
events = [Event("glass_break", 0.2, 0.9, 300.0, 4000.0)]
"""
NOTEBOOK = f"""# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # 05 · Prototypes
#
# **You will** mute.
#
# $$s_j = \\max_{{t,f}} \\cos(\\operatorname{{sign}}(v_j), z_{{t,f}})$$
#
# $$\\frac{{1}}{{N}} \\sum_{{n=1}}^N z_n$$

# %%
{CLIP}
from protoviz.course import setup, what_if_panel
setup()

# %% [markdown]
# ## A figure
#
# Inline too: $\\max_j s_j$. {"A line of text to read. " * 40}

# %%
from IPython.display import Audio
from protoviz.figures import spectrogram
spectrogram(waveform, events, seconds=1.28)

# %%
Audio(waveform, rate=16_000)

# %% [markdown]
# **Predict:** what will it be?

# %%
spectrogram(waveform, seconds=1.28)

# %%
what_if_panel(probe, explained, waveform, events, CellGrid(8, 4, 1.28))

# %% [markdown]
# **Exercise** Four of them.

# %%
from protoviz.course import check
answer = ...
check("01.1", answer)
check("03.1", answer)
check("03.2", answer)
check("09.3", answer)
"""
PLAYED = """
window.played = []
const play = HTMLMediaElement.prototype.play
HTMLMediaElement.prototype.play = function () { played.push(this.src); return play.call(this) }
"""
LOGITS = "document.querySelector('.protoviz-what-if').whatIf.logits()"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    (folder / "notebooks" / "py").mkdir(parents=True)
    (folder / "notebooks" / "py" / "05_prototypes.py").write_text(NOTEBOOK)
    (page,) = export_course(folder / "out", notebooks=folder / "notebooks", kept=folder / "kept")
    return page


@pytest.fixture
def open_file(browser, exported):
    """A function (width, scheme) -> page; any error and any request but for the file fails the test."""
    contexts, wrong = [], []

    def one(width: int = 1400, scheme: str = "light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        refuse_others(context, lambda url: url.split("#")[0] == exported.path.as_uri(), wrong)
        context.add_init_script(PLAYED)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda said: said.type in ("error", "warning") and wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(exported.path.as_uri())
        return page

    yield one
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def library():
    """A function (muted, solo, baseline) -> logits (c), by the library's own what-if."""
    made = {}
    exec(CLIP, made)
    weight, bias = (part.detach().double().numpy() for part in made["probe"].folded_classifier())
    scores = made["explained"].numpy().scores[0]

    def logits(muted=(), solo=(), baseline=None):
        silent = silent_prototypes(20, muted, solo)
        return muted_logits(weight, bias, scores, silent, made["means"] if baseline is None else baseline)

    return logits


def test_mute_and_solo_by_mouse_and_keys_say_what_the_library_says(open_file, library):
    page = open_file()
    page.locator(".reveal summary").first.click()
    panel = page.locator(".protoviz-what-if")
    rows = panel.locator("li.prototype")

    def holds(**what) -> None:
        np.testing.assert_allclose(page.evaluate(LOGITS), library(**what), rtol=0, atol=1e-9)
        names = panel.locator(".class .name").all_inner_texts()
        values = panel.locator(".class .value:nth-child(3)").all_inner_texts()
        shown = dict(zip(names, values, strict=True))
        for name, value in zip(("bell", "● glass break", "rain", "bark"), library(**what), strict=True):
            assert float(shown[name].replace("−", "-")) == pytest.approx(value, abs=0.0051)

    numbers = [int(one.get_attribute("aria-label").split()[1]) for one in rows.all()]
    assert len(numbers) >= 3
    holds()
    rows.nth(0).get_by_text("M", exact=True).click()
    holds(muted=numbers[:1])
    assert not np.allclose(library(), library(muted=numbers[:1]), atol=1e-3), "muting it would show"
    assert "Logit of glass break" in panel.locator(".says").inner_text()
    page.keyboard.press("ArrowDown")  # from the button that was clicked to the next row
    page.keyboard.press("s")
    holds(muted=numbers[:1], solo=numbers[1:2])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("m")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("s")
    holds(muted=[numbers[0], numbers[2]])
    panel.get_by_text("0", exact=True).first.click()
    holds(muted=[numbers[0], numbers[2]], baseline=0.0)
    panel.get_by_text("Mute all listed").click()
    holds(muted=numbers, baseline=0.0)
    panel.get_by_text("Clear").click()
    holds()
    panel.locator("select").select_option(label="rain")
    assert "rain" in panel.locator(".listed").inner_text()
    assert [int(one.get_attribute("aria-label").split()[1]) for one in rows.all()] != numbers
    assert panel.locator(".class[aria-pressed=true]").inner_text().startswith("rain")

    page.keyboard.press("Escape")
    rows.nth(0).get_by_text("▶").click()
    rows.nth(1).get_by_text("S", exact=True).focus()
    page.keyboard.press("2")
    panel.locator(".cell").first.click()
    panel.get_by_text("the clip").click()
    lengths = page.evaluate("""Promise.all(played.map((src) => new Promise((done, fail) => {
        const audio = new Audio()
        audio.onloadedmetadata = () => done(audio.duration)
        audio.onerror = () => fail(new Error("a sound that does not play"))
        audio.src = src
    })))""")
    assert lengths == pytest.approx([0.22, 0.22, 0.22, 1.28], abs=0.04)


def test_plain_keys_stay_in_the_mixer_and_others_do_not(open_file):
    """A notebook hears keys at the document, before what is in it: it would cut the cell, or make it text."""
    page = open_file()
    page.locator(".reveal summary").first.click()
    page.evaluate("window.heard = []; document.addEventListener('keydown', (e) => heard.push(e.key), true)")
    panel = page.locator(".protoviz-what-if")
    mutes = panel.get_by_text("M", exact=True)
    mutes.nth(0).focus()
    for key in ("m", "a", "x", "Shift+m", "1", "ArrowDown", "Enter", "d", "d"):
        page.keyboard.press(key)
    panel.locator("select").focus()
    page.keyboard.press("b")
    assert page.evaluate("heard") == []
    assert panel.locator("li.prototype [aria-pressed=true]").count() == 1, "of the second row, by Enter"
    assert panel.locator("select").evaluate("one => one.selectedOptions[0].text") == "bark"
    mutes.nth(0).focus()
    page.keyboard.press("Control+s")
    page.keyboard.press("Escape")
    assert page.evaluate("heard") == ["Control", "s", "Escape"]
    page.locator("summary").first.focus()
    page.keyboard.press("m")
    assert page.evaluate("heard")[-1] == "m", "outside the mixer the key is another's"


def test_figures_formulas_and_sounds_are_drawn_without_a_network(open_file, exported):
    page = open_file()
    html = exported.path.read_text()
    bokeh = Resources(mode="inline", components=["bokeh"]).js_raw[0]
    assert html.count(bokeh[5000:6000]) == 1, "two figures, one script"
    assert len(html) < len(bokeh) + 1_000_000
    page.locator(".figure").first.scroll_into_view_if_needed()
    page.wait_for_selector(".figure[data-state=drawn] .bk-Figure")
    assert page.locator(".figure[data-state]").count() == 1, "what is folded is not drawn"
    page.locator(".reveal summary").first.click()
    page.locator(".figure").nth(1).scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('.figure[data-state=drawn]').length === 2")
    sizes = page.evaluate("""[...document.querySelectorAll(".bk-Figure")].map((one) => {
        const {width, height} = one.getBoundingClientRect()
        return [width, height]
    })""")
    assert all(width > 500 and height > 300 for width, height in sizes), "also the one that was folded"
    below, beside, widths = page.evaluate("""(() => {
        const box = (node) => node.getBoundingClientRect()
        const [block, inline] = [...document.querySelectorAll("munder")]
        const gap = (node) => box(node.children[1]).top - box(node.children[0]).bottom
        const all = [...document.querySelectorAll("math")]
        return [gap(block) > -4, gap(inline) < -4, all.map((one) => box(one).width)]
    })()""")
    assert below, "in a line of its own t, f stands below max"
    assert beside, "within text it does not push the lines apart"
    assert min(widths) > 20
    length = page.evaluate("""new Promise((done) => {
        const audio = document.querySelector("audio")
        const tell = () => done(audio.duration)
        audio.readyState ? tell() : audio.addEventListener("loadedmetadata", tell)
    })""")
    assert length == pytest.approx(1.28, abs=0.01)


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1600, "light")])
def test_it_reads_well_narrow_and_wide_dark_and_light(open_file, width, scheme):
    page = open_file(width, scheme)
    page.locator(".reveal summary").first.click()
    assert grave(findings(page)) == []
    told = page.evaluate("""(() => {
        const style = (node) => getComputedStyle(node)
        const panel = document.querySelector(".protoviz-what-if").shadowRoot
        const leaf = (one) => one.childElementCount === 0 && one.innerText
        const inside = [...panel.querySelectorAll("*")].filter(leaf)
        const range = document.createRange(), paragraphs = [...document.querySelectorAll(".prose p")]
        const long = (one) => one.innerText.length
        const text = paragraphs.reduce((one, other) => long(other) > long(one) ? other : one)
        range.selectNodeContents(text)
        const lines = new Set([...range.getClientRects()].map((one) => Math.round(one.bottom / 20))).size
        return {
            across: document.documentElement.scrollWidth,
            text: parseFloat(style(text).fontSize),
            small: inside.filter((one) => parseFloat(style(one).fontSize) < 14).map((one) => one.innerText),
            paper: style(document.body).backgroundColor,
            panel: style(panel.querySelector(".panel")).backgroundColor,
            measure: text.innerText.length / lines,
            wide: panel.querySelector(".panel").getBoundingClientRect().right,
        }
    })()""")
    assert told["across"] <= width
    assert told["wide"] <= width
    assert told["text"] >= 16
    assert told["small"] == []
    paper = {"dark": "rgb(20, 23, 28)", "light": "rgb(251, 252, 253)"}[scheme]
    assert told["paper"] == told["panel"] == paper
    if width > 1000:
        assert 60 <= told["measure"] <= 90
    page.emulate_media(media="print")
    light = "rgb(251, 252, 253)"
    page.wait_for_function(f"""() => [document.body, document.querySelector(".protoviz-what-if").shadowRoot
        .querySelector(".panel")].every((one) => getComputedStyle(one).backgroundColor === "{light}")""")


def test_paper_waits_for_figures_that_were_never_seen(open_file):
    page = open_file()
    left = "document.querySelectorAll('.figure:not([data-state=drawn])').length"
    assert page.evaluate(left) > 0
    page.evaluate(f"window.print = () => {{ window.printed = {left} }}")
    page.keyboard.press("Control+p")
    page.wait_for_function("window.printed === 0")
    assert page.locator("details:not([open])").count() == 0


@pytest.mark.parametrize(
    ("place", "wrong", "right"),
    [(0, "2, 21", "(21, 2)"), (1, "<b>half</b>", "0.0117"), (2, "Mhca", '"abmilp"')],
)
def test_an_exercise_is_answered_and_judged_on_the_page(open_file, place, wrong, right):
    page = open_file()
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    form = page.locator("form.answer").nth(place)
    said, field = form.locator("output"), form.get_by_label("Your answer to exercise")
    field.fill(wrong)
    form.get_by_role("button", name="Check").click()
    key = ("01.1", "03.1", "03.2")[place]
    hint = str(check(key, (2, 21) if place == 0 else wrong)).removeprefix("Not yet. ")
    assert (hint in said.text_content()) or (place == 1 and "a number" in said.text_content())
    assert "wrong" in said.get_attribute("class")
    field.fill(right)
    field.press("Enter")
    assert "Right." in said.text_content()
    assert said.get_attribute("class") == "right"
    assert page.locator("p.answer").count() == 1, "code is not judged here"


def test_without_scripts_the_page_asks_and_shows_no_form(browser, exported):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(exported.path.as_uri())
    assert page.locator("form.answer").count() == 3
    assert not page.locator("form.answer").first.is_visible()
    context.close()
