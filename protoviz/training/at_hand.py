"""Tokens that a person has at hand, as `fit` reads them: arrays with labels, or a torch DataLoader."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from protoviz.probes.base import Probe
from protoviz.training.data import TokenData, TokenSource

# What `fit` takes: a split of a TokenCache, (tokens (n t d), labels), or a DataLoader of such batches.
Data = TokenSource | tuple[Any, Any] | Iterable[Any]
CLASSES = "classes"  # of `Probe.metadata`: their names in the order of the logits


def sources(train: Any, validation: Any, probe: Probe) -> tuple[TokenSource, TokenSource]:
    """Return training and validation data as token sources.

    Each is one already (a split of a TokenCache, TokenData), or (tokens (n t d), labels), or a DataLoader of
    such batches, which is read once into memory. Labels are class numbers (n), names (n), lists of names, or
    0 and 1 (n c). Names are counted in the order of the probe's metadata "classes", else by the alphabet,
    which is then kept there. Raises ValueError that says which labels do not fit.
    """
    given = [one if _is_source(one) else _arrays(one) for one in (train, validation)]
    if _is_source(given[0]) and _is_source(given[1]):
        return given[0], given[1]
    return tuple(
        one if _is_source(one) else TokenData(one[0], None, None, _targets(one[1], probe)) for one in given
    )


def _is_source(data: Any) -> bool:
    return hasattr(data, "batches")


def _arrays(data: Any) -> tuple[torch.Tensor, Any]:
    """Tokens (n t d), and labels as they are."""
    if isinstance(data, (tuple, list)) and len(data) == 2:
        tokens, labels = data
    else:
        try:
            pairs = [(batch[0], batch[1]) for batch in data]
        except (TypeError, IndexError, KeyError) as error:
            raise ValueError(
                f"training data cannot be of type {type(data).__name__}: give a split of a TokenCache, "
                "(tokens, labels), or a DataLoader of such batches"
            ) from error
        tokens = torch.cat([torch.as_tensor(one) for one, _ in pairs])
        labels = [label for _, some in pairs for label in some]
        labels = torch.stack(labels) if labels and isinstance(labels[0], torch.Tensor) else labels
    tokens = torch.as_tensor(tokens)
    if tokens.ndim != 3 or len(tokens) != len(labels):
        raise ValueError(
            f"tokens {tuple(tokens.shape)} and {len(labels)} labels: tokens have to be "
            "(clips, tokens, width), with labels for each clip"
        )
    return tokens, labels


def _targets(labels: Any, probe: Probe) -> torch.Tensor:
    """The truth (n c) of labels in any of their forms."""
    rows = labels.tolist() if isinstance(labels, np.ndarray) and labels.dtype.kind in "UO" else labels
    if not isinstance(rows, (torch.Tensor, np.ndarray)):
        names = [[one] if isinstance(one, str) else one for one in rows]
        if any(isinstance(row, (list, tuple)) and row and isinstance(row[0], str) for row in names):
            return _named(names, probe)
    found = torch.as_tensor(np.asarray(labels))
    if found.ndim == 2 and found.shape[1] == probe.classes:
        return found.float()
    whole = found.ndim == 1 and not found.is_floating_point()
    if not (whole and int(found.min()) >= 0 and int(found.max()) < probe.classes):
        raise ValueError(
            f"labels {tuple(found.shape)} do not fit {probe.classes} classes: give class numbers from 0 to "
            f"{probe.classes - 1}, names, or 0 and 1 for each class"
        )
    return torch.nn.functional.one_hot(found.long(), probe.classes).float()


def _named(labels: list[list[str]], probe: Probe) -> torch.Tensor:
    here = sorted({name for row in labels for name in row})
    classes = list(probe.metadata.setdefault(CLASSES, here))
    if strange := [name for name in here if name not in classes]:
        raise ValueError(f"label {strange[0]!r} is none of the classes {', '.join(classes)}")
    if len(classes) != probe.classes:
        raise ValueError(
            f"there are {len(classes)} names ({', '.join(classes[:5])} ...) and the probe has "
            f"{probe.classes} classes: build it with as many"
        )
    where = {name: place for place, name in enumerate(classes)}
    targets = torch.zeros(len(labels), probe.classes)
    for row, names in zip(targets, labels, strict=True):
        row[[where[name] for name in names]] = 1
    return targets
