"""A first study: from a few words to study.toml, which is run, kept and opened.

study = new_study("runs/mine", encoder="eat", weights=FILE, data="folder", root=DIR, methods=["linear"])
study = run_study(study)
study.results["results"]
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.filesize import decimal

from protoviz.datasets import find_spec
from protoviz.datasets.telling import tell
from protoviz.encoders import ENCODERS
from protoviz.experiments.cells import Cells
from protoviz.experiments.estimate import in_words, plan
from protoviz.experiments.grid import Grid, GridError, grid_of, read_grid
from protoviz.experiments.keeping import bytes_to_keep, keep_study
from protoviz.experiments.materials import Pair
from protoviz.experiments.rates import SearchConfig
from protoviz.experiments.recipe import recipe_file, recipes
from protoviz.experiments.run import refuse_hopeless, run_grid
from protoviz.experiments.written import write_settings
from protoviz.files import digest_of
from protoviz.named import is_on_hub, is_place
from protoviz.probes import Method
from protoviz.settings import defaults
from protoviz.study import Study, check_study, open_study, wrong
from protoviz.study.form import FACTS, SETTINGS, run_command
from protoviz.study.pack import unpacked_folder

METHODS = ("linear", "mhca", "protobin")  # one vector, one that is learned, and a score for each prototype
# A first look instead of the paper's protocol: minutes where that takes an hour, and no Optuna.
QUICK = {"seeds": [0], "epochs": 10, "search": {"kind": "fixed"}}

Say = Callable[[str], object]


def new_study(
    folder: str | Path,
    encoder: str,
    data: str,
    methods: Sequence[str] = METHODS,
    *,
    weights: str | Path | None = None,
    root: str | Path | None = None,
    options: dict[str, Any] | None = None,
    seeds: Sequence[int] | None = None,
    show: int | None = None,
    sound: bool | None = None,
    fine_tune: bool = False,
    quick: bool = False,
    say: Say = print,
) -> Study:
    """Return a study that is written down, with every default and its reason, and is still to be run.

    encoder, weights: as of `load_encoder`; data, root, options: as of `load_dataset`; methods: titles, as
    "protobin + BatchNorm". show, sound: what is kept of clips (`KeepConfig`). fine_tune: the encoder is also
    trained, with a linear layer, as what methods are held to (hours on a processor). quick: one seed and
    fixed rates. say: hears what was understood of encoder and clips, and what the study takes. Raises
    GridError where the folder holds a study, or where no run could end well; else what loading either raises.
    """
    folder = Path(folder).expanduser()
    if (folder / SETTINGS).is_file():
        raise GridError(
            f"{folder} holds a study already: {run_command(folder)} continues it; for a new one, name "
            "another folder"
        )
    told: dict[str, Any] = dict(QUICK) if quick else {}
    told |= {} if seeds is None else {"seeds": list(seeds)}
    told["fine_tune"] = fine_tune
    keep = {"show": show, "sound": sound}
    told["keep"] = {name: value for name, value in keep.items() if value is not None}
    told["encoders"] = {_short(encoder): _encoder(encoder, weights)}
    told["datasets"] = {_short(data): _dataset(data, root, options or {})}
    told["probes"] = {title: _method(title) for title in methods}
    grid = _fitted(grid_of(told, folder.resolve().name), folder)
    look(grid, say)
    write_settings(folder, grid)
    say(f"{folder / SETTINGS} says what is run, and why: change there what you like")
    cost(grid, folder, say)
    return open_study(folder)


def settled(
    study: Study | str | Path, folder: str | Path | None = None, small: bool = False
) -> tuple[Grid, Path]:
    """Return what is run, and in which folder, of a study, of its folder, of a TOML file or a shipped recipe.

    small: as in `read_grid`. folder: where a file's study goes; None: that of study.toml, runs/NAME of any
    other.
    """
    path = study.folder if isinstance(study, Study) else Path(study).expanduser()
    packed = path.is_file() and path.suffix != ".toml"
    if packed or path.is_relative_to(unpacked_folder()):
        raise GridError(
            f"{path} is a packed study, which runs nothing: unpack it into a folder of its own, and name the "
            f"weights and clips in its {SETTINGS}"
        )
    if str(study) in recipes():
        path = recipe_file(str(study))
    path = path if path.suffix == ".toml" else path / SETTINGS
    grid = read_grid(path, small)
    return grid, Path(folder or (path.parent if path.name == SETTINGS else grid.folder))


def run_study(
    study: Study | str | Path,
    folder: str | Path | None = None,
    cluster: str | None = None,
    workers: int = 2,
    progress: bool = True,
    say: Say = lambda text: None,
    small: bool = False,
) -> Study:
    """Return a study after running what it lacks; study, folder, small: as of `settled`.

    What is finished is not run again, and what is kept by the same settings is not kept again. cluster,
    workers: as of `run_grid`. Raises GridError where no cell could be finished, with the error of each.
    """
    grid, folder = settled(study, folder, small)
    left = Cells(grid, folder).to_do()
    run_grid(grid, folder, cluster, workers, progress)
    cells = Cells(grid, folder)
    if not any(cells.done(task) for task in left) and _is_kept(folder):
        return open_study(folder)
    if not any(cells.done(task) for task in cells.tasks()):
        failed = "\n".join(f"{row['stage']} {row['encoder']}: {row['error']}" for row in cells.failures())
        raise GridError(f"nothing of {folder} could be finished:\n{failed}")
    return keep_study(cells, say=say)


def _is_kept(folder: Path) -> bool:
    """Whether a study is whole, and kept by its study.toml as it is now."""
    if not (folder / FACTS).is_file():
        return False
    study = open_study(folder)
    return study.facts.settings == digest_of(folder / SETTINGS) and not wrong(check_study(study))


# -- what a person says, as the tables of a grid


def _short(name: str) -> str:
    """What a thing is called: a name as it is, module:Class by its class."""
    return name.rpartition(":")[2] or name


def _encoder(name: str, weights: str | Path | None) -> dict[str, Any]:
    if weights is None:
        return {"use": name}
    return {"use": name, "weights": str(weights) if is_on_hub(str(weights)) else _absolute(weights)}


def _dataset(name: str, root: str | Path | None, options: dict[str, Any]) -> dict[str, Any]:
    spec = find_spec(name)
    usual = {} if is_place(name) else _usual(spec.load)
    usual.pop("sample_rate", None)  # the encoder's
    if usual.get("seconds") != spec.seconds:  # clips that do not fill the grid; said, it would be cut to them
        usual.pop("seconds", None)
    told = {key: list(value) if isinstance(value, tuple) else value for key, value in usual.items()}
    return {"use": name, "options": told | options | ({"root": _absolute(root)} if root is not None else {})}


def _method(title: str) -> dict[str, Any]:
    method = Method.named(title)
    own = method.found.options()
    usual = {key: value for key, value in _usual(method.found.__init__).items() if key in own}
    return {"use": method.probe, "hyper": usual | method.options}


def _usual(of: Callable) -> dict[str, Any]:
    """The defaults that a file can say."""
    found = {name: one.value for name, one in defaults(of).items()}
    return {name: value for name, value in found.items() if isinstance(value, str | int | float | tuple)}


def _fitted(grid: Grid, folder: Path) -> Grid:
    """The grid with clips no longer than the encoder takes, the loss of their labels, and heads that divide
    the width.
    """
    dataset, encoder = grid.datasets[0], grid.encoders[0]
    found = Cells(grid, folder).pair(dataset.name, encoder.name).encoder

    def fitted(method: Method) -> Method:
        heads = method.options.get("heads", 1)
        fits = next(count for count in range(heads, 0, -1) if found.dim % count == 0)
        return method if fits == heads else replace(method, options=method.options | {"heads": fits})

    if dataset.options.get("seconds", 0) > found.longest:
        dataset = replace(dataset, options=dataset.options | {"seconds": found.longest})
    grid = replace(grid, datasets=(dataset,), probes=tuple(map(fitted, grid.probes)))
    loss = Cells(grid, folder).pair(dataset.name, encoder.name).loss
    return replace(grid, datasets=(replace(dataset, loss=loss),))


def _absolute(path: str | Path) -> str:
    return str(Path(path).expanduser().resolve())


# -- what was understood


def _tell_encoder(pair: Pair) -> Iterator[str]:
    entry, encoder = pair.encoder_entry, pair.encoder
    spec, shape = ENCODERS.get(entry.use), encoder.shape()
    (times, bands), place = encoder.grid, encoder.cell_grid().box(0, 0)
    own = "a class of your own" if is_place(entry.use) else "weights of the hub"
    yield f"{entry.name}: {spec.summary if spec else f'{entry.use}, {own}'}"
    if entry.weights:
        yield f"  weights: {entry.weights}"
    yield f"  takes {encoder.sample_rate:,} Hz and clips of up to {encoder.longest:g} s"
    length = f"{place[1] - place[0]:.3g} s"
    yield f"  gives {times} x {bands} tokens (times x bands) of {length}, {encoder.dim} wide"
    none = f"it has none, and the {encoder.cls_kind} stands for it"
    yield f"  [cls]: {'its own token' if encoder.cls_kind == 'cls' else none}"
    if "depth" in shape and "heads" in shape:
        yield f"  {shape['depth']} layers of {shape['heads']} heads"
    if is_place(entry.use):
        yield f"  `protoviz check-encoder {entry.use}` examines whether it keeps what an encoder promises"


def look(grid: Grid, say: Say) -> None:
    """Say what was understood of encoders and clips. Raise what loading one of them raises."""
    cells = Cells(grid, grid.folder)
    tasks = list(cells.tasks("encode"))
    for task in {task.encoder: task for task in tasks}.values():
        for line in _tell_encoder(cells.of(task)):
            say(line)
    for task in {task.dataset: task for task in tasks}.values():
        pair = cells.of(task)
        for line in tell(find_spec(pair.dataset.use), pair.clips):
            say(line)


def cost(grid: Grid, folder: Path, say: Say) -> None:
    """Say what running a grid takes: trials, bytes, time, memory. Raise GridError where none can end well."""
    cells = Cells(grid, folder)
    refuse_hopeless(cells, cells.to_do())
    frame = plan(cells)
    if len(wrong := frame[frame.error != ""]):
        raise GridError("nothing was run:\n" + "\n".join(dict.fromkeys(wrong.error)))
    methods, seeds = ", ".join(method.title for method in grid.probes), len(grid.seeds)
    searched = isinstance(grid.search, SearchConfig)
    rates = f"{grid.search.sobol + grid.search.tpe} trials of rates" if searched else "fixed rates"
    say(f"{methods}: {rates}, {seeds} seed{'s' * (seeds > 1)}")
    say(in_words(frame))
    say(f"to show {grid.keep.show} test clips, it keeps {decimal(bytes_to_keep(cells, grid.keep))}")
