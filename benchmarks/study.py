"""A study as large as they come, of random numbers: what opening it, its tables, a clip and a probe take.

`python -m benchmarks study --folder /tmp/large` makes it once (about 1.5 GB, two minutes) and measures in
fresh processes. 527 classes, 40,000 clips at 32 kHz, nine encoders of 12 x 12 heads and width 768 side by
side, 10,540 prototypes.
"""

import argparse
import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from protoviz import kept
from protoviz.experiments.adding import write_part
from protoviz.experiments.keeping import write_array
from protoviz.files import digest_of
from protoviz.probes import build_probe, save_probe
from protoviz.study.form import (
    CLIPS,
    FORM,
    DatasetFacts,
    EncoderFacts,
    Facts,
    clips_folder,
    probe_file,
    write_facts,
)

CLASSES = tuple(f"class {number}" for number in range(527))
PROTOTYPES, CLIP_COUNT, SHOWN, HEADS, WIDTH, GRID = 10_540, 40_000, 64, (12, 12), 768, (64, 8)
ENCODERS = tuple(f"encoder {number}" for number in range(9))
METHODS = {"linear": "linear", "mhca": "mhca", "protobin": "protobin"}
DATA, BINS, NEAREST = "sounds", 32, 24
STEPS = {
    "open": "",
    "its results": 'study.results["results"], study.results["per-class"], study.results["search"]',
    "nearest clips of a probe": 'study.results.part("nearest", "sounds", "encoder 0", "protobin")',
    "nearest clips of all": 'study.results["nearest"]',
    "shown clips": 'study.clips["sounds"].table',
    "maps of one clip": """
clips = study.clips["sounds"]
[clips.array(name, "encoder 0")[3].max() for name in ("tokens", "attention", "pictures")]
""",
    "one probe": 'study.probe("protobin", "encoder 0")',
}
MEASURE = """
import json, sys, time
from pathlib import Path
def now():
    return time.perf_counter(), time.process_time()
begun = now()
import protoviz
study = protoviz.open_study(sys.argv[1])
opened = now()
STEP
done = now()
status = Path("/proc/self/status")
lines = status.read_text().splitlines() if status.exists() else []
peak = next((int(line.split()[1]) / 1024 for line in lines if "VmHWM" in line), None)
took = [(b - a, d - c) for a, b, c, d in zip(begun, opened, opened, done)]
print(json.dumps([*took, peak, "torch" in sys.modules]))
"""


def main(arguments: list[str]) -> None:
    """Make the study where it is not there yet, and print what each step takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/large-study"))
    folder = parser.parse_args(arguments).folder
    if not (folder / "facts.json").is_file():
        make(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    heads = ("step", "s to import and open", "s of the step", "core s of both", "MB at most", "torch")
    table = Table(*heads, title=decimal(size))
    for name, step in STEPS.items():
        code = MEASURE.replace("STEP", step.strip())
        runs = [
            json.loads(subprocess.check_output([sys.executable, "-c", code, str(folder)])) for _ in range(3)
        ]
        (opened, took), cores, peak, torch = min(runs, key=lambda run: sum(run[0]))
        mark, core = f"{peak:.0f}" if peak else "-", " + ".join(f"{one:.2f}" for one in cores)
        table.add_row(name, f"{opened:.2f}", f"{took:.2f}", core, mark, "yes" if torch else "no")
    Console().print(table)


def make(folder: Path) -> None:
    """Write the study; facts.json comes last."""
    draw = np.random.default_rng(0)
    cells = list(product([DATA], ENCODERS, METHODS))
    ids = np.array([f"clip {number}" for number in range(CLIP_COUNT)])
    _write_results(folder, draw, cells)
    clips = _shown(draw, ids)
    kept.write_frame(clips_folder(folder, DATA) / CLIPS, clips)
    for encoder in ENCODERS:
        place = clips_folder(folder, DATA, encoder)
        for name, array in _arrays(draw).items():
            write_array(place / f"{name}.npy", array)
    for cell in cells:
        probe = build_probe(METHODS[cell[2]], WIDTH, len(CLASSES), GRID)
        save_probe(probe, probe_file(folder, *cell), classes=list(CLASSES))
        if cell[2] == "protobin":
            write_part(folder, "nearest", _nearest(draw, ids), *cell)
            write_part(folder, "scores", _histograms(draw), *cell)
        write_part(folder, "shown", _spoken(draw, clips, cell[2] == "protobin"), *cell)
    grid = (GRID, WIDTH, 32_000, 10.0)
    digests = {path.relative_to(folder).as_posix(): digest_of(path) for path in sorted(folder.rglob("*.npy"))}
    facts = Facts(
        FORM,
        "large",
        "python -m benchmarks study",
        {name: EncoderFacts("eat", "", *grid) for name in ENCODERS},
        {DATA: DatasetFacts("folder", CLASSES, CLIP_COUNT, "labels")},
        METHODS,
        digests=digests,
    )
    write_facts(folder, facts)


def _write_results(folder: Path, draw: np.random.Generator, cells: list) -> None:
    """A grid's own tables: five seeds of each cell, 50 trials."""
    columns = ["dataset", "encoder", "method"]
    runs = pd.DataFrame(np.repeat(cells, 5, axis=0), columns=columns).assign(seed=[*range(5)] * len(cells))
    scored = runs.assign(
        polyphony=0, metric="mAP", score=draw.random(len(runs)), chance=0.01, clips=CLIP_COUNT
    )
    kept.write_frame(folder / "results.parquet", scored)
    classes = runs.loc[runs.index.repeat(len(CLASSES))].assign(**{"class": CLASSES * len(runs)})
    kept.write_frame(
        folder / "per-class.parquet", classes.assign(average_precision=draw.random(len(classes)))
    )
    trials = pd.DataFrame(np.repeat(cells, 50, axis=0), columns=columns)
    kept.write_frame(folder / "search.parquet", trials.assign(score=draw.random(len(trials))))


def _shown(draw: np.random.Generator, ids: np.ndarray) -> pd.DataFrame:
    labels = [list(draw.choice(CLASSES, 3, replace=False)) for _ in range(SHOWN)]
    known = {"split": "test", "polyphony": 0, "seed": -1, "licence": "", "sound": False}
    frame = pd.DataFrame({"clip": ids[:SHOWN], "labels": labels, "duration": draw.uniform(1, 60, SHOWN)})
    return frame.assign(**known, events=[[]] * SHOWN)


def _arrays(draw: np.random.Generator) -> dict[str, np.ndarray]:
    tokens = GRID[0] * GRID[1]
    shapes = {"tokens": (SHOWN, tokens, WIDTH), "cls": (SHOWN, WIDTH), "attention": (SHOWN, *HEADS, tokens)}
    found = {name: draw.random(shape, dtype=np.float32).astype(np.float16) for name, shape in shapes.items()}
    pictures = draw.integers(0, 256, (SHOWN, 128, 1000), dtype=np.uint8)
    return {**found, "mask": np.ones((SHOWN, tokens), bool), "pictures": pictures}


def _nearest(draw: np.random.Generator, ids: np.ndarray) -> pd.DataFrame:
    count = PROTOTYPES * NEAREST
    boxes = {name: draw.random(count) for name in ("onset", "offset", "low_hz", "high_hz")}
    return pd.DataFrame(
        {
            "prototype": np.repeat(np.arange(PROTOTYPES, dtype=np.int32), NEAREST),
            "part": ["top"] * 8 * PROTOTYPES + ["middle"] * 8 * PROTOTYPES + ["bottom"] * 8 * PROTOTYPES,
            "rank": np.tile(np.arange(NEAREST, dtype=np.int32), PROTOTYPES),
            "clip": draw.choice(ids, count),
            "score": draw.random(count, dtype=np.float32),
            "cell": draw.integers(0, 512, count, dtype=np.int32),
            **boxes,
            "label": pd.array(draw.choice(CLASSES, count), dtype="string"),
        }
    )


def _histograms(draw: np.random.Generator) -> pd.DataFrame:
    counts = draw.integers(0, 9999, (PROTOTYPES, BINS)).tolist()
    return pd.DataFrame({"prototype": range(PROTOTYPES), "low": 0.0, "high": 1.0, "counts": counts})


def _spoken(draw: np.random.Generator, clips: pd.DataFrame, mapped: bool) -> pd.DataFrame:
    sizes = {"logits": len(CLASSES)} | ({"scores": PROTOTYPES, "locations": PROTOTYPES} if mapped else {})
    return pd.DataFrame(
        {"clip": clips["clip"]} | {n: draw.random((SHOWN, k)).tolist() for n, k in sizes.items()}
    )


if __name__ == "__main__":
    main(sys.argv[1:])
