"""The tables of docs/speed.md: the rates that `make bench` wrote, as they are read."""

from collections.abc import Iterator
from pathlib import Path

from protoviz.analysis.scaling import read_speed
from protoviz.report.formats import as_code, pipes

PAGES, PROCESSES = (10, 30, 100), 4  # of docs/serving.md
# What is clicked, to what is painted, by the names of `benchmarks.page`; not every study has them all.
PAINTED = {
    "class": "click on a class to cells painted",
    "layer": "click on a layer and head to both maps painted",
    "mute": "a prototype muted to every class painted",
    "matrix": "click on Orthogonality to the matrix painted",
    "pair": "click on a row of the matrix to its lines painted",
    "part": "a part of the matrix chosen, and left, to it painted",
    "tap": "tap on one of {points:,} points to its ring painted",
    "scene_again": "a scene seen before painted",
}


def speed_table(data: Path) -> str:
    """Return a row a measured rate, with what was measured beside it in the same run, as Markdown."""
    speed = read_speed(data)
    rows = [
        *_encoding(speed),
        *_kernel(speed["kernel"]),
        *_together(speed["training"]),
        *_page(speed["page"], "page"),
        *(_page(speed["large"], "large study") if "large" in speed else ()),
    ]
    return "\n\n".join([pipes(["what", "figure", "beside"], rows, words=3), _origin(speed)])


def steps_table(data: Path) -> str:
    """Return a row a method: one training step beside its naive form and the bare products, as Markdown.

    Below them stand methods that read several layers, with what a clip takes in a cache of these.
    """
    found = read_speed(data)["training"]
    clips, tokens, width, classes = found["shape"]
    heads = ["method", "ms", "of the naive form", "of the bare products", "MB", "naive, MB"]
    tables = [pipes(heads, [_step(one) for one in found["steps"]])]
    if layered := found.get("layered"):  # not of an earlier measurement
        steps = [(_step(one), one) for one in layered]
        told = [
            [name, str(one["layers"]), *rest, f"{one['clip_bytes'] / 1e6:.2f}"]
            for (name, *rest), one in steps
        ]
        tables.append(pipes([heads[0], "layers", *heads[1:], "MB a clip in a cache"], told))
    size = f"{clips} clips × {tokens} tokens × {width}, {classes} classes, {_threads(found['threads'])}"
    return "\n\n".join([*tables, f"{size}."])


def _step(one: dict) -> list[str]:
    """Method, ms, of the naive form, of the bare products, MB, naive MB."""
    shares = f"{one['of_naive']:.2f}", f"{one['of_floor']:.1f}"
    return [one["method"], f"{one['ms']:.3g}", *shares, f"{one['mb']:.0f}", f"{one['naive_mb']:.0f}"]


def serving_table(data: Path) -> str:
    """Return a row a number of open pages: memory of one and of several processes, as Markdown.

    From what a process with one page took, and each page more.
    """
    page = read_speed(data)["page"]
    if page.get("process_mb") is None:
        return "Not measured on this machine: `python -m benchmarks page` does on Linux."
    own, more = page["process_mb"] - page["session_mb"], page["session_mb"]
    heads = ["open pages", "one process", f"{PROCESSES} processes"]
    rows = [
        [str(pages), *(f"{(count * own + pages * more) / 1000:.1f} GB" for count in (1, PROCESSES))]
        for pages in PAGES
    ]
    first = f"A process takes {page['process_mb'] / 1000:.1f} GB with its first page"
    told = f"{first}, and each page {more:.1f} MB more ({as_code(page['command'])})."
    return f"{pipes(heads, rows)}\n\n{told}"


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"


def _origin(speed: dict) -> str:
    """Which command measured what, on which machine."""
    commands: dict[str, list[str]] = {}
    for one in speed.values():
        commands.setdefault(one["machine"], []).append(as_code(one["command"]))
    return "\n".join(f"{', '.join(made)}: {machine}." for machine, made in commands.items())


def _encoding(speed: dict) -> Iterator[list[str]]:
    bank, maps = speed["filterbank"], speed["encoding"]
    yield [
        "log-mel filter bank, a 10 s clip",
        f"{bank['ms']:.1f} ms",
        f"{bank['speed']:.1f} times as fast as the step-by-step form; transform and mel product alone: "
        f"{bank['floor_ms']:.1f} ms",
    ]
    yield [
        "encode, `mini-mae`'s shape, sound ready",
        f"{maps['encode']['clips_per_s']:.0f} clips/s",
        f"{maps['encode']['of_forward']:.2f} of the bare forward pass on ready log-mels",
    ]
    yield [
        "token cache written (`protoviz encode`), sound ready",
        f"{maps['written']['clips_per_s']:.0f} clips/s",
        f"{maps['written']['of_forward']:.2f} of the bare forward pass: a batch on each core; one batch at a "
        f"time: {maps['one_at_a_time']['of_forward']:.2f}",
    ]
    if half := maps.get("bfloat16"):  # not on every processor
        yield [
            "the same in bfloat16 (`--precision bfloat16`)",
            f"{half['clips_per_s']:.0f} clips/s",
            f"{half['of_float32']:.2f} of the float32 one; tokens {100 * half['rms']:.1f} % off (root mean "
            "square, `mini-mae`)",
        ]
    yield [
        "token cache read, shuffled batches",
        f"{maps['read']['gb_per_s']:.2g} GB/s",
        f"{maps['read']['of_copy']:.2f} of a plain copy",
    ]
    yield [
        "the same for the first time: each row checked by its crc32",
        f"{maps['first_read']['gb_per_s']:.1f} GB/s",
        f"once an opened cache; {maps['first_read']['of_later']:.2f} of a later pass",
    ]


def _kernel(kernel: dict) -> Iterator[list[str]]:
    for number, run in enumerate(kernel["runs"]):
        what = "the same" if number else f"prototype scores of {kernel['clips']} clips, forward and backward"
        yield [
            f"{what}, D = {kernel['width']}, C = {run['classes']}, {_threads(run['threads'])}",
            f"{run['seconds']:.2f} s",
            f"{run['of_naive']:.2f} of naive, {run['of_product']:.2f} of the quickest bare matrix product",
        ]
    yield [
        f"the same, C = {kernel['runs'][0]['classes']}, memory at {kernel['memory_clips']} clips",
        f"{kernel['mb']:,.0f} MB",
        f"naive: {kernel['naive_mb']:,.0f} MB",
    ]


def _together(training: dict) -> Iterator[list[str]]:
    for number, (method, share) in enumerate(training["together"].items()):
        what = "the same" if number else "8 learning rates in one pass (`fit_many`)"
        yield [f"{what}, `{method}`", f"{share:.2f} of 8 lone runs", "bit-equal to them"]


def _page(page: dict, where: str) -> Iterator[list[str]]:
    def times(name: str) -> str:
        """The median, and the 95th percentile where it was kept."""
        one = page[name]
        return f"{one['median']:.0f} ms" + (f", 95th percentile {one['p95']:.0f} ms" if "p95" in one else "")

    paint, whole = (page[name]["median"] / 1000 for name in ("first_paint", "complete"))
    first = f"{where}, first paint in headless Chromium on the same cores"
    yield [first, f"{paint:.2g} s", f"complete: {whole:.2g} s"]
    beside = {
        "scene_again": ("a new one mixed, encoded, painted", "scene_new"),
        "tap": ("a step of dragging them", "drag"),
    }
    for name, what in PAINTED.items():
        if name in page:
            told = f"{beside[name][0]}: {times(beside[name][1])}" if name in beside else ""
            yield [f"{where}, {what.format(points=page.get('points', 0))}", times(name), told]
    yield [
        f"{where}, {page['students']} students, each a click every {page['every_s']:g} seconds",
        times("class_of_students"),
        f"one alone on the same server: {times('student_alone')}; the slowest student's median is "
        f"{page['slowest_of_alone']:.1f} times that",
    ]
    if page.get("session_mb") is not None:
        yield [f"{where}, memory of the server a session", f"{page['session_mb']:.1f} MB", ""]
