"""s_j = max_n cos(p_j, z_n), forward and backward: time, memory, error beside the naive form and the floor.

The floor is the bare product of the forward pass in tiles, which no training step can do without. Variants
take turns in one process, so that a busy machine slows all of them; one thread is timed by processor time,
more by the clock; the best of the rounds counts. Memory: each variant in a fork of its own, its highest mark
above the inputs. Error: against float64.

`python -m benchmarks.kernel --help` tells how to measure other sizes.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F

from benchmarks.memory import peak_mb
from protoviz.probes.best_token import FINDERS, PRODUCTS, choose, preferred
from protoviz.probes.cosine_max import cosine_max

TILE = (2048, 1024)  # token rows and prototypes of one product of the floor


@dataclass(frozen=True)
class Size:
    """What is measured: by default the paper's largest data set and a middling one, its widest encoders."""

    classes: tuple[int, ...] = (527, 200)
    clips: int = 8  # a batch; ratios are the same at 16 and 64
    memory_clips: int = 32  # of the first of `classes`
    rounds: int = 3
    threads: tuple[int, ...] = (1, 2)
    tokens: int = 512
    width: int = 768
    per_class: int = 20


class Problem:
    """Tokens as a cache holds them, prototypes, and a gradient of the scores."""

    def __init__(self, size: Size, classes: int, clips: int):
        torch.manual_seed(0)
        self.tokens = torch.randn(clips, size.tokens, size.width).half()
        self.prototypes = torch.randn(classes * size.per_class, size.width, requires_grad=True)
        self.gradient = torch.randn(clips, len(self.prototypes))

    def step(self, scores: torch.Tensor) -> None:
        self.prototypes.grad = None
        scores.backward(self.gradient.to(scores.dtype))


def naive(tokens: torch.Tensor, prototypes: torch.Tensor) -> torch.Tensor:
    """Scores (b j) as one writes them down; autograd keeps what it needs."""
    z, p = F.normalize(tokens.to(prototypes.dtype), dim=-1), F.normalize(prototypes, dim=-1)
    return torch.einsum("bnd,jd->bnj", z, p).amax(1)


def run_naive(problem: Problem) -> None:
    problem.step(naive(problem.tokens, problem.prototypes))


def run_floor(problem: Problem, product) -> None:
    rows, prototypes = problem.tokens.flatten(0, 1), problem.prototypes.detach()
    for some in rows.split(TILE[0]):
        tokens = some.float()
        for part in prototypes.split(TILE[1]):
            product(tokens, part)


def run_kernel(problem: Problem, precision: str) -> None:
    problem.step(cosine_max(problem.tokens, problem.prototypes, precision=precision)[0])


VARIANTS = {
    "naive: normalise, einsum, amax": run_naive,
    **{f"floor: {way}": lambda problem, way=way: run_floor(problem, PRODUCTS[way]) for way in PRODUCTS},
    **{f"cosine_max {way}": lambda problem, way=way: run_kernel(problem, way) for way in FINDERS},
}
NAIVE, FLOOR = list(VARIANTS)[:2]


def usable(size: Size) -> list[str]:
    """Variants worth running: without its float16 form where this machine only imitates the type."""
    slow = "float16" not in preferred(size.width)
    return [name for name in VARIANTS if not (slow and name.endswith(" float16"))]


def seconds(size: Size, classes: int, threads: int) -> dict[str, float]:
    """Best seconds of each variant."""
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    problem, best = Problem(size, classes, size.clips), {}
    for _ in range(size.rounds):
        for name in usable(size):
            start = clock()
            VARIANTS[name](problem)
            best[name] = min(best.get(name, float("inf")), clock() - start)
    return best


def peak(size: Size, name: str) -> float | None:
    """MB that one step of a variant takes above its inputs, at most."""

    def prepare() -> Callable[[], None]:
        VARIANTS[name](Problem(size, 1, 1))  # code that is loaded on first use is no part of the step
        problem = Problem(size, size.classes[0], size.memory_clips)
        return lambda: VARIANTS[name](problem)

    return peak_mb(prepare)


def errors(size: Size, classes: int = 20, clips: int = 4) -> list[dict]:
    """One row a way: relative gradient error, largest score error, share of differing tokens."""
    problem = Problem(size, classes, clips)
    exact = problem.prototypes.detach().double().requires_grad_()
    scores, where = cosine_max(problem.tokens, exact)
    scores.backward(problem.gradient.double())
    found = []
    for precision in ("naive", *FINDERS):
        if precision == "naive":
            ours, index = naive(problem.tokens, problem.prototypes), where
        else:
            ours, index = cosine_max(problem.tokens, problem.prototypes, precision=precision)
        problem.step(ours)
        difference = problem.prototypes.grad.double() - exact.grad
        found.append(
            {
                "precision": precision,
                "gradient": (difference.norm() / exact.grad.norm()).item(),
                "score": (ours.double() - scores).abs().max().item(),
                "tokens": None if precision == "naive" else (index != where).double().mean().item(),
            }
        )
    return found


def rows(size: Size | None = None) -> list[dict]:
    """One row a variant, number of classes and number of threads; memory on the rows of one size."""
    size = size or Size()
    found, before = [], torch.get_num_threads()
    for classes in size.classes:
        for threads in size.threads:
            best = seconds(size, classes, threads)
            floors = [value for name, value in best.items() if name.startswith("floor")]
            found += [
                {
                    "classes": classes,
                    "threads": threads,
                    "variant": name,
                    "seconds": value,
                    "of_naive": value / best[NAIVE],
                    "of_floor": value / best[FLOOR],
                    "of_quickest_floor": value / min(floors),
                    "mb": None,
                }
                for name, value in best.items()
            ]
    torch.set_num_threads(before)
    for row in found[: len(usable(size))]:
        row["mb"] = peak(size, row["variant"])
    return found


def _options(arguments: Iterable[str]) -> Size:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernel", description=__doc__.split("\n\n")[0])
    default = Size()
    parser.add_argument("--classes", type=int, nargs="+", default=default.classes)
    parser.add_argument("--threads", type=int, nargs="+", default=default.threads)
    for name in ("clips", "memory-clips", "rounds", "tokens", "width"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name.replace("-", "_")))
    chosen = vars(parser.parse_args(list(arguments)))
    return Size(**{key: tuple(v) if isinstance(v, list) else v for key, v in chosen.items()})


def main(arguments: Iterable[str] = ()) -> dict:
    """Print the tables; gives the rates of `protoviz.analysis.scaling.SPEED`."""
    size = _options(arguments)
    console = Console()
    columns = ("classes", "threads", "variant", "seconds", "of naive", "of floor", "of quickest floor", "MB")
    table = Table(
        *columns,
        title=f"forward + backward, {size.clips} clips x {size.tokens} tokens x {size.width}, float16",
    )
    found = rows(size)
    for row in found:
        ratios = (f"{row[key]:.3f}" for key in ("seconds", "of_naive", "of_floor", "of_quickest_floor"))
        memory = "" if row["mb"] is None else f"{row['mb']:.0f}"
        table.add_row(str(row["classes"]), str(row["threads"]), row["variant"], *ratios, memory)
    console.print(table)
    console.print(f"MB: above the inputs, {size.classes[0]} classes, {size.memory_clips} clips, one thread")
    table = Table(
        "way", "gradient error", "largest score error", "other token chosen", title="against float64"
    )
    for row in errors(size):
        share = "" if row["tokens"] is None else f"{row['tokens']:.3%}"
        table.add_row(row["precision"], f"{row['gradient']:.1e}", f"{row['score']:.1e}", share)
    console.print(table)
    return _rates(size, found)


def _rates(size: Size, found: list[dict]) -> dict:
    """What is kept of the rows: the kernel as "auto" takes it, and the memory of the naive form."""
    kernel = f"cosine_max {choose(size.width)}"
    mb = {row["variant"]: row["mb"] for row in found if row["mb"] is not None}
    runs = [
        {
            **{key: row[key] for key in ("classes", "threads", "seconds", "of_naive")},
            "of_product": row["of_quickest_floor"],
        }
        for row in found
        if row["variant"] == kernel
    ]
    sizes = {key: getattr(size, key) for key in ("clips", "tokens", "width", "per_class", "memory_clips")}
    return {**sizes, "mb": mb.get(kernel), "naive_mb": mb.get(NAIVE), "runs": runs}


if __name__ == "__main__":
    main(sys.argv[1:])
