"""The token most like a prototype: ways to find it in one tile of clips x prototypes, and which is taken.

`Plain` multiplies in one type and keeps maximum and place. `Screened` multiplies in bfloat16, lists the
tokens that can still win after the worst rounding, and decides between these few with float32 products, so
that winner and score are float32's. The processor decides which is taken (`preferred`), never a clock: two
processes on one machine take the same, however busy it is.
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from protoviz.encoders.devices import cpu_flag, has_bfloat16

WIDE = 192  # width from which on screening is quicker than float32 products


def multiply(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return (m j) from (m d) and (j d), by whatever stands behind `torch.mm`."""
    return a @ b.t()


def multiply_onednn(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the same by oneDNN, which `torch.mm` asks for half types only.

    MKL, which it asks for float32, leaves AVX-512 alone on processors of other makers; oneDNN does not. The
    operator is the one that torch's compiler calls; it is no public name, so `choose` tries it before use.
    """
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")


PRODUCTS = {"mm": multiply, "onednn": multiply_onednn}  # of float32


class Plain:
    """One product, one pass that keeps the maximum and its first place."""

    def __init__(self, prototypes: torch.Tensor, norms: torch.Tensor, dtype: torch.dtype, multiply=multiply):
        self.prototypes, self.norms, self.dtype, self.multiply = prototypes, norms, dtype, multiply

    def load(self, unit: torch.Tensor, hidden: torch.Tensor | None) -> Plain:
        """Return a copy with tokens (b n d) of norm 1 for the tiles to come; `hidden`: rows b*n+n to skip."""
        new = copy(self)
        new.shape, new.hidden = unit.shape, hidden
        new.rows = unit.view(-1, unit.shape[2]).to(self.dtype)
        return new

    def best(self, some: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Return largest cosines (b j) of some prototypes and their tokens (b j); -inf if all are hidden."""
        return self._largest(*self._products(some))

    def ends(self, some: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Return largest and lowest cosines (2 b j) of some prototypes and their tokens, by one product."""
        tile, norms = self._products(some)
        high, top = self._largest(tile, norms)
        low, bottom = self._largest(tile.neg_(), norms)
        return torch.stack([high, -low]), torch.stack([top, bottom])

    def _products(self, some: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Products (b*n j), and what divides them (j,)."""
        weight, norms = self.prototypes[some], self.norms[some]
        if self.dtype != norms.dtype:  # half types: of norm 1, so that nothing overflows
            weight, norms = weight / norms[:, None], torch.ones_like(norms)
        return self.multiply(self.rows, weight.to(self.dtype)), norms

    def _largest(self, tile: torch.Tensor, norms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.hidden is not None:
            tile.index_fill_(0, self.hidden, -torch.inf)
        best, where = _first_max(tile.view(*self.shape[:2], -1))
        return best.to(norms.dtype) / norms, where


def _first_max(tile: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Maximum (b j) over n of (b n j), and its first place.

    On a CPU the tile is seen as a channels-last image (b j n 1): one max pooling gives value and place in one
    vectorised pass, many times faster than `max(1)` and with the same rule for ties.
    """
    if tile.device.type != "cpu":
        return tile.max(1)
    best, where = F.max_pool2d(_image(tile), (tile.shape[1], 1), return_indices=True)
    return best.flatten(1), where.flatten(1)


def _group_max(tile: torch.Tensor, size: int) -> torch.Tensor:
    """Maxima (b n/size j) of neighbouring rows of (b n j)."""
    return F.max_pool2d(_image(tile), (size, 1)).squeeze(3).permute(0, 2, 1).contiguous()


def _image(tile: torch.Tensor) -> torch.Tensor:
    return tile.unsqueeze(2).permute(0, 3, 1, 2)


class Screened:
    """The winner that float32 products give, with nearly all products in bfloat16 (CPU, float32 results).

    With p = p~ + p' (p~ rounded to bfloat16) and z = z~ + z', a product errs by at most |p| |z'| + |p'| |z~|
    and the rounding of its sum, its result by one more rounding. Tokens within twice that of the best can be
    the winner, no others; random and real tokens leave 1 to 4 a pair. The lengths |p'|, |z'| are measured,
    not bounded, so that binary prototypes, which bfloat16 holds exactly, lose nothing.
    """

    GROUP = 16  # tokens searched together; 8 and 32 were slower
    CROWDED = 8  # groups a pair, on average, above which a float32 product is cheaper than sorting them out

    def __init__(self, prototypes: torch.Tensor, norms: torch.Tensor, multiply=multiply):
        self.plain = Plain(prototypes, norms, torch.float32, multiply)
        self.prototypes, self.norms = prototypes, norms
        self.size, exponent = torch.frexp(norms)  # scaled by a power of two, to a length in [1/2, 1)
        scale = torch.ldexp(torch.ones_like(norms), -exponent)
        self.low = torch.empty_like(prototypes, dtype=torch.bfloat16)
        self.lost = torch.empty_like(norms)
        for start in range(0, len(norms), 512):  # pieces that stay in the cache
            some = slice(start, start + 512)
            scaled = prototypes[some] * scale[some, None]
            self.low[some] = scaled.bfloat16()
            self.lost[some] = torch.linalg.vector_norm(scaled - self.low[some], dim=1)

    def load(self, unit: torch.Tensor, hidden: torch.Tensor | None) -> Screened:
        """Return as `Plain.load`."""
        new = copy(self)
        new.plain = self.plain.load(unit, hidden)
        new.shape, new.rows, new.hidden = unit.shape, new.plain.rows, hidden
        new.low_rows = new.rows.bfloat16()
        lost = torch.linalg.vector_norm(new.rows - new.low_rows, dim=1)
        new.lost_rows = lost.view(unit.shape[:2]).amax(1)
        new.group = max(g for g in range(1, self.GROUP + 1) if unit.shape[1] % g == 0)
        return new

    def best(self, some: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Return as `Plain.best`."""
        b, n, _ = self.shape
        tile = (self.low_rows @ self.low[some].t()).view(b, n, -1)
        if self.hidden is not None:
            tile.view(b * n, -1).index_fill_(0, self.hidden, -torch.inf)
        groups = _group_max(tile, self.group)
        floor = self._floor(_group_max(groups, groups.shape[1]), some)
        hits = (groups >= floor).view(-1).nonzero().view(-1)
        if len(hits) > self.CROWDED * floor.numel() or not floor.isfinite().all():
            return self.plain.best(some)
        return self._decide(self._near(tile, floor, hits), some)

    def _floor(self, best, some):
        """What a token's rounded product has to reach to be able to win (b 1 j), from the best one."""
        sums = 2 * self.shape[2] * 2.0**-24  # of d float32 sums; twice the usual bound
        lost = self.lost_rows[:, None, None]
        error = self.size[some] * (lost + sums) + self.lost[some] * (1 + lost)
        best = best.float()
        return (best - best.abs() * 2.0**-8 - 2 * error).bfloat16()

    def _near(self, tile, floor, hits):
        """The entries that reach the floor, among the groups that do, as numbers (j b n) in rising order."""
        b, n, j = tile.shape
        proto, first = hits % j, hits // j * self.group
        entry = (first * j + proto)[:, None] + torch.arange(0, self.group * j, j)
        reach = floor.view(-1)[first // n * j + proto]
        near = (tile.view(-1)[entry] >= reach[:, None]).view(-1).nonzero().view(-1)
        number = (proto * (b * n) + first)[near // self.group] + near % self.group
        return np.sort(number.numpy())  # ten times quicker than torch's

    def _decide(self, near, some):
        """Float32 products of these entries; of each pair the largest, and the first token that has it."""
        (b, n, _), weight = self.shape, self.prototypes[some]
        starts = torch.from_numpy(np.searchsorted(near, np.arange(len(weight) + 1) * (b * n)))
        row, empty = torch.from_numpy(near % (b * n)), torch.zeros(len(near), dtype=weight.dtype)
        entries = torch.sparse_csr_tensor(starts, row, empty, (len(weight), b * n), check_invariants=False)
        products = torch.sparse.sampled_addmm(entries, weight, self.rows.t(), beta=0).values().numpy()
        pair = near // n  # every pair (j b) is there: its best entry reaches the floor
        best = np.maximum.reduceat(products, np.flatnonzero(np.diff(pair, prepend=-1)))
        won = np.flatnonzero(products == best[pair])[::-1]  # of equal ones the first is written last
        where = np.empty(len(best), dtype=np.int64)
        where[pair[won]] = near[won] % n
        best, where = (torch.from_numpy(found).view(-1, b).t() for found in (best, where))
        return best / self.norms[some], where


# A way's name -> what finds by it for these prototypes (j d) of these norms (j,).
FINDERS: dict[str, Callable[[torch.Tensor, torch.Tensor], Plain | Screened]] = {
    "mm": lambda prototypes, norms: Plain(prototypes, norms, norms.dtype),
    "onednn": lambda prototypes, norms: Plain(prototypes, norms, norms.dtype, multiply_onednn),
    "screened": lambda prototypes, norms: Screened(
        prototypes, norms, PRODUCTS[choose(prototypes.shape[1], "float32")]
    ),
    "float16": lambda prototypes, norms: Plain(prototypes, norms, torch.float16),
    "bfloat16": lambda prototypes, norms: Plain(prototypes, norms, torch.bfloat16),
}
ROUNDING = {"float16": 2e-3, "bfloat16": 2e-2}  # of a score; of every other way EXACT
EXACT = 2e-6
# A precision of cosine_max -> the ways that give it.
GIVE = {"float32": tuple(PRODUCTS), "auto": (*PRODUCTS, "screened"), "fast": tuple(FINDERS)}


@cache
def choose(width: int, precision: str = "auto") -> str:
    """Return the first preferred way that gives the precision and passes a trial at that width."""
    return next((way for way in preferred(width) if way in GIVE[precision] and _passes(way, width)), "mm")


def preferred(width: int) -> list[str]:
    """Return ways that are quicker here than "mm", the quickest first, by what the processor has.

    Measured on AMD's AVX-512 with bfloat16 (docs/speed.md). Inferred: AMX is quicker still in bfloat16, and
    in float16 where it has that, which rounds eight times finer; on Intel's processors MKL, behind "mm", uses
    AVX-512 itself. A processor that says nothing takes "mm".
    """
    bfloat16, avx512 = has_bfloat16(torch.device("cpu")), "AVX512" in torch.backends.cpu.get_cpu_capability()
    here = {
        "float16": cpu_flag("amx_fp16"),
        "bfloat16": bfloat16,
        "screened": bfloat16 and width >= WIDE,
        "onednn": avx512 and torch.backends.mkl.is_available() and "AuthenticAMD" in _processor(),
    }
    return [way for way, quicker in here.items() if quicker]


def _processor() -> str:
    """What the system says of its processor."""
    info = Path("/proc/cpuinfo")  # of Linux
    return info.read_text() if info.exists() else platform.processor()


def _passes(way: str, width: int) -> bool:
    """Whether a way is right on one tile, under whatever autocast the caller is."""
    # The operators are no fixed part of torch: one that is absent, changed or wrong, in whatever manner, must
    # not end a training.
    with torch.autocast("cpu", enabled=False), warnings.catch_warnings(), suppress(Exception):
        warnings.simplefilter("ignore")  # "sparse CSR is in beta state"
        trial = _Trial.draw(width)
        return trial.passed(FINDERS[way](trial.prototypes, trial.norms), ROUNDING.get(way, EXACT))
    return False


@dataclass(frozen=True)
class _Trial:
    """One tile with its answer in float64; the hidden tokens would win every prototype."""

    unit: torch.Tensor  # (b n d)
    hidden: torch.Tensor  # rows b*n+n
    prototypes: torch.Tensor  # (j d)
    norms: torch.Tensor  # (j,)
    cosines: torch.Tensor  # (b n j), -inf where hidden

    @classmethod
    def draw(cls, width: int) -> _Trial:
        make = torch.Generator().manual_seed(0)
        unit = F.normalize(torch.randn(2, 512, width, generator=make, dtype=torch.float32), dim=-1)
        prototypes = torch.randn(1024, width, generator=make, dtype=torch.float32)
        norms = torch.linalg.vector_norm(prototypes, dim=1)
        hidden = torch.arange(0, 1024, 16)
        unit.view(-1, width)[hidden] = (prototypes / norms[:, None])[hidden]
        cosines = unit.double() @ (prototypes.double() / norms.double()[:, None]).t()
        cosines.view(1024, -1)[hidden] = -torch.inf
        return cls(unit, hidden, prototypes, norms, cosines)

    def passed(self, finder: Plain | Screened, rounding: float) -> bool:
        """Return whether a way finds, up to its rounding, the largest cosines, and tokens that have them."""
        best, where = finder.load(self.unit, self.hidden).best(slice(None))
        expected, has = self.cosines.amax(1), self.cosines.gather(1, where[:, None]).squeeze(1)
        return best.shape == has.shape and all(
            torch.allclose(found.double(), expected, rtol=0, atol=limit)
            for found, limit in ((best, rounding), (has, 2 * rounding))  # each of two products is rounded
        )
