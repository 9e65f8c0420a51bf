"""Figures of a study's probes by name: how prototypes lie, what the classifier reads, what a file takes."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from protoviz.analysis.geometry import prototype_order
from protoviz.analysis.matrix_pictures import cosine_image
from protoviz.figures import prototypes
from protoviz.figures.asked import OfEncoder, OfProbe
from protoviz.figures.diagram import protobin_diagram
from protoviz.probes import family_of, stored
from protoviz.study import Study, StudyError
from protoviz.study.form import probe_file

if TYPE_CHECKING:
    from protoviz.probes import Probe

Made = tuple[object, pd.DataFrame]  # what is drawn, and the table behind it
PAPERS = "protobin"  # the method that the paper is about


def cell_of(
    study: Study,
    method: str | None = None,
    encoder: str | None = None,
    dataset: str | None = None,
    family: str | None = None,
) -> tuple[str, str, str]:
    """Return (data set, encoder, method) of a trained probe that fits what is asked for: protobin, else the
    first.

    family: that of its method. Raises StudyError that lists those there are.
    """
    asked = (dataset, encoder, method)
    fitting = [
        cell
        for cell in study.probes
        if all(want in (None, name) for want, name in zip(asked, cell, strict=True))
        and (family is None or family_of(study.methods[cell[2]]) == family)
    ]
    if fitting:
        return next((cell for cell in fitting if study.methods[cell[2]] == PAPERS), fitting[0])
    there = "; ".join(", ".join(cell) for cell in study.probes) or "none: `protoviz study run` trains them"
    wanted = ", ".join(name for name in asked if name) or (f"of {family}s" if family else "at all")
    raise StudyError(f"{study.folder} has no such probe ({wanted}); it has {there}")


def histogram(study: Study, asked: OfProbe) -> Made:
    """Return `cosine_histogram` of a probe's prototypes and its bins."""
    vectors, _, _ = _prototypes(study, asked)
    drawn = prototypes.cosine_histogram(vectors, dark=asked.dark)
    bars, corners = (layer.dframe() for layer in (drawn.Histogram.Prototypes, next(iter(drawn.Curve))))
    column = "share of pairs, %"
    return drawn, bars.assign(**{"random ±1 corners, %": corners[column].to_numpy()})


def cosines(study: Study, asked: OfProbe) -> Made:
    """Return `cosine_map` of a probe's prototypes in the order of their classes, and its pixels."""
    vectors, weight, _ = _prototypes(study, asked)
    order = prototype_order("class", vectors, weight)
    pixels = pd.DataFrame(cosine_image(vectors[np.asarray(order)], prototypes.MOST))
    return prototypes.cosine_map(vectors, order, dark=asked.dark), pixels


def weights(study: Study, asked: OfProbe) -> Made:
    """Return `weight_map` of a probe's classifier, and a row a class."""
    vectors, weight, names = _prototypes(study, asked)
    order = prototype_order("class", vectors, weight)
    table = pd.DataFrame(weight[:, order], columns=[f"prototype {j}" for j in order])
    table.insert(0, "class", names)
    return prototypes.weight_map(weight, names, order, asked.dark), table


def storage(study: Study, asked: OfEncoder) -> Made:
    """Return `storage_bars` of the probes of one encoder and data set, and their parts."""
    dataset, encoder, _ = cell_of(study, None, asked.encoder, asked.dataset)
    cells = [cell for cell in study.probes if cell[:2] == (dataset, encoder)]
    files = {cell[2]: stored(probe_file(study.folder, *cell)) for cell in cells}
    table = pd.concat([frame.assign(method=method) for method, frame in files.items()], ignore_index=True)
    return prototypes.storage_bars(files, asked.dark), table


def steps(study: Study, asked: OfProbe) -> Made:
    """Return `protobin_diagram` with the sizes of a probe, and those."""
    cell = cell_of(study, asked.method, asked.encoder, asked.dataset, "prototype")
    probe, grid = _probe(study, cell), study.encoders[cell[1]].grid
    sizes = {"T": grid[0], "F": grid[1], "D": probe.dim, "J": probe.count, "C": probe.classes}
    return protobin_diagram(grid, probe.dim, probe.count, probe.classes, asked.dark), pd.DataFrame([sizes])


def _probe(study: Study, cell: tuple[str, str, str]) -> "Probe":
    dataset, encoder, method = cell
    return study.probe(method, encoder, dataset)


def _prototypes(study: Study, asked: OfProbe) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(j d) as they are compared, (c j) the classifier's weights, and the classes."""
    probe = _probe(study, cell_of(study, asked.method, asked.encoder, asked.dataset, "prototype"))
    weight, _ = probe.class_weights()
    vectors, weight = (part.detach().numpy() for part in (probe.prototypes(), weight))
    return vectors, weight, list(probe.metadata["classes"])
