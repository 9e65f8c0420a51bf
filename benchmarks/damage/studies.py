"""Studies: the folder, and the file that it is packed into."""

import os
from pathlib import Path

import numpy as np

from benchmarks.damage import work
from benchmarks.damage.kind import Kind


def study(folder: Path) -> None:
    """A small grid that became a study, and its packed file."""
    from protoviz.experiments.cells import Cells
    from protoviz.experiments.grid import read_grid
    from protoviz.experiments.keeping import KeepConfig, keep_study
    from protoviz.experiments.opening import add_to_study
    from protoviz.study import pack_study

    work.grid(folder)
    cells = Cells(read_grid(folder / "tiny.toml"), folder / "out")
    keep_study(cells, KeepConfig(show=2))
    add_to_study(folder / "out", "nearest", "polyphony", allow=["grid_fakes"])
    pack_study(folder / "out", folder / "packed.zip")


def opened(folder: Path) -> list:
    return _seen(folder / "out")


def unpacked(folder: Path) -> list:
    os.environ["PROTOVIZ_CACHE"] = str(folder / "unpacked")
    return _seen(folder / "packed.zip")


def _seen(place: Path) -> list:
    """All that a study gives."""
    from protoviz.study import open_study
    from protoviz.study.form import ARRAYS

    study = open_study(place)
    found = [study.facts, dict(study.results.items())]
    for clips in study.clips.values():
        held = {e: {name: clips.array(name, e) for name in ARRAYS} for e in clips.encoders}
        arrays = {e: {name: np.array(a) for name, a in of.items() if a is not None} for e, of in held.items()}
        found += [clips.table, arrays, [clips.sound(clip) for clip in clips.table["clip"]]]
    probes = [study.probe(method, encoder, dataset) for dataset, encoder, method in study.probes]
    return found + [[probe.state_dict(), probe.metadata] for probe in probes]


PARTS = ("out/facts.json", "out/clips/**/*", "out/probes/**/*", "out/results/**/*")
KINDS = [
    Kind("study", study, PARTS, (opened,)),
    Kind("packed study", study, ("packed.zip",), (unpacked,)),
]
