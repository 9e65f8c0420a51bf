"""`make docs`: the site, from README, docs/ and the package itself, in build/site. No page asks another host.

Sources are gathered in build/pages: the Markdown of the checkout as it lies, files that it links to, and
three kinds of pages that are made here: the command line, the reference of every public name, and the course.
Then Sphinx writes the site, and every link is checked: those within it for their target, those to others for
their form. Exit code 1 if anything is wrong.
"""

import inspect
import re
import shutil
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote, urlsplit

from protoviz.export import Lesson, find_lessons
from protoviz.export.prose import code, prose
from protoviz.export.sources import needed
from protoviz.files import write_text

ROOT = Path(__file__).resolve().parents[1]
PAGES, SITE, COURSE = (ROOT / "build" / name for name in ("pages", "site", "course"))
ROOMS = (
    *("audio", "scenes", "datasets", "encoders", "pretraining", "cache", "probes", "losses", "metrics"),
    *("training", "study", "analysis", "experiments", "figures", "report", "course", "export"),
)
# Rooms whose public names lie in files of their own.
PARTS = {
    "analysis": sorted(f"analysis.{path.stem}" for path in (ROOT / "protoviz/analysis").glob("[!_]*.py")),
    "experiments": [f"experiments.{name}" for name in ("guided", "opening", "adding", "grid", "scoring")],
}
# The side bar: heading -> pages.
CONTENTS = {
    "Use it": [
        "docs/install",
        "docs/bring",
        "docs/own_data",
        "docs/studies",
        "docs/grids",
        "docs/serving",
        "docs/everyone",
    ],
    "The course": ["course", "notebooks/README"],
    "Reference": ["command_line", "api/index", "docs/architecture"],
    "What was measured": ["docs/results", "docs/polyphony", "docs/speed", "docs/scaling"],
    "The project": ["CHANGELOG", "CONTRIBUTING", "SECURITY", "shipped"],
}
LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)\s#]+)")
PLACES = ("", "docs", "notebooks", "tests/golden", "data/paper", "data/encoders")  # of Markdown


def main() -> None:
    from sphinx.cmd.build import build_main

    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.rmtree(SITE, ignore_errors=True)
    gather()
    failed = build_main(["-q", "-W", "--keep-going", "-c", str(ROOT / "docs"), str(PAGES), str(SITE)])
    if COURSE.is_dir():
        shutil.copytree(COURSE, SITE / "course")
    pages, problems = checked(SITE)
    print("\n".join(problems))
    print(f"{SITE / 'index.html'}: {pages} pages, {len(problems)} wrong links")
    sys.exit(bool(failed or problems))


def gather() -> None:
    """Write the sources of all pages into build/pages."""
    places = [
        ROOT,
        *(ROOT / name for name in ("docs", "notebooks", "tests/golden", "data/paper", "data/encoders")),
    ]
    for path in (path for place in places for path in place.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for link in LINK.findall(text):
            target = (path.parent / unquote(link)).resolve()
            if target.is_file() and target.suffix != ".md":
                copied = PAGES / target.relative_to(ROOT)
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(target, copied)
        name = path.relative_to(ROOT)
        write_text(PAGES / ("index.md" if name == Path("README.md") else name), text)
    write_text(PAGES / "command_line.md", command_line())
    write_text(PAGES / "course.md", course())
    for one in find_lessons():
        write_text(PAGES / "lessons" / f"{one.name}.md", lesson(one))
    write_text(PAGES / "shipped.md", shipped())
    for room in ROOMS:
        write_text(PAGES / "api" / f"{room}.rst", reference(room))
    write_text(PAGES / "api" / "index.rst", top_level())
    with (PAGES / "index.md").open("a", encoding="utf-8") as index:
        for heading, names in CONTENTS.items():
            index.write(f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n" + "\n".join(names) + "\n```\n")


def command_line() -> str:
    """Return the page of the command line, made by typer from the commands themselves."""
    from click import Context
    from typer.cli import get_docs_for_click
    from typer.main import get_command

    from protoviz.cli import app

    group, title = get_command(app), "Command line"
    context = Context(group, info_name="protoviz")

    def say_whole(command) -> None:
        """Let lists of commands show the first sentence, which is cut otherwise."""
        command.short_help = re.split(r"(?<=\.)\s|\n\n", command.help or "")[0].replace("\n", " ")
        for one in getattr(command, "commands", {}).values():
            say_whole(one)

    say_whole(group)
    return get_docs_for_click(obj=group, ctx=context, name="protoviz", title=title)


def course() -> str:
    """Return the page of the course: its notebooks, with their pages where `make course` has written them."""
    rows = [
        "# The course",
        "",
        "Ten notebooks, for two units of 90 minutes. `make lab` opens copies to work in;",
    ]
    rows += ["`protoviz notebooks copy FOLDER` does so without a checkout.", ""]
    if not COURSE.is_dir():
        rows += ["This site was made without their pages: `make course`, then `make docs`, brings them.", ""]
    names = "\n".join(f"lessons/{one.name}" for one in find_lessons())
    return "\n".join(rows) + f"\n```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n"


def lesson(one: Lesson) -> str:
    """Return the page of a notebook: its text and code, which the search finds, and a link to its own page,
    which has what the cells gave.
    """
    cells = needed("jupytext").read(one.source).cells
    title, _, first = cells[0].source.removeprefix("# ").partition("\n")
    pages = {f"{other.source.stem}.ipynb": f"{other.name}.html" for other in find_lessons()}
    parts = [prose(first, one.folder, pages)]
    for cell in cells[1:]:
        text = cell.source
        part = prose(text, one.folder, pages) if cell.cell_type == "markdown" else f"<pre>{code(text)}</pre>"
        parts.append(part)
    if (COURSE / f"{one.name}.html").exists():
        parts.insert(
            0, f'<p><a href="../course/{one.name}.html">With its sounds, figures and answers</a></p>'
        )
    html = "\n".join(parts)
    return f"# {title}\n\n`````{{raw}} html\n{html}\n`````\n"


def shipped() -> str:
    """Return the page that lists the cards of what is shipped."""
    cards = sorted(path.stem for path in (ROOT / "data" / "encoders").glob("*.md"))
    names = [f"data/encoders/{card}" for card in cards] + ["data/paper/README", "tests/golden/README"]
    return (
        "# What is shipped\n\nCards of the mini encoders, and of the numbers and arrays beside them.\n\n"
        + ("```{toctree}\n" + "\n".join(names) + "\n```\n")
    )


def reference(room: str) -> str:
    """Return the page of a room: every public name, its signature, docstring and source."""
    rows = []
    for place in [room, *PARTS.get(room, ())]:
        module = import_module(f"protoviz.{place}")
        title, line = module.__name__, "-" if "." in place else "="
        said = (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ")
        rows += [title, line * len(title), "", escaped(said), "", f".. py:currentmodule:: {title}", ""]
        for name in public(module):
            rows += [*entry(name, getattr(module, name)), ""]
    return "\n".join(rows)


def entry(name: str, value: object) -> list[str]:
    """Return the lines that describe one public name of the current module."""
    if inspect.isclass(value):
        return [f".. autoclass:: {name}", "   :members:"]
    if inspect.isfunction(value):
        return [f".. autofunction:: {name}"]
    shown = repr(value)
    kind = [f".. py:data:: {name}", f"   :type: {type(value).__name__}"]
    return [*kind, f"   :value: {shown}"] if len(shown) < 60 else kind


def public(module) -> list[str]:
    """Return the public names of a module: `__all__`, or what it defines itself without an underscore."""
    own = (
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    )
    return sorted(getattr(module, "__all__", own))


def top_level() -> str:
    """Return the first page of the reference: what `import protoviz` has, and the rooms."""
    import protoviz

    rows = ["Reference", "=========", "", "What ``import protoviz`` has; each name leads to its room.", ""]
    for name in (name for name in protoviz.__all__ if not name.startswith("_")):
        value = getattr(protoviz, name)
        home = protoviz._HOMES[name]
        kind = "class" if inspect.isclass(value) else "func" if callable(value) else "data"
        said = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ") if kind != "data" else ""
        rows.append(f"- :py:{kind}:`~{home}.{name}`" + (f": {escaped(said)}" if said else ""))
    rows += [
        "",
        ".. toctree::",
        "   :caption: Rooms",
        "   :maxdepth: 1",
        "",
        *(f"   {room}" for room in ROOMS),
        "",
    ]
    return "\n".join(rows)


def escaped(text: str) -> str:
    """Return plain text for reStructuredText, in which stars and bars mean something."""
    return re.sub(r"([*|])", r"\\\1", text)


class Page(HTMLParser):
    """What a page links to, loads, and can be linked at."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        told = {name: value or "" for name, value in attrs}
        self.anchors |= {told[name] for name in ("id", "name") if name in told}
        if "href" in told and tag in ("a", "area"):
            self.links.append(told["href"])
        elif "href" in told and told.get("rel") not in ("canonical", "index", "next", "prev", "search"):
            self.loaded.append(told["href"])
        self.loaded += [told[name] for name in ("src", "poster", "srcset") if name in told]


def checked(site: Path) -> tuple[int, list[str]]:
    """Return how many pages a site has, and a line for each link that leads nowhere or asks another host."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    problems = [
        f"{path.relative_to(site)}: {link} {said}"
        for path, page in pages.items()
        for links, loaded in ((page.links, False), (page.loaded, True))
        for link in links
        if (said := _wrong(link, loaded, path, pages))
    ]
    for path in site.rglob("*.css"):
        loaded = re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)", path.read_text("utf-8"))
        problems += [f"{path.relative_to(site)}: {link} is asked of another host" for link in loaded]
    return len(pages), problems


def _wrong(link: str, loaded: bool, path: Path, pages: dict[Path, Page]) -> str:
    """What is wrong with a link of a page, or with an address that it loads something from."""
    parts = urlsplit(link)
    if parts.scheme in ("data", "blob", "javascript", "about", "mailto"):
        return ""
    if parts.netloc or parts.scheme:
        if loaded:
            return "is asked of another host"
        good = parts.scheme in ("http", "https") and re.fullmatch(r"[\w.-]+(:\d+)?", parts.netloc)
        return "" if good else "is no address"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.exists():
        return "leads nowhere"
    there = not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].anchors
    return "" if there else "leads to no place on that page"


if __name__ == "__main__":
    main()
