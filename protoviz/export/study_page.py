"""One page of a study, to send: clips with sound, cells, probes, mute and solo, and the study's table.

Everything is inside; nothing needs Python or a network. It is what a paper's supplement links to.
"""

from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from protoviz.analysis.results import results, sources, whole_sets
from protoviz.analysis.tables import mean_sd_over_seeds
from protoviz.course.what_if import SCRIPT, script_data, small_sound_address, what_if_panel
from protoviz.export.page import POLICY, part
from protoviz.figures.asked import OfClass
from protoviz.figures.clip_of_study import Shown, shown
from protoviz.figures.style import spoken
from protoviz.files import write_text
from protoviz.probes import Probe
from protoviz.study import Study

LISTED, LIKELY = 5, 5  # prototypes a class, and classes beside the present ones: what a phone loads quickly
SHARED = ("classes", "weight", "bias", "means", "colours", "palettes", "hertz", "seconds")
MOST = 80  # letters of a clip's labels in its line
START = """
const told = JSON.parse(document.getElementById("told").textContent)
for (const place of document.querySelectorAll("[data-clip]")) {
  const box = place.closest("details")
  const build = () => place.shadowRoot || whatIf(place, {...told.shared, ...told.clips[place.dataset.clip]})
  if (box.open) build()
  box.addEventListener("toggle", build)
}
"""


def export_page(
    study: Study,
    target: str | Path,
    clips: int = 12,
    *,
    method: str | None = None,
    encoder: str | None = None,
    dataset: str | None = None,
) -> Path:
    """Write one HTML page of a study and return its path; see `study_page`."""
    path = Path(target)
    write_text(path, study_page(study, clips, method=method, encoder=encoder, dataset=dataset))
    return path


def study_page(
    study: Study,
    clips: int = 12,
    *,
    method: str | None = None,
    encoder: str | None = None,
    dataset: str | None = None,
) -> str:
    """Return the page. clips: so many, evenly spread over the table of what the study shows.

    method, encoder, dataset: whose prototypes are muted; the first of each if absent. A clip whose sound did
    not travel is shown without. Raises StudyError for a study without clips or prototypes.
    """
    first = shown(study, OfClass(encoder=encoder, dataset=dataset, method=method))
    table, probe = first.clips.table, study.probe(first.method, first.encoder, first.dataset)
    rows = np.unique(np.linspace(0, len(table) - 1, min(clips, len(table))).round().astype(int))
    told = [_panel(_other(first, table["clip"].iloc[row]), probe) for row in rows]
    shared = {name: told[0][name] for name in SHARED}
    own = [{name: value for name, value in one.items() if name not in SHARED} for one in told]
    pieces = [_clip(number, table.iloc[row]) for number, row in enumerate(rows)]
    heard = [bool(one["clip"]) for one in own]
    silent = "" if all(heard) else f" The sound of {'some' if any(heard) else 'these'} clips did not travel."
    hear = "Hear a cell, mute" if any(heard) else "Mute"
    boxes = "" if study.datasets[first.dataset].knows == "labels" else " Boxes are true events;"
    body = (
        f"<main><h1>{escape(study.name)}</h1>{_facts(first)}"
        f"<h2>Scores</h2>{_scores(study)}"
        f"<h2>{len(rows)} of {len(table)} clips</h2>"
        f'<div class="prose"><p>They are spread evenly over those that the study shows.{boxes} '
        f"{'numbered' if boxes else 'Numbered'} cells are where {escape(first.method)}'s prototypes matched "
        f"best. {hear} prototypes or let them speak alone, and see what each class's logit becomes."
        f"{silent}</p></div>{''.join(pieces)}"
        "<footer>Made by <code>protoviz export page</code>. This page needs no network.</footer></main>"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(study.name)} – protoviz</title><style>{part('page.css')}</style></head>\n"
        f'<body class="study">{body}\n'
        f'<script type="application/json" id="told">{script_data({"shared": shared, "clips": own})}</script>'
        f"<script>{SCRIPT.read_text(encoding='utf-8')}\n{START}</script></body></html>\n"
    )


def _other(one: Shown, clip: str) -> Shown:
    return Shown(one.study, one.dataset, one.encoder, clip, one.method)


def _panel(one: Shown, probe: Probe) -> dict:
    """What the panel of a clip knows."""
    sound = one.clips.sound(one.clip)
    return what_if_panel(
        probe,
        one.explained,
        None if sound is None else sound[0],
        one.events,
        one.cells,
        bank=one.bank,
        labels=one.labels,
        pixels=one.picture[0],
        listed=LISTED,
        classes_listed=LIKELY,
        sound=small_sound_address,
    ).told


def _clip(number: int, row: pd.Series) -> str:
    """A clip's line, and the place of its panel, which is made when the line is opened."""
    names = ", ".join(map(spoken, row["labels"])) or "no label"
    short = names if len(names) <= MOST else f"{names[:MOST]} …"
    licence = f" · {escape(row['licence'])}" if row["licence"] else ""
    return (
        f'<details class="clip"{" open" if number == 0 else ""}><summary><b>{escape(short)}</b> '
        f"<span>{escape(spoken(row['clip']))}{licence}</span></summary>"
        f'<div data-clip="{number}"></div></details>'
    )


def _facts(one: Shown) -> str:
    """What was measured, on what, by what."""
    study, facts = one.study, one.study.datasets[one.dataset]
    encoder = study.encoders[one.encoder]
    rows = {
        "Encoder": f"{_named(one.encoder, encoder.use)}, {encoder.grid[0]} × {encoder.grid[1]} cells, "
        f"width {encoder.dim}, frozen",
        "Data": f"{_named(one.dataset, facts.use)}: {facts.clips:,} clips, {len(facts.classes)} classes"
        + (f"; licence {facts.licence}" if facts.licence else ""),
        "Probes": ", ".join(study.methods),
        "Made by": study.facts.command or "protoviz study run",
    }
    if len(study.encoders) > 1 or len(study.datasets) > 1:
        rows["Also in the study"] = ", ".join([*study.encoders, *study.datasets])
    lines = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
    return f'<div class="output wide"><table class="facts">{lines}</table></div>'


def _named(name: str, use: str) -> str:
    """A name, and what stands behind it where that is another."""
    return name if use == name else f"{name} ({use})"


def _scores(study: Study) -> str:
    """The study's table: a row a method, mean and deviation over seeds in percent."""
    frame = whole_sets(results(study.folder))
    if frame.empty:
        return f"<p>No scores yet: <code>protoviz study run {escape(str(study.folder.name))}</code></p>"
    own = frame[frame.source == sources(frame, study.name)[0]]
    words = mean_sd_over_seeds(own, ["method", "dataset", "encoder"]).unstack(["dataset", "encoder"])
    words = words.loc[own.method.drop_duplicates()].fillna("–")
    metrics = own.groupby("dataset").metric.first()
    words.columns = [f"{data}, {by}: {metrics[data]}, %" for data, by in words.columns]
    seeds = own.seed.nunique()
    told = f"Test clips, mean ± s.d. over {seeds} seeds." if seeds > 1 else "Test clips, one seed."
    table = words.rename_axis("method").reset_index().to_html(index=False, border=0, escape=True)
    return f'<div class="output wide">{table}</div><div class="prose"><p>{told}</p></div>'
