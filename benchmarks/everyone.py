"""`python -m benchmarks.everyone`: what axe-core finds on every page, light and dark, as a table of Markdown.

The explorer's pages, the login, a page to send (`protoviz export page`), and, where they were built, a lesson
(`make course`) and the first page of the site (`make docs`). `--all` also names every finding and its place.
Exit code 1 if a finding is serious or critical.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from jinja2 import Template

import protoviz
from benchmarks.browser import IDLE, browser_or_exit, chromium, served
from protoviz.explorer.pages import PAGES
from protoviz.explorer.server import LOGIN
from protoviz.export import export_page

ROOT = Path(__file__).resolve().parents[1]
BUILT = {"lesson": ROOT / "build/course/05_prototypes.html", "site": ROOT / "build/site/index.html"}
IMPACTS = ("critical", "serious", "moderate", "minor")
THEMES = ("light", "dark")
WINDOW = {"width": 1600, "height": 1000}


def findings(page, rules: Sequence[str] = ()) -> list[dict]:
    """Return what axe-core finds on a playwright page: rule, impact, help, and each place with its reason.

    rules: only these; none: all.
    """
    from axe_playwright_python.sync_playwright import Axe

    only = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    return [
        {
            "rule": found["id"],
            "impact": found["impact"],
            "help": found["help"],
            "places": [(str(node["target"]), node["failureSummary"]) for node in found["nodes"]],
        }
        for found in Axe().run(page, options={"resultTypes": ["violations"], **only}).response["violations"]
    ]


def grave(found: list[dict]) -> list[tuple]:
    """Return the findings that keep somebody out: (rule, help, places)."""
    return [
        (one["rule"], one["help"], one["places"]) for one in found if one["impact"] in ("critical", "serious")
    ]


def opened(browser, address: str, theme: str, ready: str = "", **window):
    """Return a page at this address in a fresh context whose system has this theme; ready: wait for it."""
    page = browser.new_context(**{"viewport": WINDOW, **window}, color_scheme=theme).new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    if ready:
        page.wait_for_function(IDLE)
        page.wait_for_selector(ready)
        page.wait_for_timeout(2000)  # the theme fades over, and what is made later arrives
    return page


def pages(browser, folder: Path) -> Iterator[tuple[str, str, object]]:
    """Give (name, theme, playwright page), one after the other."""
    sent = folder / "study.html"
    export_page(protoviz.open_study(ROOT / "data" / "demo"), sent, clips=3)
    (folder / "login.html").write_text(Template(LOGIN.read_text()).render(errormessage="Wrong password"))
    written = {"login": folder / "login.html", "page to send": sent, **BUILT}
    with served(folder / "log") as address:
        explorer = {key: f"{address}?page={key}" for key in PAGES}
        files = {name: path.as_uri() for name, path in written.items() if path.is_file()}
        for name, place in (explorer | files).items():
            for theme in THEMES:
                page = opened(browser, place, theme, ".bk-Figure" if name in PAGES else "")
                yield name, theme, page
                page.context.close()


def main() -> None:
    """Print the table: findings by page, theme and impact."""
    rows, bad = [], 0
    with tempfile.TemporaryDirectory() as folder, chromium(browser_or_exit()) as browser:
        for name, theme, page in pages(browser, Path(folder)):
            found = findings(page)
            places = Counter(one["impact"] for one in found for _ in one["places"])
            rules = ", ".join(f"{one['rule']} {len(one['places'])}" for one in found) or "none"
            rows.append(
                f"| {name} | {theme} | " + " | ".join(str(places[i]) for i in IMPACTS) + f" | {rules} |"
            )
            bad += len(grave(found))
            if "--all" in sys.argv:
                for one in found:
                    print(f"\n{name}, {theme}: {one['rule']} ({one['impact']}): {one['help']}")
                    print(*(f"  {place}: {why}" for place, why in one["places"]), sep="\n")
    print("| page | theme |", *(f"{impact} |" for impact in IMPACTS), "rules |")
    print("|---|---|" + "---|" * (len(IMPACTS) + 1), *rows, sep="\n")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
