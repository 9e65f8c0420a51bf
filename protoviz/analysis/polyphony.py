"""Scores over polyphony: what a probe keeps when more events share a scene, and what chance does meanwhile.

Average precision of a random order is about the share of clips that hold the class. With k events of C
classes that share is k / C: it rises with k and lifts every curve by itself. Hence two more scales.
"""

from pathlib import Path

import pandas as pd

from protoviz.analysis.by_polyphony import REFERENCE
from protoviz.analysis.ranking import intervals
from protoviz.analysis.results import sources
from protoviz.analysis.tables import of_names, probe_of, table_file
from protoviz.kept import read_frame
from protoviz.probes import PROBES, family_of

PREFERRED = ("polyphony", "demo")  # tables: one made by the polyphony experiment, else the demo's own
SCALES = {
    "score": "mAP",
    "above chance": "mAP minus chance",
    "normalised": "(mAP − chance) / (1 − chance)",
}
# Measures that prevalence does not move, in tables made by the polyphony experiment.
METRICS = {
    "AUROC": "mean AUROC",
    "calibrated mAP": f"mAP at a prevalence of {100 * REFERENCE:.0f} %",
}
VIEWS = {**SCALES, **METRICS}  # all that curves can show
# What the files beside a table made by the polyphony experiment can show.
PICTURES = {"loudness": "events found, by their level", "places": "first place of a map on the event"}
# Which methods stand in one figure where a table holds more than eye and labels can keep apart.
GROUPS = {
    "main": "one of each family",
    "prototype": "prototypes",
    "attentive": "attention",
    "token map": "[cls] and token maps",
}
NO_PROBE = ("[cls] attention", "loudest cell")  # maps that no probe is behind
MANY = 8  # methods: as many lines keep their names apart
HITS = "first place hits"


def polyphony_tables(frame: pd.DataFrame) -> list[str]:
    """Return the tables of `results` that hold scores by polyphony, the one to show first in front."""
    return sources(frame[frame.polyphony > 0], *PREFERRED)


def polyphony_runs(
    frame: pd.DataFrame, table: str, encoder: str, dataset: str = "", scale: str = "score"
) -> pd.DataFrame:
    """Return the rows of `results` behind one set of curves: one table, encoder and data set, at each k.

    dataset: "" or one that is not there: the first by name. scale: one of VIEWS; it decides the metric.
    """
    rows = frame[(frame.source == table) & (frame.encoder == encoder) & (frame.polyphony > 0)]
    if not len(rows):
        return rows
    chosen = dataset if dataset in set(rows.dataset) else rows.dataset.min()
    return rows[(rows.dataset == chosen) & (rows.metric == metric_of(scale))]


def metric_of(scale: str) -> str:
    """Return the metric in the column of that name behind one of VIEWS."""
    return scale if scale in METRICS else "mAP"


def views(frame: pd.DataFrame) -> dict[str, str]:
    """Return those of VIEWS that the rows of `results` can be shown as: key -> what the axis says."""
    there = set(frame.metric)
    return {key: told for key, told in VIEWS.items() if metric_of(key) in there}


def curves(frame: pd.DataFrame, scale: str = "score") -> pd.DataFrame:
    """Return a frame: method, polyphony, score, low, high, chance, clips: each method's mean over seeds with
    its interval.

    frame: rows of `results` of one encoder, table and data set; rows of all clips (polyphony 0) and of other
    metrics are left out. scale: one of VIEWS; above chance and normalised, chance is scaled like the scores,
    so it is 0.
    """
    if scale not in VIEWS:
        raise ValueError(f"there is no scale {scale!r}: choose one of {', '.join(VIEWS)}")
    frame = frame[(frame.polyphony > 0) & (frame.metric == metric_of(scale))]
    frame = frame.assign(score=_scaled(frame.score, frame.chance, scale))
    table = intervals(frame, ["method", "polyphony"])
    known = frame.groupby(["method", "polyphony"])[["chance", "clips"]].first()
    table = table.join(known, on=["method", "polyphony"])
    return table.assign(chance=_scaled(table.chance, table.chance, scale))


def grouped(frame: pd.DataFrame, group: str = "main") -> pd.DataFrame:
    """Return the rows of a group of methods (GROUPS); all of them where there are at most MANY methods.

    Rows of no method ("[cls] attention" and "loudest cell" of `localisation`) stay in every group.
    """
    if group not in GROUPS:
        raise ValueError(f"there is no group {group!r}: choose one of {', '.join(GROUPS)}")
    if not is_large(frame):
        return frame
    if group == "main":
        shown = {name for name, probe in PROBES.items() if probe.main}
        chosen = of_names(frame.method, probe_of).isin(shown)
    else:
        family = of_names(frame.method, family_of)
        chosen = ~family.isin(["prototype", "attentive"]) if group == "token map" else family == group
    return frame[chosen | frame.method.isin(NO_PROBE)]


def is_large(frame: pd.DataFrame) -> bool:
    """Return whether a frame holds more methods than one figure shows."""
    return len(set(frame.method) - set(NO_PROBE)) > MANY


def lead(table: pd.DataFrame, first: str, second: str, over: str = "polyphony") -> pd.DataFrame:
    """Return a frame: polyphony, lead (first minus second) and settled (their intervals do not cross); table:
    `curves`, or others with a column `over` in place of polyphony. Where one of both lacks it is no row.
    """
    one, two = (table[table.method == name].set_index(over) for name in (first, second))
    both = one.add_suffix("_one").join(two.add_suffix("_two"), how="inner")
    apart = (both.low_one > both.high_two) | (both.low_two > both.high_one)
    told = pd.DataFrame({"lead": both.score_one - both.score_two, "settled": apart})
    return told.reset_index()


def _scaled(score: pd.Series, chance: pd.Series, scale: str) -> pd.Series:
    if scale == "score" or scale in METRICS:
        return score
    above = score - chance
    return above if scale == "above chance" else above / (1 - chance)


# -- how often events are found, and where probes looked


def loudness(folder: str | Path | None = None) -> pd.DataFrame:
    """Return a frame: dataset, encoder, method, seed, polyphony, low_db, high_db, found, events, chance; or
    nothing.

    Read from the table polyphony-loudness, which `protoviz polyphony` makes (see `recall_by_level`).
    """
    return _table("polyphony-loudness", folder)


def localisation(folder: str | Path | None = None) -> pd.DataFrame:
    """Return a frame: dataset, encoder, method, map, measure, polyphony, score, low, high, chance, scenes; or
    nothing.

    Read from the table localisation, which `protoviz polyphony` makes (see `hit_intervals`).
    """
    return _table("localisation", folder)


def strong(folder: str | Path | None = None) -> pd.DataFrame:
    """Return a frame: clip, map, measure, score, chance, method, seed: places in recordings that people
    labelled; or nothing.

    Read from the table strong, which `protoviz polyphony --strong` makes (see `event_hits`).
    """
    return _table("strong", folder)


def labelled_hits(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame: method, map, measure, score, low, high, chance, clips; frame: of `strong`.

    The interval is over clips; chance: the mean share of a clip's cells that share time with an event.
    """
    table = intervals(frame.assign(dataset="recordings"), ["method", "map", "measure"], unit="clip")
    chance = frame.groupby("clip").chance.first()
    return table.assign(chance=chance.mean(), clips=len(chance))


def recall_curves(frame: pd.DataFrame, least: int = 2) -> pd.DataFrame:
    """Return a frame: method, low_db, high_db, recall, low, high, chance, events: how often events are found
    by their level.

    frame: of `loudness`, one encoder and data set; scenes of fewer than `least` events are left out, and the
    others pooled: an event counts once, whatever the number of events around it. The interval is over seeds;
    events: of one seed.
    """
    frame = frame[frame.polyphony >= least].assign(weighted=lambda rows: rows.chance * rows.events)
    keys = ["method", "low_db", "high_db"]
    sums = frame.groupby([*keys, "seed"], sort=False)[["found", "events", "weighted"]].sum().reset_index()
    sums = sums.assign(score=sums.found / sums.events, chance=sums.weighted / sums.events, dataset="")
    table = intervals(sums, keys).rename(columns={"score": "recall"})
    known = sums.groupby(keys)[["chance", "events"]].first()
    return table.join(known, on=keys).sort_values(["method", "low_db"], ignore_index=True)


def at_polyphony(scores: pd.DataFrame, places: pd.DataFrame, k: int) -> pd.DataFrame:
    """Return a frame: method, measure, score, sd: every metric at one number of events, and how often a first
    place hits.

    scores: rows of results/polyphony.parquet of one encoder and data set; places: likewise of `localisation`.
    Means over seeds; sd: of n - 1 seeds, nan where none is known. The measure HITS is of a map for each
    class: the prototypes', or what the cells add. Maps that are the same for every class have a row of their
    own with this measure alone: "mhca, attention", and those that no probe is behind (NO_PROBE). The last
    method is chance.
    """
    rows = scores[scores.polyphony == k]
    if rows.empty:
        return pd.DataFrame(columns=["method", "measure", "score", "sd"])
    keys = ["method", "metric"]
    means = rows.groupby(keys, sort=False).score.agg(score="mean", sd="std").reset_index()
    hits = places[(places.polyphony == k) & (places.measure == "first")]
    every = hits["map"] == "attention"
    hits = hits.assign(method=hits.method.where(~every, hits.method + ", attention"))
    order = {"prototypes": 0, "cells": 0, "attention": 1} | dict.fromkeys(NO_PROBE, 2)
    hits = hits.sort_values("map", key=lambda names: names.map(order), kind="stable")
    chance = rows.groupby("metric", sort=False).chance.first().rename("score").reset_index()
    found = [
        means.rename(columns={"metric": "measure"}),
        hits.assign(measure=HITS, sd=float("nan")),
        chance.rename(columns={"metric": "measure"}).assign(method="chance"),
    ]
    if len(hits):
        found.append(pd.DataFrame({"method": ["chance"], "measure": [HITS], "score": [hits.chance.mean()]}))
    return pd.concat(found, ignore_index=True)[["method", "measure", "score", "sd"]]


def _table(stem: str, folder: str | Path | None) -> pd.DataFrame:
    path = table_file(folder, stem)
    return read_frame(path) if path.exists() else pd.DataFrame()
