"""DCASE 2016, task 2: two-minute mixtures of office sounds, with the time of every event."""

from dataclasses import replace
from pathlib import Path

from protoviz.audio import sounds_below
from protoviz.datasets.clips import ClipSet
from protoviz.datasets.files import RATE, SHORTEST, Row, Skip, Window, clip_set, held_out, lengths, stored
from protoviz.datasets.folder import audacity, windows
from protoviz.datasets.spec import DatasetSpec, LayoutError, visible
from protoviz.scenes import Event

CLASSES = (
    "clearthroat", "cough", "doorslam", "drawer", "keyboard", "keys",
    "knock", "laughter", "pageturn", "phone", "speech",
)  # fmt: skip
ALIASES = {"keysDrop": "keys"}  # the former in the README and the isolated sounds, the latter in the test set
DEVELOPMENT, TEST = "dcase2016_task2_dev", "dcase2016_task2_test_public"


def load(
    root: Path,
    *,
    validation: float = 0.25,
    seed: int = 0,
    seconds: float = 10.0,
    sample_rate: int = RATE,
    shortest: float = SHORTEST,
) -> ClipSet:
    """Return windows of DCASE 2016 task 2: 18 development mixtures to train on, 54 public test mixtures to
    report on.

    validation: the share of development mixtures that is kept for choosing; not published. HEAR, and with it
    the authors' follow-up, deals all mixtures out anew. Windows of a mixture are in one split; an event that
    a window cuts is in both parts. The 220 isolated sounds that the development mixtures are made of are
    left out, as HEAR does.
    """
    marked = {folder: _marked(root, folder) for folder in (DEVELOPMENT, TEST)}
    chosen = held_out((path.stem for path in marked[DEVELOPMENT]), validation, seed)
    found, skips = [], []
    for folder, tables in marked.items():
        sounds, split = _place(root, folder) / "sound", "test" if folder == TEST else "train"
        for path, events in tables.items():
            own = "validation" if folder == DEVELOPMENT and path.stem in chosen else split
            found.append((Row(path.stem, own, [], sounds / f"{path.stem}.wav", group=path.stem), events))
        for sound in sounds_below(sounds):
            if sound.stem not in {path.stem for path in tables}:
                skips.append(Skip(sound.stem, split, "not annotated", f"{sound}: no annotation of that name"))
    where = stored(row.path for row, _ in found)
    known, rows = lengths(where.values()), []
    for row, events in found:
        rows += windows(row, known[str(where[str(row.path)])], events, seconds, shortest)
    return clip_set(SPEC.name, CLASSES, rows, Window(seconds, sample_rate, shortest), skips, SPEC.licence)


def _place(root: Path, folder: str) -> Path:
    """A published folder below the root: each archive unpacks to one of its own around it."""
    return next(path for path in visible(root, f"**/{folder}") if (path / "annotation").is_dir())


def _marked(root: Path, folder: str) -> dict[Path, list[Event]]:
    """The events of each annotation: onset, offset and label with tabs between, as Audacity writes them."""
    found = {}
    for path in visible(_place(root, folder) / "annotation", "*.txt"):
        events = [replace(event, label=ALIASES.get(event.label, event.label)) for event in audacity(path)]
        if unknown := {event.label for event in events} - set(CLASSES):
            raise LayoutError(f"{path}: DCASE 2016 has no label {', '.join(sorted(unknown))}; fetch it again")
        found[path] = events
    return found


SPEC = DatasetSpec(
    name="dcase2016-task2",
    title="DCASE 2016 task 2, synthetic mixtures of office sounds",
    classes=11,
    task="multi-label",
    licence="not stated beside the data; see its page",
    size="864 windows of 72 mixtures, 0.8 GB",
    page="https://archive.org/details/dcase2016_task2_train_dev and .../dcase2016_task2_test_public",
    load=load,
    layouts=(
        tuple(f"**/{folder}/{part}" for folder in (DEVELOPMENT, TEST) for part in ("annotation", "sound")),
    ),
    folders=("dcase2016_task2", "DCASE2016"),
)
