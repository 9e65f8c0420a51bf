"""The page of a study in a browser that refuses every request but for the file itself."""

import numpy as np
import pytest
from browsing import PATIENCE, refuse_others
from page_bench import write_demo

import protoviz
from protoviz.analysis.what_if import muted_logits
from protoviz.export import export_page


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return protoviz.open_study(write_demo(tmp_path_factory.mktemp("sent") / "mine"))


@pytest.fixture(scope="module")
def sent(study, tmp_path_factory):
    return export_page(study, tmp_path_factory.mktemp("page") / "mine.html", clips=2)


@pytest.mark.parametrize(("width", "scheme"), [(1300, "light"), (390, "dark")])
def test_a_clip_is_opened_heard_and_muted_offline(browser, study, sent, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    wrong = []
    refuse_others(context, lambda url: url == sent.as_uri(), wrong)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda said: said.type in ("error", "warning") and wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(sent.as_uri())
    page.locator("details.clip summary").nth(1).click()
    panel = page.locator("[data-clip='1']")
    row = panel.locator("li.prototype").first
    muted = int(row.get_attribute("aria-label").split()[1])
    row.get_by_text("M", exact=True).click()
    logits = page.evaluate("document.querySelector(\"[data-clip='1']\").whatIf.logits()")
    probe, clip = study.probe("protobin"), study.clips["mixed"].table["clip"].iloc[-1]
    weight, bias = (part.detach().double().numpy() for part in probe.folded_classifier())
    scores = study.explain("protobin", clip).scores[0]
    np.testing.assert_allclose(logits, muted_logits(weight, bias, scores, [muted], 0.0), atol=1e-6)
    panel.locator("[data-do=clip]").click()
    page.wait_for_function(
        "document.querySelector(\"[data-clip='1']\").shadowRoot.textContent.includes('■ the clip')"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
    assert wrong == []
