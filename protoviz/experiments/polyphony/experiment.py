"""The same probes on scenes of 1 to 8 events, for several encoders and kinds of sources."""

import queue
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from protoviz.analysis.by_polyphony import FALSE_ALARMS, REFERENCE
from protoviz.datasets import ClipSet, nested_clips
from protoviz.datasets.scenes import sources_by_split
from protoviz.encoders import load_encoder, takes_weights
from protoviz.experiments.polyphony.group import TABLES, Group
from protoviz.experiments.polyphony.settings import PolyphonyConfig, mini_encoders
from protoviz.files import slugs_apart
from protoviz.kept import write_frame, write_json
from protoviz.processes import cores, spawned
from protoviz.progress import Listener, Progress, progress_bar
from protoviz.scenes import ProceduralSources, Sources

FILES = {
    "scores": "polyphony",
    "classes": "polyphony-classes",
    "loudness": "polyphony-loudness",
    "located": "localisation",
}
Tables = dict[str, pd.DataFrame]
HEARD_EVERY = 0.5  # s between two looks at how far the groups are


def build_polyphony(
    folder: Path,
    work: Path,
    config: PolyphonyConfig | None = None,
    encoders: Sequence[str] = (),
    recordings: Path | None = None,
    labels: Sequence[str] = (),
    workers: int | None = None,
    weights: Path | None = None,
    group: str | None = None,
) -> None:
    """Write polyphony.parquet, polyphony-classes, -loudness and -search.parquet, localisation.parquet and
    polyphony.json into `folder`.

    encoders: names in ENCODERS or module:Name; none: every mini that is there. weights: of those that take
    any, a file of the one, or a folder with NAME.safetensors of each. recordings: a folder of labelled
    recordings (see `recorded_sources`), a second kind of sources beside the procedural ones; labels: only
    these of them; group: a pattern that finds the recording in a file's name (see `recorded_sources`).
    workers: processes, each with one encoder and kind of sources at a time; None: one a core. Results do not
    depend on it. Training and test scenes share no recording. Token maps and finished runs stay in `work`:
    stopped, it goes on; an encoder more costs only its own runs.
    """
    config, encoders = config or PolyphonyConfig(), list(encoders) or mini_encoders()
    kinds: dict[str, Mapping[str, Sources]] = {
        "procedural": dict.fromkeys(("train", "test"), ProceduralSources())
    }
    if recordings is not None:
        kinds["recordings"] = sources_by_split(recordings, labels, group)
    if len(set(encoders)) < len(encoders):
        raise ValueError(f"an encoder is named twice: {', '.join(encoders)}")
    for name in encoders:  # one that cannot be loaded is told before the others have worked for hours
        load_encoder(name, weights if takes_weights(name) else None)
    groups = []
    for kind, sources in kinds.items():
        clips = polyphony_clips(config, sources)
        for name, place in slugs_apart(encoders).items():
            own = weights if takes_weights(name) else None
            groups.append(Group(kind, name, clips, config, work / kind / place, own))
    _write(folder, measured(groups, min(workers or cores(), len(groups))))
    told = {**asdict(config), "encoder": list(encoders), "command": _command(encoders, recordings)}
    told["command"] += " --weights PATH" if weights else ""
    told["command"] += f" --group '{group}'" if group else ""
    told |= {"reference": REFERENCE, "false_alarms": FALSE_ALARMS, "reduced": config != PolyphonyConfig()}
    told["sources"] = {kind: len(sources["test"].classes) for kind, sources in kinds.items()}
    write_json(folder / "polyphony.json", told)


def polyphony_clips(config: PolyphonyConfig, sources: Mapping[str, Sources]) -> ClipSet:
    """Return the nested scenes; with few classes only as many events as leave every scene without one."""
    most = min(config.most, len(sources["test"].classes) - 1)
    sizes = (config.train, config.validation, config.scenes)
    return nested_clips(*sizes, most, sources=sources, seed=config.scene_seed)


# -- groups side by side


def measured(groups: Sequence[Group], workers: int) -> list[Tables]:
    """Return `Group.measured` of each, so many at a time, under one progress bar; in this process where one
    is enough.
    """
    encoders, kinds = {group.encoder for group in groups}, {group.kind for group in groups}
    what = f"{len(encoders)} encoders, {' and '.join(sorted(kinds))}"
    with progress_bar(what, sum(group.epochs for group in groups)) as bar:

        def progress(event: Progress) -> None:
            bar(Progress(event.done))  # of several groups none is the one that it is at

        if workers < 2:
            return [group.measured(progress) for group in groups]
        return _spread(groups, workers, progress)


def _spread(groups: Sequence[Group], workers: int, progress: Listener) -> list[Tables]:
    heard = get_context("spawn").Queue()
    with spawned(workers, _start, heard) as pool:
        futures = [pool.submit(_measured_in_worker, group) for group in groups]
        waiting: set[Future] = set(futures)
        while waiting:
            done, waiting = wait(waiting, HEARD_EVERY, FIRST_COMPLETED)
            for event in _all_of(heard):
                progress(event)
            if failed := [future for future in done if future.exception()]:
                pool.shutdown(wait=False, cancel_futures=True)  # those that run end with what they are at
                raise failed[0].exception()
        return [future.result() for future in futures]


_heard = None  # of a worker: where it puts its progress


def _start(heard) -> None:
    global _heard
    _heard = heard


def _measured_in_worker(group: Group) -> Tables:
    return group.measured(_heard.put)


def _all_of(heard) -> Iterator[Progress]:
    while True:
        try:
            yield heard.get_nowait()
        except queue.Empty:
            return


# -- files


def _write(folder: Path, measured: Sequence[Tables]) -> None:
    for name in ("search", *TABLES):
        frame = pd.concat([tables[name] for tables in measured], ignore_index=True)
        wide = frame.select_dtypes("float64").columns.difference(["score", "chance", "low_db", "high_db"])
        if name == "classes":  # thousands of rows: seven digits are more than they can say
            frame = frame.astype(dict.fromkeys(wide, "float32"))
        write_frame(folder / f"{FILES.get(name, 'polyphony-search')}.parquet", frame)


def _command(encoders: Sequence[str], recordings: Path | None) -> str:
    """The command that made the tables; where recordings lie is no one's business."""
    told = f"protoviz polyphony --encoders {','.join(encoders)}"
    return told if recordings is None else f"{told} --recordings FOLDER"
