"""What `protoviz study add` needs to compute: a study's data sets and encoders, opened by its study.toml.

add("runs/mine", "nearest", "places")
add(study, "attention", say=print)
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

from protoviz.cache import TokenCache
from protoviz.datasets import ClipSet
from protoviz.encoders import Encoder, present_encoders
from protoviz.encoders.base import weights_digest
from protoviz.experiments.adding import AddConfig, Material, add_tables
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.grid import EncoderEntry, read_grid
from protoviz.experiments.keeping import keep_study, seen_by, write_array
from protoviz.experiments.materials import Pair, open_encoder
from protoviz.files import command, digest_of
from protoviz.named import allowed, is_place
from protoviz.study import Study, open_study
from protoviz.study.form import (
    ADDED,
    SETTINGS,
    SHOWING,
    StudyError,
    clips_folder,
    named_code,
    read_settings,
    refuse_own_code,
    run_command,
    write_facts,
)

KINDS = (*ADDED, SHOWING, "attention")
Say = Callable[[str], None]


def add_to_study(
    study: Study | str | Path,
    *kinds: str,
    config: AddConfig | None = None,
    methods: Collection[str] = (),
    allow: Collection[str] = (),
    say: Say = lambda text: None,
) -> Study:
    """Add to a study what it lacks of `kinds` (KINDS), and return it; what is there is not computed again.

    A grid's folder that keeps no probes yet becomes a study first, as its settings say. methods: titles;
    none: all. allow: modules whose code may run, for names of module:Class. say: receives lines of progress.
    Raises StudyError where data set or weights are needed and absent; it says what to do.
    """
    folder = study.folder if isinstance(study, Study) else Path(study)
    if strange := [kind for kind in kinds if kind not in KINDS]:
        raise StudyError(f"nothing called {strange[0]!r} is added to a study; there are {', '.join(KINDS)}")
    settings = lru_cache(maxsize=1)(partial(grid_of, folder, tuple(allow)))
    study = open_study(folder)
    if strange := [title for title in methods if title not in study.methods]:
        raise StudyError(f"the study has no method {strange[0]!r}; it has {', '.join(study.methods)}")
    if not study.probes:
        cells = settings()
        if not any(cells.done(task) for task in cells.tasks("train")):
            raise StudyError(f"no probe of {folder} is trained: {run_command(folder)} trains them")
        study = keep_study(cells, say=say)
    if "attention" in kinds:
        study = _with_attention(study, settings, say)
    opened = partial(_material, settings)
    add_tables(study, kinds, opened, config=config, methods=methods, allow=allow, say=say)
    return open_study(folder)


def grid_of(folder: Path, allow: Collection[str] = ()) -> Cells:
    """Return the grid of a study. Nothing that it names is imported unless it is allowed."""
    path = folder / SETTINGS
    if not path.is_file():
        raise StudyError(
            f"{folder} has no {SETTINGS}, which says where clips and weights are: `protoviz study run FILE "
            f"--folder {folder}` writes it"
        )
    refuse_own_code(named_code(read_settings(folder)), allow)
    return Cells(read_grid(path), folder)


def encoder_of(
    study: Study,
    name: str,
    seconds: float,
    weights: str | Path | None = None,
    allow: Collection[str] = (),
) -> Encoder:
    """Return an encoder of a study as it was when the study was made, of what lies on this machine.

    seconds: of its grid. weights: its file, if not where study.toml or PROTOVIZ_WEIGHTS says. Nothing is
    fetched, and a module runs only if `allow` names it. Raises StudyError with the cure where it is not at
    hand, or is another.
    """
    facts = study.encoders[name]
    if is_place(facts.use) and not allowed(facts.use, allow):
        cure = command("serve", study.folder, "--allow", facts.use.partition(":")[0])
        raise StudyError(f"{name} is code of one's own, {facts.use}, and runs only where you say so: {cure}")
    cure = f"{command('serve', study.folder, '--weights', f'{name}=FILE')} takes them"
    told = read_settings(study.folder).get("encoders", {})
    told = told.get(name, {}) if isinstance(told, dict) else {}
    path = weights or _there(study.folder, told.get("weights"))
    if path is None and facts.use not in present_encoders() and not is_place(facts.use):
        raise StudyError(f"the weights of {name} are not on this machine: {cure}")
    entry = EncoderEntry(name, facts.use, path and str(path), told.get("options", {}))
    try:
        found = open_encoder(entry, seconds, facts.sample_rate)
    except (ValueError, TypeError, OSError, ImportError, AttributeError) as error:
        raise StudyError(f"{name} cannot be loaded ({error}): {cure}") from error
    if (found.dim, found.sample_rate) != (facts.dim, facts.sample_rate) or (
        facts.weights and weights_digest(found.state_dict()) != facts.weights
    ):
        raise StudyError(f"{name} has other weights here than in the study: {cure}")
    return found


def _there(folder: Path, told: object) -> Path | None:
    """The weight file that a study.toml names, if it is on this machine."""
    if not isinstance(told, str):
        return None
    return next((path for path in (Path(told).expanduser(), folder / told) if path.exists()), None)


def _pair(settings: Callable[[], Cells], dataset: str, encoder: str) -> Pair:
    cells, task = settings(), Task("encode", dataset, encoder)
    if fault := cells.fault(task):
        raise StudyError(
            f"this needs the clips of {dataset} and the weights of {encoder}, and they cannot be opened "
            f"({fault}): write into {cells.folder / SETTINGS} where they are"
        )
    return cells.of(task)


def _material(settings: Callable[[], Cells], dataset: str, encoder: str) -> Material:
    """What tables are computed from: the grid's token maps, or those of the test clips, encoded now."""
    pair, cells, task = _pair(settings, dataset, encoder), settings(), Task("encode", dataset, encoder)
    if cells.done(task):
        test = cells.split(task, "test")
    else:
        place = pair.tokens(cells.folder)
        place = place.with_name(f"test-{place.name}")
        test = TokenCache.create(place, pair.encoder, _only(pair.clips, "test"), **pair.layout).split("test")
    return Material(pair.clips, test, pair.encoder, pair.loss)


def _only(clips: ClipSet, split: str) -> ClipSet:
    table, skipped = (frame[frame["split"] == split] for frame in (clips.table, clips.skipped))
    return replace(clips, table=table.reset_index(drop=True), skipped=skipped)


def _with_attention(study: Study, settings: Callable[[], Cells], say: Say) -> Study:
    """The study with the attention of every shown clip, of the encoders whose other maps it keeps."""
    digests = dict(study.facts.digests)
    for dataset, shown in study.clips.items():
        for encoder in shown.encoders:
            if shown.array("attention", encoder) is not None:
                say(f"{dataset} by {encoder}: attention is kept already")
                continue
            pair = _pair(settings, dataset, encoder)
            found = seen_by(pair, shown.table["clip"], shown.array("mask", encoder).shape[1])
            if "attention" not in found:
                say(f"{dataset}: {encoder} gives no attention")
            for name in {"attention", "cls_to_cls"} & set(found):
                path = clips_folder(study.folder, dataset, encoder) / f"{name}.npy"
                write_array(path, found[name])
                digests[path.relative_to(study.folder).as_posix()] = digest_of(path)
    write_facts(study.folder, replace(study.facts, digests=digests))
    return open_study(study.folder)
