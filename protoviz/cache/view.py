"""Some clips of a token cache: a split, those of a class, with another truth, one view of each at a time."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from protoviz.cache.batch import TokenBatch

if TYPE_CHECKING:
    from protoviz.cache.store import TokenCache


class TokenView:
    """Some clips of a token cache, in the order of its table.

    Of a clip that was kept in several views (`datasets.views`) each pass in a seed's order gives one, which
    the seed draws too; all else is the clip itself. further: the views that may be drawn, in the form of
    `TokenCache.further`, which they are where none are given. truth: of each row, in place of the cache's
    targets.
    """

    def __init__(
        self,
        cache: "TokenCache",
        rows: np.ndarray,
        further: np.ndarray | None = None,
        truth: np.ndarray | None = None,
    ):
        self.cache, self.rows, self._truth = cache, rows, truth
        self.further = cache.further if further is None else further
        self.classes, self.grid, self.dim = cache.classes, cache.grid, cache.dim
        self.layers = cache.layers

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def table(self) -> pd.DataFrame:
        """The rows of the clip table, numbered anew."""
        return self.cache.table.iloc[self.rows].reset_index(drop=True)

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of what decides these token maps and their targets: the cache, the rows, the truth."""
        made_from = self.cache.fingerprint.encode() + np.asarray(self.rows, np.int64).tobytes()
        if len(self.further) != len(self.cache.further):
            made_from += b"views" + self.further.tobytes()
        if self._truth is not None:
            made_from += np.ascontiguousarray(self._truth).tobytes()
        return hashlib.sha256(made_from).hexdigest()

    @property
    def made_by(self) -> dict:
        """The encoder, as `TokenCache.made_by`."""
        return self.cache.made_by

    def without(self, clips: Collection[str]) -> "TokenView":
        """Return the same without some clips, or views of clips, by their ids."""
        kept = ~self.cache.table["clip"].isin(clips).to_numpy()
        here, further = kept[self.rows], self.further[kept[self.further[:, 1]]]
        truth = None if self._truth is None else self._truth[here]
        return TokenView(self.cache, self.rows[here], further, truth)

    def with_targets(self, truth: np.ndarray) -> "TokenView":
        """Return the same clips with another truth: float32 (b c), or (b t c) of what each frame holds.

        Their further views are left out: in a shifted or mixed one the truth of a frame is another.
        """
        if len(truth) != len(self) or truth.shape[-1] != len(self.classes):
            raise ValueError(
                f"targets {truth.shape} do not fit {len(self)} clips and {len(self.classes)} classes: give "
                "(clips, classes), or (clips, frames, classes)"
            )
        return TokenView(self.cache, self.rows, self.further[:0], truth)

    @cached_property
    def every(self) -> "TokenView":
        """All views of these clips as clips of their own, those of one clip behind each other."""
        return self if self._counts is None else TokenView(self.cache, self._every, self.further[:0])

    @cached_property
    def _counts(self) -> np.ndarray | None:
        """(b) the views of each clip; None where each has one."""
        own = self.further[np.isin(self.further[:, 0], self.rows)]
        if not len(own):
            return None
        place = np.full(len(self.cache), -1)
        place[self.rows] = np.arange(len(self.rows))
        clip = np.concatenate([np.arange(len(self.rows)), place[own[:, 0]]])
        self._every = np.concatenate([self.rows, own[:, 1]])[np.argsort(clip, kind="stable")]
        return np.bincount(clip, minlength=len(self.rows))

    def drawn(self, seed: int | None) -> np.ndarray:
        """Return which rows of `every` a pass reads, one of each clip; seed None: the clips themselves."""
        make, order = np.random.default_rng(seed), np.arange(len(self))
        order = order if seed is None else make.permutation(order)
        if self._counts is None:
            return order
        first = (np.cumsum(self._counts) - self._counts)[order]
        return first if seed is None else first + make.integers(self._counts[order])

    def first(self, count: int) -> "TokenView":
        """Return a view of its first so many clips."""
        truth = None if self._truth is None else self._truth[:count]
        return TokenView(self.cache, self.rows[:count], self.further, truth)

    def read(
        self, indices: int | Sequence[int] | np.ndarray, layers: Sequence[int] | int | None = None
    ) -> TokenBatch:
        """Return the clips at `indices`, which are rows of this view's table."""
        batch = self.cache.read(self.rows[indices], layers)
        if self._truth is None:
            return batch
        return batch._replace(targets=torch.from_numpy(self._truth[np.atleast_1d(indices)]))

    def batches(
        self, size: int = 128, seed: int | None = None, layers: Sequence[int] | int | None = None
    ) -> Iterator[TokenBatch]:
        """Yield every clip once, `size` at a time; seed None: in the table's order, else shuffled by it.

        layers: as in `TokenCache.read`.
        """
        if size < 1:
            raise ValueError(f"a batch needs at least 1 clip, not size={size}")
        every, order = self.every, self.drawn(seed)
        for start in range(0, len(order), size):
            yield every.read(order[start : start + size], layers)

    def targets(self) -> np.ndarray:
        """Return (b c) float32, or what `with_targets` was given, in the order of the table."""
        return np.asarray(self.cache._targets[self.rows]) if self._truth is None else self._truth
