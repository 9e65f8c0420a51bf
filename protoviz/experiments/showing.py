"""The clips that pages show first, chosen among held-out clips by stated rules (`analysis.showing`)."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from protoviz.analysis.attention import coverage, over_cells
from protoviz.analysis.hits import hit_table
from protoviz.analysis.showing import FEW, MANY, NUMBERS, first_clips, heard, recommended
from protoviz.cache.view import TokenView
from protoviz.experiments.projections import compared_cells
from protoviz.probes import Probe
from protoviz.study import Study
from protoviz.training import predict_many

if TYPE_CHECKING:
    from protoviz.experiments.adding import Material

FAMILIES = ("cls", "prototype")  # of the two probes that are shown side by side, left and right


def compared(study: Study, dataset: str, encoder: str) -> list[str]:
    """Return the methods that pages compare first, left and right: of each of FAMILIES the trained one that
    validation recommends. [] where the study has none of a family, or no events to hold places against.
    """
    if "results" not in study.results or study.datasets[dataset].knows == "labels":
        return []
    runs = study.results.part("results", dataset, encoder)
    there = [method for *cell, method in study.probes if cell == [dataset, encoder]]
    runs = runs[runs.method.isin(there) & runs.validation.notna()]
    try:
        return [recommended(runs, family) for family in FAMILIES]
    except ValueError:
        return []


def showing_table(
    material: "Material", probes: dict[str, Probe], shown: Collection[str] | None, looked: int
) -> pd.DataFrame:
    """Return `first_clips` of two probes by their methods, left and right, with these.

    shown: the clips that can be looked at; None: any can be made from its id. So many of them as `looked`
    are asked, of FEW to MANY labels, in the order of the test clips.
    """
    test = material.test
    counts = np.asarray(test.targets()).sum(axis=1)
    fitting = (counts >= FEW) & (counts <= MANY)
    if shown is not None:
        fitting &= test.table["clip"].isin(shown).to_numpy()
    view = TokenView(test.cache, test.rows[np.flatnonzero(fitting)[:looked]])
    left, right = probes
    found = first_clips(numbers_of(material, view, *probes.values()), left, right)
    return found.assign(left=left, right=right)


def numbers_of(material: "Material", view: TokenView, left: Probe, right: Probe) -> pd.DataFrame:
    """Return NUMBERS of some clips; right: a prototype probe."""
    clips, grid, targets = view.table["clip"], material.grid, view.targets()
    logits = predict_many([left, right], view)
    found = {"clip": clips, "events": targets.sum(axis=1).astype(int)}
    found |= {"left": heard(logits[0], targets), "right": heard(logits[1], targets)}
    events = [material.events(clip) for clip in clips]
    hits = [_hits(right, view, number, held, grid) for number, held in enumerate(events)]
    attention = [_attention(material, clip, held) for clip, held in zip(clips, events, strict=True)]
    for names, values in ((("first", "five"), hits), (("mass", "area"), attention)):
        found |= dict(zip(names, np.array(values).reshape(-1, 2).T, strict=True))
    return pd.DataFrame(found)[NUMBERS]


def _hits(probe: Probe, view: TokenView, number: int, events, grid) -> tuple[float, float]:
    """Shares of the strongest prototype and of the five strongest on their events, means over classes."""
    batch = view.read([number], probe.layers)
    told = probe.explain(batch.tokens, batch.cls, batch.mask, maps=False).numpy()
    own = told.contributions, told.locations, view.classes, compared_cells(probe, grid)
    first, five = (hit_table([events], *own, k).share.mean() for k in (1, 5))
    return float(first), float(five)


def _attention(material: "Material", clip: str, events) -> tuple[float, float]:
    """The share of the last layer's attention on events, and their share of the cells; nan without any."""
    encoding = material.encoder.encode(material.sound(clip), attention=True)
    if encoding.attention is None:
        return np.nan, np.nan
    inside, real = coverage(material.grid, events).ravel(), encoding.mask[0].cpu().numpy()
    shares = over_cells(encoding.attention[-1].float().cpu().numpy()[0], real).mean(axis=0)
    return float(shares @ inside), float(inside[real].mean())
