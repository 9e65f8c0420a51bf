"""One notebook as one page, and the page that lists them all; everything that they show is inside."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from protoviz.export.answers import answer_forms
from protoviz.export.outputs import Outputs
from protoviz.export.prose import code, headings, prose
from protoviz.export.sources import Lesson, needed

PARTS = Path(__file__).parent / "parts"
# A browser keeps the promise even if a notebook did not: nothing but what is inside is loaded. (Figures may
# hold formatters of their own, which Bokeh evaluates.)
POLICY = (
    "default-src 'none'; img-src data: blob:; media-src data: blob:; font-src data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'"
)
PREDICT = "**Predict:**"
NEW = re.compile(r"^(#{1,6} |\*\*(Predict:|Exercise |Your turn))", re.MULTILINE)
SETTING_UP = re.compile(r"^(import|from) ", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """A lesson as the other pages name it."""

    lesson: Lesson
    title: str  # "03 · The pooling bottleneck"
    summary: str  # what one will do, as HTML

    @property
    def address(self) -> str:
        """Its page, beside the others."""
        return f"{self.lesson.name}.html"


def entry(lesson: Lesson) -> Entry:
    """Return how a lesson calls itself: the heading and the first paragraph of its first Markdown cell."""
    notebook = needed("jupytext").read(lesson.source)
    opening = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    found = re.match(r"#\s+(.*)", opening.strip())
    title = found[1].strip() if found else lesson.name.replace("_", " ")
    rest = opening.strip().split("\n", 1)[1] if found and "\n" in opening.strip() else ""
    first = next((part for part in re.split(r"\n\s*\n", rest) if part.strip()), "")
    return Entry(lesson, title, prose(first, lesson.folder))


def page(notebook, here: Entry, entries: Sequence[Entry], seconds: float) -> str:
    """Return the HTML of an executed notebook. entries: all pages that there are, in order, also `here`."""
    pages = {f"{one.lesson.source.stem}.ipynb": one.address for one in entries if not one.lesson.solution}
    outputs, pieces, contents = Outputs(), [], []
    waiting: list[str] | None = None  # what a prediction has to be made for
    for number, cell in enumerate(notebook.cells, 1):
        where = f"{here.lesson.name}, cell {number}"
        if cell.cell_type == "markdown":
            text = cell.source
            if waiting:  # what is said of the result is not read before it
                told, text = _split(text)
                if told:
                    waiting.append(_prose(told, here, pages))
                if not text:
                    continue
                pieces.append(_revealed(waiting))
            waiting = [] if PREDICT in text else None
            pieces.append(_prose(text, here, pages))
            contents += [one for one in headings(text) if one[0] in (2, 3)]
        elif cell.cell_type == "code":
            shown = "" if here.lesson.solution else answer_forms(cell.source)
            shown = shown or "".join(outputs.html(output, where) for output in cell.outputs)
            piece = _code_cell(cell.source, shown, first=not any('class="cell"' in one for one in pieces))
            (pieces if waiting is None else waiting).append(piece)
    if waiting:
        pieces.append(_revealed(waiting))
    made = (
        f"Made by <code>protoviz export course</code> from <code>{escape(here.lesson.source.name)}</code>, "
        f"which ran in {seconds:.0f} s. This page needs no network."
    )
    body = (
        f'<div class="columns">{_contents(contents)}<main>{"".join(pieces)}'
        f"{_neighbours(here, entries)}<footer>{made}</footer></main></div>"
    )
    return _document(here.title, body, outputs.components)


def index(entries: Sequence[Entry]) -> str:
    """Return the HTML of the page that lists all others."""
    solutions = {one.lesson.source.stem: one for one in entries if one.lesson.solution}
    lessons = {one.lesson.source.stem for one in entries if not one.lesson.solution}
    rows = []
    for one in entries:
        if one.lesson.solution and one.lesson.source.stem in lessons:
            continue  # named beside its lesson
        answer = solutions.get(one.lesson.source.stem)
        also = f' <a class="also" href="{escape(answer.address)}">solutions</a>' if answer else ""
        rows.append(
            f'<li><h2><a href="{escape(one.address)}">{escape(one.title)}</a>{also}</h2>{one.summary}</li>'
        )
    told = (
        "What an audio encoder knows of a clip lies in its token map; a pooling decides how much of it a "
        "probe can read. These pages teach that with sounds, pictures and sums. They were run once, "
        "everything is inside, and nothing needs a network. To change something and run it again, open the "
        "notebooks (<code>make lab</code>). The sounds are procedural and the encoders minis trained on "
        "them; published numbers are marked as such."
    )
    body = (
        '<main class="index"><h1>The pooling bottleneck, heard and seen</h1>'
        f'<p>{told}</p><ol class="lessons">{"".join(rows)}</ol></main>'
    )
    return _document("The course", body, set())


def _code_cell(source: str, shown: str, first: bool) -> str:
    """A cell's code, foldable (the first one, which imports, is folded), and below it what it gave."""
    folded = first and SETTING_UP.search(source)
    lines = source.strip().count("\n") + 1
    words = "imports" if folded else "code"
    body = (
        f'<details class="code"{"" if folded else " open"}><summary>{words}'
        f" <span>{lines} line{'s' if lines > 1 else ''}</span></summary><pre>{code(source)}</pre></details>"
    )
    return f'<div class="cell">{body}{shown}</div>'


def _split(text: str) -> tuple[str, str]:
    """Prose up to where something new begins (a heading, a question), and the rest."""
    begins = NEW.search(text)
    at = begins.start() if begins else len(text)
    return text[:at].strip(), text[at:].strip()


def _prose(text: str, here: Entry, pages: dict[str, str]) -> str:
    whole = re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", text)  # a number and its unit stay on one line
    return f'<div class="prose">{prose(whole, here.lesson.folder, pages)}</div>'


def _revealed(cells: list[str]) -> str:
    return (
        '<details class="reveal"><summary>I have a guess: show code and result</summary>'
        f"{''.join(cells)}</details>"
    )


def _contents(found: list[tuple[int, str, str]]) -> str:
    items = "".join(
        f'<li class="level{level}"><a href="#{escape(anchor)}">{words}</a></li>'
        for level, words, anchor in found
    )
    if not items:
        return "<nav></nav>"
    return (
        '<nav aria-label="On this page"><details open><summary>On this page</summary>'
        f"<ol>{items}</ol></details></nav>"
    )


def _neighbours(here: Entry, entries: Sequence[Entry]) -> str:
    same = [one for one in entries if one.lesson.solution == here.lesson.solution]
    at = next(i for i, one in enumerate(same) if one.lesson == here.lesson)
    before = same[at - 1] if at else None
    after = same[at + 1] if at + 1 < len(same) else None
    links = [
        f'<a rel="{rel}" href="{escape(one.address)}"><small>{word}</small>{escape(one.title)}</a>'
        if one
        else "<span></span>"
        for one, rel, word in ((before, "prev", "Before"), (after, "next", "Next"))
    ]
    return f'<nav class="neighbours" aria-label="Other notebooks">{"".join(links)}</nav>'


def _document(title: str, body: str, components: set[str]) -> str:
    """A whole page: Bokeh's script once, and only where a figure needs it."""
    scripts = "".join(f"<script>{text}</script>" for text in _bokeh(tuple(sorted(components))))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)} – protoviz</title><style>{part('page.css')}</style></head>\n<body>"
        '<header><a href="index.html">protoviz <span>the course</span></a>'
        '<button type="button" id="fold" hidden>Hide code</button></header>\n'
        f"{body}\n{scripts}<script>{part('page.js')}</script></body></html>\n"
    )


@cache
def part(name: str) -> str:
    """Return the text of a file of parts/."""
    return (PARTS / name).read_text()


@cache
def _bokeh(components: tuple[str, ...]) -> list[str]:
    from bokeh.resources import Resources

    if not components:
        return []
    texts = Resources(mode="inline", log_level="warn", components=list(components)).js_raw
    return [text.replace("</script", "<\\/script") for text in texts]
