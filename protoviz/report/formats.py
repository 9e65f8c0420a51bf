"""Tables as Markdown, as LaTeX with booktabs, and as one HTML page that needs nothing else.

Best is bold, second is underlined, a missing cell is a dash, and published columns say so, in every format.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from protoviz.report.tables import BEST, SECOND, Cell, Column, Table

DASH = "–"
PUBLISHED = "published"
# One pass, so that what an escape writes is not escaped again.
_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "±": r"$\pm$",
        "−": "$-$",
        "×": r"$\times$",
        "·": r"$\cdot$",
        "→": r"$\rightarrow$",
        "τ": r"$\tau$",
        "α": r"$\alpha$",
        "–": r"\textendash{}",
        "“": "``",
        "”": "''",
        "’": "'",
    }
)
# Signs that mean something anywhere in a line of Markdown as GitHub reads it; links begin with :// or www.
_MD = re.compile(r"[\\|*_`<>\[\]~&$#@]|:(?=//)|(?<=www)\.", re.IGNORECASE)
PAGE = Path(__file__).parent / "page.html"


# -- Markdown


def markdown(table: Table) -> str:
    """Return the table under its title, as GitHub reads it."""
    heads = [*map(as_read, table.keys), *(_md_head(column) for column in table.columns)]
    rows = [[*map(as_read, row.labels), *(_md_cell(cell) for cell in row.cells)] for row in table.rows]
    lines = pipes(heads, rows, words=len(table.keys))
    note = ["", as_read(table.note)] if table.note else []
    return "\n".join([f"### {as_read(table.title)}", "", lines, *note])


def pipes(heads: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a table between pipes: the first columns hold words and stand left, the numbers right."""
    sides = ["---" if i < words else "--:" for i in range(len(heads))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (heads, sides, *rows))


def as_read(text: str) -> str:
    """Return a text inside a line of Markdown, every sign as it is read."""
    return _MD.sub(r"\\\g<0>", one_line(text))


def as_code(text: str) -> str:
    """Return a text as code inside a line of Markdown."""
    return f"`{one_line(text).replace('`', chr(39)).replace('|', '/')}`"


def one_line(text: str) -> str:
    """Return the text without line breaks and signs that do not show; a space stands for them."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _md_head(column: Column) -> str:
    if column.published:
        return f"{as_read(column.name)} (*{PUBLISHED}*)"
    return as_read(f"{column.group}: {column.name}" if column.group else column.name)


def _md_cell(cell: Cell) -> str:
    if not cell.text:
        return DASH
    # GitHub keeps <ins>, which it underlines, and drops <u>.
    open_, close = {BEST: ("**", "**"), SECOND: ("<ins>", "</ins>")}.get(cell.mark, ("", ""))
    return f"{open_}{as_read(cell.text)}{close}" + (f" ({as_read(cell.aside)})" if cell.aside else "")


# -- LaTeX


def latex(table: Table) -> str:
    """Return a `table` environment with booktabs rules, for \\input into a document."""
    keys, columns = len(table.keys), len(table.columns)
    heads = [*map(_tex, table.keys), *(_tex_head(column) for column in table.columns)]
    lines = [
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\caption{{{_tex(table.title)}{'. ' + _tex(table.note) if table.note else ''}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{'l' * keys}{'r' * columns}}}",
        r"\toprule",
        *_tex_groups(table),
        " & ".join(heads) + r" \\",
        r"\midrule",
    ]
    before = None
    for row in table.rows:
        if keys > 1 and before not in (None, row.labels[0]):
            lines.append(r"\midrule")
        shown = ("" if keys > 1 and before == row.labels[0] else row.labels[0], *row.labels[1:])
        cells = [*map(_tex, shown), *(_tex_cell(cell) for cell in row.cells)]
        lines.append(" & ".join(cells) + r" \\")
        before = row.labels[0]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def latex_document(tables: Sequence[Table]) -> str:
    """Return a whole document of the tables, each scaled down where it is wider than the page."""
    body = "\n".join(
        latex(table)
        .replace(r"\begin{tabular}", "\\begin{adjustbox}{max width=\\textwidth}\n\\begin{tabular}")
        .replace(r"\end{tabular}", "\\end{tabular}\n\\end{adjustbox}")
        for table in tables
    )
    packages = "\n".join(
        rf"\usepackage{options}"
        for options in ("[utf8]{inputenc}", "[T1]{fontenc}", "{booktabs}", "{adjustbox}")
    )
    return f"\\documentclass{{article}}\n{packages}\n\\begin{{document}}\n{body}\\end{{document}}\n"


def _tex(text: str) -> str:
    """Every sign as it is read; two hyphens, as of an option, stay two."""
    return re.sub(r"-(?=-)", "-{}", one_line(text).translate(_TEX))


def _tex_head(column: Column) -> str:
    return rf"\emph{{{_tex(column.name)} ({PUBLISHED})}}" if column.published else _tex(column.name)


def _tex_groups(table: Table) -> list[str]:
    """The line of the columns' groups, and a rule under each."""
    if not table.groups:
        return []
    heads, rules, at = [""] * len(table.keys), [], len(table.keys) + 1
    for name, width in table.groups:
        heads.append(rf"\multicolumn{{{width}}}{{c}}{{{_tex(name)}}}")
        rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}")
        at += width
    return [" & ".join(heads) + r" \\", " ".join(rules)]


def _tex_cell(cell: Cell) -> str:
    if not cell.text:
        return r"\textendash{}"
    text = {BEST: r"\textbf{%s}", SECOND: r"\underline{%s}"}.get(cell.mark, "%s") % _tex(cell.text)
    return text + (rf" {{\scriptsize ({_tex(cell.aside)})}}" if cell.aside else "")


# -- HTML


def html(tables: Sequence[Table], title: str, opening: str = "", closing: Sequence[str] = ()) -> str:
    """Return one page with all tables: no script, nothing from elsewhere, light or dark as the system is."""
    page = PAGE.read_text(encoding="utf-8")
    contents = "".join(f'<li><a href="#{escape(t.name)}">{escape(t.title)}</a></li>' for t in tables)
    rest = "".join(f"<p>{escape(words)}</p>" for words in closing)
    parts = {
        "{{title}}": escape(title),
        "{{opening}}": f"<p>{escape(opening)}</p>" if opening else "",
        "{{contents}}": contents,
        "{{closing}}": f"<section><h2>Not shown</h2>{rest}</section>" if rest else "",
        "{{tables}}": "\n".join(html_table(table) for table in tables),  # last: its words are not a template
    }
    for place, text in parts.items():
        page = page.replace(place, text)
    return page


def html_table(table: Table) -> str:
    """Return one table as a section of a page; asides stand in a column of their own behind the numbers."""
    spans = [1 + any(row.cells[j].aside for row in table.rows) for j in range(len(table.columns))]
    heads = "".join(f'<th scope="col" class="key">{escape(key)}</th>' for key in table.keys)
    heads += "".join(_html_head(column, span) for column, span in zip(table.columns, spans, strict=True))
    rows, before = [], None
    for row in table.rows:
        first = row.labels[0]
        new = ' class="new"' if len(table.keys) > 1 and before not in (None, first) else ""
        labels = "".join(f'<th scope="row">{escape(label)}</th>' for label in row.labels)
        parts = zip(row.cells, table.columns, spans, strict=True)
        rows.append(f"<tr{new}>{labels}{''.join(_html_cell(*part) for part in parts)}</tr>")
        before = first
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<section id="{escape(table.name)}"><h2>{escape(table.title)}</h2><div class="wide"><table>'
        f"<thead>{_html_groups(table, spans)}<tr>{heads}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>{note}</section>"
    )


def _html_groups(table: Table, spans: Sequence[int]) -> str:
    """The row of the columns' groups."""
    heads, at = [], 0
    for name, width in table.groups:
        span = sum(spans[at : at + width])
        heads.append(f'<th colspan="{span}" scope="colgroup">{escape(name)}</th>')
        at += width
    return f'<tr class="groups"><td colspan="{len(table.keys)}"></td>{"".join(heads)}</tr>' if heads else ""


def _html_head(column: Column, span: int) -> str:
    wide = f' colspan="{span}"' if span > 1 else ""
    if not column.published:
        return f'<th scope="col"{wide}>{escape(column.name)}</th>'
    return f'<th scope="col"{wide} class="published">{escape(column.name)} <span>{PUBLISHED}</span></th>'


def _html_cell(cell: Cell, column: Column, span: int) -> str:
    kind = ' class="published"' if column.published else ""
    tag = {BEST: "b", SECOND: "u"}.get(cell.mark, "span")
    text = f"<{tag}>{escape(cell.text)}</{tag}>" if cell.text else f'<span class="none">{DASH}</span>'
    aside = f'<td class="aside">{escape(cell.aside)}</td>' if span > 1 else ""
    return f"<td{kind}>{text}</td>{aside}"
