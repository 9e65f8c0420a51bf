"""What a study holds, and whether its parts fit together."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from safetensors import SafetensorError, safe_open

from protoviz import kept
from protoviz.files import digest_of
from protoviz.study.form import (
    ADDED,
    ARRAYS,
    SETTINGS,
    StudyError,
    add_command,
    probe_file,
    read_settings,
    run_command,
    table_part,
)
from protoviz.study.pack import study_files
from protoviz.study.study import ShownClips, Study


@dataclass(frozen=True)
class Finding:
    """One part of a study. state: "here", "absent" or "wrong"; text: what is there, or the cure."""

    part: str
    state: str
    text: str


def check_study(study: Study) -> list[Finding]:
    """Return what is there, what is absent with the command that adds it, and what does not fit.

    Every file below clips/ is held against its digest, tables and probes against their own; nothing is
    loaded that needs torch.
    """
    parts = (_settings, _planned, _clips, _probes, _tables, _added)
    return [finding for part in parts for finding in part(study)]


def _settings(study: Study) -> Iterator[Finding]:
    there = (study.folder / SETTINGS).is_file()
    cure = f"what was run is not written down; {run_command(study.folder)} writes it"
    yield Finding("settings", "here" if there else "absent", SETTINGS if there else cure)


def _planned(study: Study) -> Iterator[Finding]:
    """What study.toml names and the study lacks."""
    told, methods = read_settings(study.folder), {*study.methods, *study.methods.values()}
    for kind, known in (("encoders", study.encoders), ("datasets", study.datasets), ("probes", methods)):
        names = told.get(kind)
        for name in names if isinstance(names, list | dict) else ():
            if name not in known:
                yield Finding(f"{kind}.{name}", "absent", f"not run yet: {run_command(study.folder)} runs it")


def _clips(study: Study) -> Iterator[Finding]:
    add = f"{add_command(study.folder)} keeps some"
    for dataset in study.datasets:
        shown = study.clips.get(dataset)
        if shown is None:
            yield Finding(f"clips of {dataset}", "absent", add)
            continue
        try:
            sounds = int((shown.table["sound"] == True).sum())  # noqa: E712 - of any kind of column
            told = "their sound is made" if study.datasets[dataset].made else f"{sounds} with sound"
            yield Finding(f"clips of {dataset}", "here", f"{len(shown)}, {told}")
            for encoder in shown.encoders:
                made = Finding(f"maps of {dataset} by {encoder}", "here", "made when they are asked for")
                yield _arrays(study, shown, encoder) if shown.keeps(encoder) else made
        except StudyError as error:
            yield Finding(f"clips of {dataset}", "wrong", str(error))
    yield from _digests(study)


def _arrays(study: Study, shown: ShownClips, encoder: str) -> Finding:
    facts, part = study.encoders[encoder], f"maps of {shown.dataset} by {encoder}"
    held = {name: shown.array(name, encoder) for name in ARRAYS}
    cells = facts.grid[0] * facts.grid[1]
    if held["tokens"].shape[1:] != (cells, facts.dim):
        fault = f"tokens {held['tokens'].shape} are not {cells} cells of width {facts.dim}"
        return Finding(part, "wrong", fault)
    words = [name for name, array in held.items() if array is not None]
    return Finding(part, "here", ", ".join(words))


def _digests(study: Study) -> Iterator[Finding]:
    found = {path.relative_to(study.folder).as_posix(): path for path in study_files(study.folder)}
    for name, digest in study.facts.digests.items():
        if name not in found:
            yield Finding(name, "wrong", "the file is missing; `protoviz study add` makes it again")
        elif digest_of(found[name]) != digest:
            yield Finding(name, "wrong", "the file has changed; `protoviz study add` makes it again")


def _probes(study: Study) -> Iterator[Finding]:
    there = set(study.probes)
    for dataset in study.datasets:
        for encoder in study.encoders:
            absent = [method for method in study.methods if (dataset, encoder, method) not in there]
            part = f"probes of {dataset} by {encoder}"
            if absent:
                cure = f"{run_command(study.folder)} trains them"
                yield Finding(part, "absent", f"{', '.join(absent)}: {cure}")
            else:
                yield Finding(part, "here", ", ".join(study.methods))
    for cell in study.probes:
        path = probe_file(study.folder, *cell)
        try:
            kept.refuse_changed(path, path.read_bytes())
            with safe_open(str(path), framework="np"):
                pass
        except (kept.DamagedFileError, SafetensorError) as error:
            fault = f"{path} is damaged ({error}); `protoviz study add` makes it again"
            yield Finding(f"probe {cell[2]} of {cell[0]} by {cell[1]}", "wrong", fault)


def _tables(study: Study) -> Iterator[Finding]:
    for name, paths in study.results.files.items():
        try:
            rows = sum(len(kept.read_frame(path)) for path in paths)
            yield Finding(f"table {name}", "here", f"{rows:,} rows")
        except kept.DamagedFileError as error:
            yield Finding(f"table {name}", "wrong", str(error))


def _added(study: Study) -> Iterator[Finding]:
    """Whether the parts of added tables are of the probes that are there; and what could be added."""
    for kind, names in ADDED.items():
        add = add_command(study.folder, kind)
        try:
            if study.probes and all(study.lacks(kind, *cell) for cell in study.probes):
                yield Finding(kind, "absent", f"{add} computes it")
            for name, cell in product(names, study.probes):
                if table_part(study.folder, name, *cell).is_file() and not study.results.current(name, *cell):
                    yield Finding(name, "wrong", f"{cell[-1]} has changed since; {add} makes it again")
        except kept.DamagedFileError:
            pass  # a table that is damaged was told


def wrong(findings: list[Finding]) -> bool:
    """Return whether any part does not fit."""
    return any(finding.state == "wrong" for finding in findings)
