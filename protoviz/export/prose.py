"""Text, formulas and code of a notebook as HTML; formulas become MathML, which browsers draw themselves."""

import base64
import mimetypes
import re
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from protoviz.export.sources import ExportError, needed

# What the converter does not know, in its own words.
REWRITTEN = (
    (r"\\operatorname\*?\{arg\s*(?:\\,)?\s*(max|min)\}", r"\\operatorname{arg\1}"),
    (r"\\arg\s*\\(max|min)", r"\\operatorname{arg\1}"),
    (r"\\operatorname\*", r"\\operatorname"),
    (r"\\begin\{aligned\}", r"\\begin{align*}"),
    (r"\\end\{aligned\}", r"\\end{align*}"),
    (r"\\[lr]?Vert(?![a-zA-Z])", r"\\|"),
)
MATHML = "{http://www.w3.org/1998/Math/MathML}"
UNDER = ("max", "min", "sup", "inf", "lim", "argmax", "argmin")
UNKNOWN = re.compile(r">(\\[a-zA-Z]+|&(?:amp;)?)<")  # a command or a column mark that came out as it went in


def formula(tex: str, block: bool = False) -> str:
    """Return MathML of a LaTeX formula, labelled with its source.

    Raises ExportError, naming what is at fault, where it cannot be drawn.
    """
    convert = needed("latex2mathml.converter").convert
    text = tex.strip()
    for pattern, replacement in REWRITTEN:
        text = re.sub(pattern, replacement, text)
    if len(re.findall(r"(?<!\\)\{", text)) != len(re.findall(r"(?<!\\)\}", text)):
        raise ExportError(f"formula {tex!r} opens and closes different numbers of braces")
    try:
        drawn = convert(text, display="block" if block else "inline")
    except Exception as error:  # the converter has a class of its own for every fault
        raise ExportError(f"formula {tex!r} cannot be drawn ({type(error).__name__})") from error
    if found := UNKNOWN.search(drawn):
        raise ExportError(f"formula {tex!r} uses {found[1]}, which pages cannot draw: write it another way")
    return _set_well(drawn, tex.strip())


def _set_well(drawn: str, source: str) -> str:
    """MathML with what stands below a maximum below it, names of functions as such, and its source."""
    root = ElementTree.fromstring(drawn)
    for node in list(root.iter()):
        name = (node.text or "") if node.tag == f"{MATHML}mo" else ""
        if node.tag == f"{MATHML}msub" and node[0].text in UNDER:
            node.tag = f"{MATHML}munder"
            node[0].set("movablelimits", "true")  # beside it within a line of text
        elif name in UNDER:
            node.text = f"arg\u2009{name[3:]}" if name.startswith("arg") else name
        elif name.isalpha() and len(name) > 1:
            node.tag = f"{MATHML}mi"  # spaced like a function, not like a sign
    root.set("aria-label", source)
    ElementTree.register_namespace("", MATHML.strip("{}"))
    return ElementTree.tostring(root, encoding="unicode")


def prose(text: str, folder: Path, pages: dict[str, str] | None = None) -> str:
    """Return HTML of a Markdown cell. folder: of the notebook, from which pictures are taken into the page.

    pages: notebook's file name -> page, so that links between notebooks become links between pages.
    """
    tokens = _reader().parse(text)
    for token in tokens:
        for child in token.children or ():
            if child.type == "image":
                child.attrSet("src", _picture(child.attrGet("src"), folder))
            elif child.type == "link_open" and pages:
                address = urlsplit(child.attrGet("href"))
                page = pages.get(Path(address.path).name)
                if page and not address.scheme:
                    child.attrSet("href", page + (f"#{address.fragment}" if address.fragment else ""))
    return _reader().renderer.render(tokens, _reader().options, {})


def headings(text: str) -> list[tuple[int, str, str]]:
    """Return (level, words as HTML, anchor) of every heading of a Markdown cell, as `prose` writes them."""
    tokens = _reader().parse(text)
    return [
        (int(token.tag[1]), _reader().renderer.render([words], _reader().options, {}), token.attrGet("id"))
        for token, words in pairwise(tokens)
        if token.type == "heading_open"
    ]


def code(text: str) -> str:
    """Return HTML of Python code with its words marked by kind."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return highlight(text, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip("\n")


def _fenced(text: str, language: str, _attributes: str) -> str:
    return code(text) if language in ("python", "py") else escape(text)


@cache
def _reader():
    """Markdown as notebooks have it: CommonMark, tables, formulas between dollars, anchors on headings."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.anchors import anchors_plugin
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    reader = MarkdownIt("commonmark", {"highlight": _fenced}).enable(["table", "strikethrough"])
    reader.use(anchors_plugin, max_level=3)
    return reader.use(
        dollarmath_plugin,
        allow_digits=False,  # 5$ is a price
        double_inline=True,
        renderer=lambda tex, options: formula(tex, options["display_mode"]),
    )


def _picture(address: str, folder: Path) -> str:
    """The address of a picture that holds the picture itself."""
    parts = urlsplit(address)
    if parts.scheme == "data":
        return address
    path = folder / unquote(parts.path)
    if parts.scheme or not path.is_file():
        raise ExportError(
            f"the picture {address} is not beside the notebook ({path}): put it there, pages load nothing"
        )
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
