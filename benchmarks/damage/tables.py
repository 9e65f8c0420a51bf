"""Tables: of labels in every form, of published data sets, and those that are shipped."""

import json
import shutil
from pathlib import Path

import dataset_copies as copies
import pandas as pd

from benchmarks.damage.kind import Kind, named
from protoviz.datasets import load_dataset
from protoviz.paths import shipped_folder

LABELS = ("bell", "dog", "rain")
COUNT, SECONDS = 6, 1.0


def labels(folder: Path) -> None:
    """The same recordings with a table of each form that is read."""
    rows = [(f"clip{n}.wav", LABELS[n % 3], LABELS[(n + 1) % 3]) for n in range(COUNT)]
    for form in FORMS:
        for name, one, other in rows:
            copies.write(folder / form / name, (one, other), LABELS, SECONDS)
    _text(folder / "csv/labels.csv", ["file,labels", *(f"{name},{one};{other}" for name, one, other in rows)])
    marks = [f"{name}\t" + "\t".join("01"[label in both] for label in LABELS) for name, *both in rows]
    _text(folder / "tsv/labels.tsv", ["\t".join(["file", *LABELS]), *marks])
    records = [json.dumps({"file_name": name, "labels": [one, other]}) for name, one, other in rows]
    _text(folder / "jsonl/metadata.jsonl", records)
    raven = ["Selection\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies"]
    birdnet = ["Start (s),End (s),Scientific name,Common name,Confidence"]
    for name, one, other in rows:
        stem = name.removesuffix(".wav")
        lines = [f"1\t0.1\t0.5\t200\t2000\t{one}", f"2\t0.4\t0.9\t300\t4000\t{other}"]
        _text(folder / f"raven/{stem}.Table.1.selections.txt", raven + lines)
        _text(folder / f"audacity/{stem}.txt", [f"0.1\t0.5\t{one}", f"0.4\t0.9\t{other}"])
        lines = [f"0.0,0.5,Avis {one},{one},0.91", f"0.4,0.9,Avis {other},{other},0.72"]
        _text(folder / f"birdnet/{stem}.BirdNET.results.csv", birdnet + lines)


FORMS = {
    "csv": "csv/*.csv",
    "tsv": "tsv/*.tsv",
    "jsonl": "jsonl/*.jsonl",
    "raven": "raven/*.txt",
    "audacity": "audacity/*.txt",
    "birdnet": "birdnet/*.csv",
}


def _text(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _clips(name: str, place: str, folder: Path) -> dict:
    clips = load_dataset(name, folder / place)
    for row in clips.skipped.itertuples():
        print(row.clip, row.reason)
    events = [clips.reader.events(row) for _, row in clips.table.iterrows()]
    return {"table": clips.table.drop(columns="path"), "classes": clips.classes, "events": events}


PUBLISHED = {  # data set -> the tables of its copy
    "esc50": ("meta/*",),
    "fsd50k": ("FSD50K.*/*.csv", "FSD50K.*/*.json"),
    "urban": ("annotations/*/*",),
    "hsn": ("HSN/*.parquet", "HSN/*.gz"),
}


def data_sets(folder: Path) -> None:
    """Small copies of published data sets, each with other tables."""
    copies.esc50(folder / "esc50")
    copies.fsd50k(folder / "fsd50k")
    copies.urban(folder / "urban", jams=True)
    copies.birdset(folder / "hsn")


def shipped(folder: Path) -> None:
    """What is shipped beside weights."""
    for part in ("demo", "paper"):
        shutil.copytree(shipped_folder() / part, folder / part)


def shown(folder: Path) -> dict:
    """All that the explorer shows of the demo."""

    from protoviz.explorer.studies import served_studies

    bench = served_studies([folder / "demo"]).first()
    probes = {name: [probe.state_dict(), probe.metadata] for name, probe in bench.probes.items()}
    tables = {name: bench.table(name) for name in ("nearest", "map-prototypes", "map-tokens")}
    return {"probes": probes, "clips": bench.clips, "classes": bench.classes, "note": bench.note, **tables}


def measured(folder: Path) -> dict:
    """All own results, and the tables that README shows of them."""
    from protoviz.analysis import results as own
    from protoviz.report import demo_table, poolings_table
    from protoviz.report.polyphony import folder_tables, strong_table

    results = folder / "demo" / "results"
    return {
        "results": own.results(folder),
        "settings": {name: own.settings(name, folder) for name in ("demo", "poolings", "polyphony")},
        "per class": own.per_class(folder),
        "demo": demo_table(folder / "demo"),
        "poolings": poolings_table(results),
        "polyphony": folder_tables(results),
        "strong": strong_table(results),
    }


def dialled(folder: Path) -> list[pd.DataFrame]:
    """Every table of the polyphony experiment as its page reads it."""
    from protoviz.analysis import polyphony

    return [
        polyphony._table(path.stem, folder)
        for path in sorted((folder / "demo" / "results").glob("*.parquet"))
    ]


def printed(folder: Path) -> list[pd.DataFrame]:
    """The paper's numbers."""
    from protoviz.analysis.published import TABLES, claims, datasets, published

    place = folder / "paper"
    return [*(published(name, place) for name in TABLES), claims(place), datasets(place)]


TEXT = "a text: another letter is another label"
KINDS = [
    *(
        Kind(
            f"labels {form}",
            labels,
            (files,),
            (named(form, _clips, "folder", form),),
            TEXT,
            quick=form == "csv",
        )
        for form, files in FORMS.items()
    ),
    *(
        Kind(
            f"data set {name}",
            data_sets,
            tuple(f"{name}/{pattern}" for pattern in patterns),
            (named(name, _clips, name, name),),
            TEXT,
            quick=name == "urban",
        )
        for name, patterns in PUBLISHED.items()
    ),
    Kind("demo", shipped, ("demo/*", "demo/probes/**/*", "demo/clips/**/*", "demo/results/*/**/*"), (shown,)),
    Kind("results", shipped, ("demo/results/*",), (measured, dialled)),
    Kind(
        "paper", shipped, ("paper/*.csv",), (printed,), "a text: another digit is another number", quick=True
    ),
]
