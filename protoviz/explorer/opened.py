"""A study, one of its data sets and one of its encoders, as a `Workbench`."""

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import NotRequired, TypedDict

import pandas as pd

from protoviz.encoders import Encoder
from protoviz.experiments.opening import encoder_of
from protoviz.explorer.keeping import Kept
from protoviz.explorer.recordings import FOLDER_VARIABLE, list_recordings
from protoviz.explorer.text import count, kind
from protoviz.explorer.workbench import NO_RECORDINGS, BenchError, Workbench
from protoviz.figures.style import as_written, spoken
from protoviz.files import command, slug
from protoviz.probes import Probe
from protoviz.settings import checked
from protoviz.study import Study, StudyError
from protoviz.study.form import add_command


class _Noted(TypedDict):
    """The metadata of a probe, as far as it is read."""

    title: NotRequired[str]
    seed: NotRequired[int]
    mean_scores: NotRequired[list[float] | None]


def open_bench(
    study: Study,
    dataset: str,
    encoder: str,
    weights: str | Path | None = None,
    allow: Collection[str] = (),
    recordings: str = "",
) -> Workbench:
    """Return what the explorer shows of an encoder on a data set of a study.

    weights: the encoder's file, for sounds that the study does not keep. allow: modules whose code may run,
    for probes and encoders of one's own. recordings: a folder that is listed beside the clips. What is not at
    hand, or cannot be loaded, is left out and said in `remarks`. Raises BenchError, with the cure, where
    nothing is left to show.
    """
    folder = study.folder
    cure = f"{command('study', 'check', folder)} says what is wrong"
    try:
        if dataset not in study.clips:
            raise BenchError(f"it shows no clips of {dataset}: {add_command(folder)} keeps some")
        kept = Kept(study, dataset, encoder)
        found, absent = _at_hand(study, encoder, kept.seconds, weights, allow)
        kept = Kept(study, dataset, encoder, absent)
        if not kept.clips.keeps(encoder) and not (found and kept.scenes):
            cure = f"{add_command(folder)} keeps them"
            raise BenchError(absent or f"it keeps no maps by {encoder}: {cure}")
        every = found is not None and (kept.scenes or bool(kept.clips.table["sound"].all()))
        probes, left = _probes(study, dataset, encoder, allow, every)
        if not probes:
            raise BenchError("; ".join(left) or f"it has no probe of {encoder} on {dataset}: {cure}")
        # The probe of each method that a study keeps is that of the first seed.
        seeds = study.results.settings("results").get("compare", {}).get("seeds", [])
        return Workbench(
            found,
            probes,
            study.datasets[dataset].classes,
            _titled(kept.clips.table, kept.scenes),
            f"{encoder}: {kind(study.encoders[encoder].use)}",
            seeds[0] if seeds else None,
            _listed(recordings, study.datasets[dataset].classes) if found else NO_RECORDINGS,
            partial(_table, study, dataset, encoder),
            kept,
            [absent] * bool(absent) + left,
        )
    except ValueError as error:  # of a study, a probe or a table
        said = str(error)
        raise BenchError(f"{folder} cannot be shown: {said}{'' if '`' in said else f'; {cure}'}") from error


def _at_hand(study: Study, name: str, seconds: float, weights, allow) -> tuple[Encoder | None, str]:
    """The encoder, or None and why it is not at hand."""
    try:
        return encoder_of(study, name, seconds, weights, allow), ""
    except StudyError as error:
        return None, f"What is encoded anew, such as own sound, needs the encoder: {error}."


def _probes(
    study: Study, dataset: str, encoder: str, allow: Collection[str], every: bool
) -> tuple[dict[str, Probe], list[str]]:
    """The probes that can be shown, and why others are left out. every: each clip can be encoded anew."""
    found, left = {}, []
    for method in [method for d, e, method in study.probes if (d, e) == (dataset, encoder)]:
        try:
            probe = study.probe(method, encoder, dataset, allow)
            checked(probe.metadata, _Noted, f"probe {method}: metadata", "train it again", BenchError)
        except ValueError as error:
            left.append(f"{method} is left out: {error}")
            continue
        if probe.layers is not None and not every:
            left.append(f"{method} is left out: it reads layers {probe.layers}, and a study keeps the last")
            continue
        found[slug(method)] = probe
    return found, left


def _listed(folder: str, classes: tuple[str, ...]) -> pd.DataFrame:
    if not folder:
        return NO_RECORDINGS
    try:
        return list_recordings(folder, classes)
    except (ValueError, OSError) as error:
        raise BenchError(f"{FOLDER_VARIABLE} names no recordings that can be listed: `{error}`") from error


def _table(study: Study, dataset: str, encoder: str, name: str) -> pd.DataFrame | None:
    """A table of a study, its rows of one data set and encoder; `probe` is a probe's name here."""
    if name not in study.results:
        return None
    frame = study.results.part(name, dataset, encoder)
    if "method" not in frame:
        return frame
    names = {method: slug(method) for method in frame["method"].unique()}
    return frame.assign(probe=frame["method"].map(names))


def _titled(clips: pd.DataFrame, scenes: bool) -> pd.DataFrame:
    """A study's table of shown clips with a title each: a scene's events, or what sounds in a clip."""
    if scenes:
        pairs = zip(clips["polyphony"], clips["seed"], strict=True)
        return clips.assign(title=[f"{count(k, 'event')}, scene {seed}" for k, seed in pairs])
    labels = [spoken(" + ".join(map(as_written, one))) or "no label" for one in clips["labels"]]
    names = map(as_written, clips["clip"])
    return clips.assign(title=[f"{label}: {name}" for label, name in zip(labels, names, strict=True)])
