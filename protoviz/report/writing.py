"""The report as files: Markdown, LaTeX, HTML, and every table of its own for a paper."""

from pathlib import Path

from protoviz.files import write_text
from protoviz.paths import data_folder
from protoviz.report.contents import Contents, contents
from protoviz.report.formats import as_read, html, latex, latex_document, markdown
from protoviz.study import Tables
from protoviz.study.form import FACTS

TITLE = "protoviz: results"
OPENING = (
    "Scores in percent. Bold is the best, underlined the second, among the methods of one encoder; what is "
    "shown alike counts as alike. A dash: not scored. Published columns are the paper's and were not "
    "measured here."
)


def write_report(out: Path, data: str | Path | None = None, csv: bool = False) -> list[Path]:
    """Write report.md, report.tex, report.html and tables/NAME.tex into `out`; their paths, in this order.

    data: a study, or a data folder; the shipped one if absent. tables/ is for `\\input` in a document that
    loads booktabs. csv: write csv/NAME.csv too, each table of the study as it is. Raises ValueError where the
    folder has no results.
    """
    found = contents(data)
    texts = {
        "report.md": _markdown(found),
        "report.tex": latex_document(found.tables),
        "report.html": html(found.tables, TITLE, OPENING, found.gaps),
        **{f"tables/{table.name}.tex": latex(table) for table in found.tables},
    }
    for name, text in texts.items():
        write_text(out / name, text)
    place = Path(data or data_folder())
    study = place / "demo" if (place / "demo" / FACTS).is_file() else place
    return [out / name for name in texts] + (Tables(study).to_csv(out / "csv") if csv else [])


def _markdown(found: Contents) -> str:
    parts = [f"# {TITLE}", OPENING, *(markdown(table) for table in found.tables)]
    if found.gaps:
        parts += ["### Not shown", "\n".join(f"- {as_read(gap)}" for gap in found.gaps)]
    return "\n\n".join(parts) + "\n"
