"""How Sphinx makes the site; `make docs` (benchmarks/site.py) gathers its pages and calls it."""

import re
from importlib.metadata import version as installed

project = "protoviz"
author = "The protoviz authors"
version = release = installed("protoviz")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
root_doc = "index"

myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]

default_role = "code"
smartquotes = False  # two hyphens are an option
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
maximum_signature_line_length = 88
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "protoviz"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1d5c8f", "color-brand-content": "#1d5c8f"},
    "dark_css_variables": {"color-brand-primary": "#8fc3ee", "color-brand-content": "#8fc3ee"},
}


def plain(app, what, name, subject, options, lines: list[str]) -> None:
    """Read a docstring as it is written here: plain paragraphs, `code`, indented tables, examples."""
    text = "\n".join(lines).strip("\n")
    if text.startswith("Alias for field number"):  # what Python says of a NamedTuple's fields
        text = ""
    paragraphs = map(_paragraph, re.split(r"\n\s*\n", text))
    lines[:] = [*"\n\n".join(paragraphs).split("\n"), ""]


def _paragraph(text: str) -> str:
    rows = text.split("\n")
    if rows[0].lstrip().startswith(">>> "):
        return text
    if any(re.search(r"\S {2,}\S", row) for row in rows) or all(row.startswith("  ") for row in rows):
        return "::\n\n" + "\n".join(f"    {row}" for row in rows)
    pieces = re.split(r"(`[^`]+`)", text)
    escaped = [re.sub(r"([*|\\]|_\b)", r"\\\1", piece) for piece in pieces[::2]]
    pieces[::2], pieces[1::2] = escaped, [f"`{piece}`" for piece in pieces[1::2]]
    return "".join(pieces)


def reachable(app, page, template, context, doctree) -> None:
    """Let keys reach a listing that scrolls, and say how deep the side bar's captions lie."""
    for name in ("body", "furo_navigation_tree"):
        html = (context.get(name) or "").replace("<pre>", '<pre tabindex="0">')
        context[name] = html.replace('role="heading">', 'role="heading" aria-level="2">')


def setup(app) -> None:
    app.connect("autodoc-process-docstring", plain)
    app.connect("html-page-context", reachable, priority=900)  # after the theme has made its side bar
