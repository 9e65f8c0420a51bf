"""The shipped study, or any other like it, as a `Workbench`."""

import os
from functools import lru_cache, partial
from pathlib import Path
from typing import NotRequired, TypedDict

import pandas as pd

from protoviz.analysis.neighbours import PARTS
from protoviz.datasets import scene_of
from protoviz.encoders import load_encoder
from protoviz.explorer.recordings import FOLDER_VARIABLE, list_recordings
from protoviz.explorer.text import kind
from protoviz.explorer.workbench import DEMO_COMMAND, NO_RECORDINGS, DemoError, Workbench
from protoviz.files import slug
from protoviz.paths import data_folder
from protoviz.settings import checked
from protoviz.study import Study, open_study
from protoviz.study.form import refuse_own_code


def load_demo(folder: str | Path | None = None) -> Workbench:
    """Return the shipped study (or the one in `folder`) as a `Workbench`; loaded once per process and folder.

    The folder that PROTOVIZ_RECORDINGS names is listed beside it. PROTOVIZ_ALLOW names modules whose code
    may run to load probes and encoders of one's own, commas between. Raises DemoError, naming the command
    that makes the study, where something is missing, and the variable where that folder holds no recordings.
    """
    recordings, allow = (os.environ.get(name, "") for name in (FOLDER_VARIABLE, "PROTOVIZ_ALLOW"))
    allowed = tuple(name for name in allow.split(",") if name)
    return _load_demo(str(folder or data_folder() / "demo"), recordings, allowed)


class _Noted(TypedDict):
    """The metadata of a probe, as far as it is read."""

    title: NotRequired[str]
    seed: NotRequired[int]
    mean_scores: NotRequired[list[float] | None]


@lru_cache(maxsize=2)
def _load_demo(folder: str, recordings: str, allow: tuple[str, ...]) -> Workbench:
    try:
        return _assembled(open_study(folder), recordings, allow)
    except ValueError as error:  # of a study, an encoder, its weights, a probe or a table
        raise DemoError(f"{folder} cannot be shown: {error}; `{DEMO_COMMAND}` makes it anew") from error


def _assembled(study: Study, recordings: str, allow: tuple[str, ...]) -> Workbench:
    """The first encoder of a study on its first data set, whose clips are scenes."""
    dataset, encoder = next(iter(study.datasets)), next(iter(study.encoders))
    refuse_own_code([study.encoders[encoder].use], allow)
    methods = [method for d, e, method in study.probes if (d, e) == (dataset, encoder)]
    probes = {slug(method): study.probe(method, encoder, dataset, allow) for method in methods}
    for name, probe in probes.items():
        checked(probe.metadata, _Noted, f"probe {name}: metadata", f"run `{DEMO_COMMAND}` again", DemoError)
    if dataset not in study.clips:
        raise DemoError(f"{study.folder} shows no clips: `{DEMO_COMMAND}` makes it anew")
    clips = study.clips[dataset].table
    titles = [
        f"{k} event{'s' if k > 1 else ''}, scene {seed}"
        for k, seed in zip(clips["polyphony"], clips["seed"], strict=True)
    ]
    # The probe of each method that a study keeps is that of the first seed.
    seeds = study.results.settings("results").get("compare", {}).get("seeds", [])
    listed = NO_RECORDINGS
    if recordings:
        try:
            listed = list_recordings(recordings, study.datasets[dataset].classes)
        except (ValueError, OSError) as error:
            raise DemoError(f"{FOLDER_VARIABLE} names no recordings that can be listed: {error}") from error
    return Workbench(
        load_encoder(study.encoders[encoder].use),
        probes,
        study.datasets[dataset].classes,
        clips.assign(title=titles),
        f"{encoder}: {kind(encoder)}",
        seeds[0] if seeds else None,
        listed,
        partial(_table, study, dataset, encoder),
    )


def _table(study: Study, dataset: str, encoder: str, name: str) -> pd.DataFrame | None:
    """A table of a study as pages take it: `probe` is a probe's name here, a scene has seed and polyphony."""
    if name not in study.results:
        return None
    frame = study.results.part(name, dataset, encoder)
    if "part" in frame:
        frame = frame[frame["part"] == PARTS[0]]
    if "method" in frame:
        frame = frame.assign(probe=frame["method"].map(slug))
    if "clip" in frame:
        scenes = {clip: scene_of(clip) for clip in frame["clip"].unique()}
        frame[["seed", "polyphony"]] = [scenes[clip] for clip in frame["clip"]]
    return frame
