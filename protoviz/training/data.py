"""What training reads: token maps of a cache or in memory, each batch prepared once for several probes."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from typing import Protocol

import numpy as np
import torch

from protoviz.cache import TokenBatch
from protoviz.probes.base import Probe, ProbeError
from protoviz.probes.cosine_max import SharedTokens
from protoviz.probes.inputs import hidden, mean_token
from protoviz.probes.layers import listed
from protoviz.probes.prototype import PrototypeProbe


class TokenSource(Protocol):
    """What `fit` and `predict` read: a split of a token cache, or TokenData.

    One with a `fingerprint` (str) of its own, as those two have, is not read to tell it from others. One with
    `made_by`, as splits of a token cache have, says which encoder made it, and probes of another are refused.
    One with `layers`, numbers in rising order, says which it holds, and its `batches` take `layers=`.
    """

    def __len__(self) -> int: ...
    def batches(self, size: int = 128, seed: int | None = None) -> Iterator[TokenBatch]: ...
    def targets(self) -> np.ndarray: ...


class TokenData:
    """Token maps in memory, with the face of a cache split; `TokenData(*batch)` holds one TokenBatch."""

    def __init__(
        self,
        tokens: torch.Tensor,  # (n_clips n d), or of several layers (n_clips l n d)
        cls: torch.Tensor | None,  # (n_clips d) or (n_clips l d); None: the mean of the real tokens
        mask: torch.Tensor | None,  # (n_clips n) bool; None: all tokens are real
        targets: torch.Tensor | np.ndarray,  # (n_clips c), 1 where the clip holds the class; or (n_clips t c)
        layers: Sequence[int] | None = None,  # of tokens (n_clips l n d); None: 1 to l
    ):
        self._tokens = tokens
        self.layers = tuple(layers or range(1, tokens.shape[1] + 1)) if tokens.ndim == 4 else None
        clips = len(tokens), tokens.shape[-2]
        self._mask = torch.ones(clips, dtype=torch.bool) if mask is None else mask
        self._cls = _mean(tokens, self._mask) if cls is None else cls.float()
        self._targets = torch.as_tensor(targets).float()
        lengths = [len(part) for part in (self._tokens, self._cls, self._mask, self._targets)]
        if len(set(lengths)) > 1:
            raise ValueError(f"tokens, cls, mask and targets hold {lengths} clips: give as many of each")

    def __len__(self) -> int:
        return len(self._tokens)

    def batches(
        self, size: int = 128, seed: int | None = None, layers: Sequence[int] | int | None = None
    ) -> Iterator[TokenBatch]:
        """Return batches of `size` clips, the last may be smaller; shuffled from
        `seed`, in order without one.

        layers: of several, as in `TokenCache.batches`.
        """
        for index in _order(len(self), seed).split(size) if len(self) else ():  # torch splits none into one
            batch = TokenBatch(self._tokens[index], self._cls[index], self._mask[index], self._targets[index])
            yield batch.of_layers(layers, self.layers) if self.layers else batch

    def targets(self) -> np.ndarray:
        """Return the truth of all clips (n c), in order."""
        return self._targets.numpy()

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) of all that is held."""
        return digest_of([self._tokens, self._cls, self._mask, self._targets])


def real_frames(data: TokenSource, frames: int) -> np.ndarray:
    """Return which frames hold sound (n_clips t); the others are padding."""
    masks = [batch.mask.unflatten(1, (frames, -1)).any(2) for batch in data.batches(128)]
    return torch.cat(masks).numpy() if masks else np.zeros((0, frames), bool)


def clip_logits(logits: np.ndarray, data: TokenSource) -> np.ndarray:
    """Return logits (n_clips c) of logits of clips, or of frames (n_clips t c): the largest with sound."""
    if logits.ndim == 2:
        return logits
    real = real_frames(data, logits.shape[1])
    return np.where(real[..., None], logits, -np.inf).max(1)


def digest_of(tensors: Iterable[torch.Tensor]) -> str:
    """Return sha256 (hex) of shapes, types and values."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def fingerprint(data: TokenSource) -> str:
    """Return what tells data sets apart: their own `fingerprint`, else sha256 (hex) of all that one pass
    reads.

    The targets alone would not do: two encoders' tokens of the same clips have the same ones.
    """
    own = getattr(data, "fingerprint", None)
    return own or digest_of(part for batch in data.batches(128) for part in batch)


class MapBatch:
    """One batch of token maps for some probes: moved, checked, widened and normalised once for all of them.

    Beside the batch as it was read it holds a copy of the tokens in the probes' float type where several
    attend to tokens, and one of norm 1 where several compare them with prototypes. A probe computes the same
    bits as on the batch alone.
    """

    def __init__(self, batch: TokenBatch, probes: Sequence[Probe], layers: tuple[int, ...] | None = None):
        """layers: of a batch (b l n d); None: it is what every probe reads."""
        self.targets = batch.targets
        alike = [probe for probe in probes if not isinstance(probe.layers, list)]
        comparing = sum(isinstance(probe, PrototypeProbe) for probe in alike)
        self._normalise = comparing > 1
        self._widen = sum("tokens" in probe.reads for probe in alike) - comparing > 1
        self._batch, self._layers = batch, layers
        self._moved: dict[tuple, tuple] = {}
        self._wide: dict[tuple, torch.Tensor] = {}
        self._inputs: dict[tuple, tuple[tuple, AbstractContextManager]] = {}

    def pooled(self, probe: Probe) -> torch.Tensor:
        """Return the probe's descriptor (b k), with gradient."""
        return self._put_to(probe, probe.pool)

    def scored(self, probe: PrototypeProbe) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the prototypes' scores (b j) and locations n (b j)."""
        return self._put_to(probe, probe.score)

    def _put_to(self, probe: Probe, question: Callable):
        """What a method of the probe answers to the prepared inputs."""
        inputs, sharing = self.inputs(probe)
        with sharing:
            return question(*probe.mixed(*inputs))

    def inputs(self, probe: Probe) -> tuple[tuple, AbstractContextManager]:
        """Return what `prepare` gives the probe, and the `with` in which it is compared."""
        device = next(probe.parameters()).device
        key = device, *_reading(probe)
        if key not in self._inputs:
            self._inputs[key] = self._prepared(probe, device)
        return self._inputs[key]

    def _prepared(self, probe: Probe, device: torch.device) -> tuple[tuple, AbstractContextManager]:
        place = device, str(probe.layers)
        if place not in self._moved:
            batch = self._batch.of_layers(probe.layers, self._layers) if self._layers else self._batch
            self._moved[place] = tuple(part.to(device, non_blocking=True) for part in batch[:3])
        tokens, cls, mask = probe.prepare(*self._moved[place])
        plain = probe.centre is None and not isinstance(probe.layers, list)
        if self._widen and plain and "tokens" in probe.reads:
            kind = *place, probe.dtype
            if kind not in self._wide:
                self._wide[kind] = tokens.to(probe.dtype)
            tokens = self._wide[kind]
        return (tokens, cls, mask), SharedTokens(tokens) if self._normalise else nullcontext()


def map_batches(
    data: TokenSource, probes: Sequence[Probe], size: int, seed: int | None = None
) -> Iterator[MapBatch]:
    """Yield the batches of one pass over `data`, each read once for all `probes`.

    It holds none of them while it reads the next, so that who drops a batch before asking for another keeps
    memory at one. Of data of several layers only those are read that a probe asks for.
    """
    layers = _asked(data, probes)
    asked = {} if layers is None else {"layers": layers}
    for batch in data.batches(size, seed=seed, **asked):
        prepared = MapBatch(batch, probes, layers)
        del batch
        yield prepared
        del prepared


def _asked(data: TokenSource, probes: Sequence[Probe]) -> tuple[int, ...] | None:
    """The layers that some probe reads; None where all read the last, or the data cannot tell its layers."""
    held = getattr(data, "layers", None)
    if held is None or all(probe.layers is None for probe in probes):
        return None
    asked: set[int] = set()
    for probe in probes:
        own = listed(probe.layers, held[-1])
        if missing := [layer for layer in own if layer not in held]:
            raise ProbeError(
                f"{probe.name} reads layers {missing}, and these tokens are of {list(held)}: "
                "encode with more (layers=), or build the probe with layers that are there"
            )
        asked |= {*own}
    return tuple(sorted(asked))


class FixedVectors:
    """The descriptors of poolings without weights, computed in one pass; token maps are not needed again.

    Memory: clips x descriptor width x 4 bytes for each different pooling (10,000 clips of width 768: 31 MB).
    """

    def __init__(self, data: TokenSource, probes: Sequence[Probe], size: int = 128):
        # Of clips kept in several views all are held, and a pass draws as the source would.
        self._drawn = getattr(data, "drawn", partial(_order, len(data)))
        data = getattr(data, "every", data)
        users = {_pooling(probe): probe for probe in probes}
        parts: dict[tuple, list] = {key: [] for key in users}
        targets = []
        with torch.no_grad():
            for batch in map_batches(data, list(users.values()), size):
                targets.append(batch.targets)
                for key, probe in users.items():
                    parts[key].append(batch.pooled(probe))
        self._vectors = {key: torch.cat(part) for key, part in parts.items()}
        self._targets = torch.cat(targets)

    def batches(self, size: int, seed: int | None = None) -> Iterator["FixedBatch"]:
        """Yield as `batches` of a token source; the order is that of TokenData and of a token cache."""
        for index in torch.as_tensor(self._drawn(seed)).split(size):
            yield FixedBatch(self._vectors, self._targets, index)


class FixedBatch:
    """Some clips of FixedVectors, with the face of a MapBatch."""

    def __init__(self, vectors: dict, targets: torch.Tensor, index: torch.Tensor):
        self._vectors, self._index = vectors, index
        self.targets = targets[index]

    def pooled(self, probe: Probe) -> torch.Tensor:
        """Return the probe's descriptor (b k)."""
        vectors = self._vectors[_pooling(probe)]
        return vectors[self._index.to(vectors.device)]


def _pooling(probe: Probe) -> tuple:
    """The same for probes whose fixed pooling gives the same vectors."""
    return type(probe), *_reading(probe), probe.grid, next(probe.parameters()).device


def _reading(probe: Probe) -> tuple:
    """The same for probes that `prepare` gives the same inputs."""
    common = probe.common.cpu().numpy().tobytes() if probe.centre == "train" else b""
    return str(probe.layers), probe.reads, probe.dim, probe.dtype, probe.centre, common


def find_common(probes: Sequence[Probe], data: TokenSource, size: int = 128) -> None:
    """Give probes that are centred on training clips the mean of all their real tokens, from one pass.

    Their `common` has to be zero. Means are summed in float64. Other probes are left alone.
    """
    probes = [probe for probe in probes if probe.centre == "train"]
    sums, count = [0.0] * len(probes), 0
    for batch in map_batches(data, probes, size) if probes else ():
        found = {}
        for number, probe in enumerate(probes):
            (tokens, _, mask), _ = batch.inputs(probe)
            if id(tokens) not in found:  # probes that read alike share it
                found[id(tokens)] = tokens.sum(0, dtype=torch.float64).sum(-2)
            sums[number] = sums[number] + found[id(tokens)]
        count += len(tokens) * tokens.shape[-2] if mask is None else int(mask.sum())
    for probe, total in zip(probes, sums, strict=True):
        probe.common.copy_(total / max(count, 1))


def _order(count: int, seed: int | None) -> torch.Tensor:
    if seed is None:
        return torch.arange(count)
    return torch.from_numpy(np.random.default_rng(seed).permutation(count))


def _mean(tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return mean_token(hidden(tokens, mask), mask, torch.float32)
