"""The form of a study: what lies where in its folder, and the facts that facts.json holds.

    study.toml                        what was run; `protoviz benchmark` takes it as it is
    facts.json                        encoders, data sets, methods; digests of what is below clips/
    probes/DATASET/ENCODER/METHOD.safetensors
    clips/DATASET/clips.parquet       a row a shown clip: CLIP_COLUMNS
    clips/DATASET/sound/N.flac        the sound of row N, where it may travel
    clips/DATASET/ENCODER/NAME.npy    ARRAYS, a row a clip
    *.parquet, results/*.parquet      tables, each with its settings in a JSON file of the same name
    results/NAME/DATASET/ENCODER[/METHOD].parquet   a table in parts: one is read, added or made anew alone
    README.md

DATASET, ENCODER and METHOD are slugs of the names in facts.json.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from protoviz import kept
from protoviz.files import command, slug
from protoviz.named import allowed, is_place
from protoviz.settings import checked, read_toml

if TYPE_CHECKING:
    from protoviz.audio import CellGrid

FORM = 1  # raised when a study is written so that this code could not read it
SETTINGS, FACTS, README, CLIPS = "study.toml", "facts.json", "README.md", "clips.parquet"
CLIP_COLUMNS = ("clip", "split", "labels", "polyphony", "seed", "events", "licence", "sound", "duration")
ARRAYS = {
    "tokens": "b n d",
    "cls": "b d",
    "mask": "b n",
    "attention": "b l h n",  # softmax rows of [cls], or what each cell receives; without the column of [cls]
    "cls_to_cls": "b l h",  # what [cls] keeps to itself
    "pictures": "b m f",  # uint8 log-mel, row 0 lowest
    "spans": "b",  # of the pictures, dB
}
NEEDED = ("tokens", "cls", "mask")
CELL = ("dataset", "encoder", "method")  # the columns that say of which probe a row is
# What `protoviz study add` computes -> its tables, a part a probe; and those with a part an encoder.
ADDED = {
    "nearest": ("nearest", "scores"),
    "projections": ("map-prototypes",),
    "places": ("places",),
    "polyphony": ("by-polyphony",),
    "cosines": ("cosines",),
}
TOKENS, SHOWING = "map-tokens", "showing"
Size = Annotated[int, range(1, 2**31)]


class StudyError(ValueError):
    """A folder or file that is no study, or a part that a study lacks; the text says what to do."""


@dataclass(frozen=True)
class EncoderFacts:
    """What pictures and probes need of an encoder whose weights are elsewhere."""

    use: str  # a name in ENCODERS, or module:Class
    weights: str  # sha256
    grid: tuple[Size, Size]  # (T, F)
    dim: Size
    sample_rate: Size  # Hz
    seconds: float  # that a clip lasts
    cls: str = "cls"  # or "mean token"
    low_hz: float = 0.0  # of the pictures
    high_hz: float = 8000.0
    spans: float = 0.0  # seconds that the grid spans, where that is not `seconds`

    @property
    def cells(self) -> "CellGrid":
        """Where each token lies in seconds and hertz."""
        from protoviz.audio import CellGrid

        return CellGrid(*self.grid, self.spans or self.seconds, self.sample_rate, self.low_hz, self.high_hz)


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a data set's clips. knows: "boxes" (time and frequency), "times" or "labels"."""

    use: str
    classes: tuple[str, ...]
    clips: int  # in all, of which some are shown
    knows: str
    licence: str = ""
    digest: str = ""  # of the clips, their labels and splits

    @property
    def made(self) -> bool:
        """Whether a clip's sound is made from its id, and need not be kept."""
        return self.use == "scenes"


@dataclass(frozen=True)
class Facts:
    """All of facts.json."""

    form: int
    name: str
    command: str
    encoders: dict[str, EncoderFacts]
    datasets: dict[str, DatasetFacts]
    methods: dict[str, str]  # title -> the probe's name, or module:Class
    made_with: dict[str, str] = field(default_factory=dict)  # versions
    digests: dict[str, str] = field(default_factory=dict)  # file below the study -> sha256
    settings: str = ""  # sha256 of the study.toml that all of it was kept by


def read_facts(folder: Path) -> Facts:
    """Return the facts of a study. Raise StudyError if there is none, or one of a later form."""
    path, add = folder / FACTS, command("study", "add", folder)
    if not path.is_file():
        raise StudyError(f"{folder} holds no study: it has no {FACTS}; {add} makes one of a grid")
    again = f"{add} writes it again"
    try:
        value = kept.read_json(path)
    except kept.DamagedFileError as error:
        raise StudyError(f"{error.said}; {again}") from error
    form = value.get("form") if isinstance(value, dict) else None
    if isinstance(form, int) and form > FORM:
        raise StudyError(f"{path} is of form {form}, and this version reads up to {FORM}: update protoviz")
    return checked(value, Facts, str(path), again, StudyError)


def planned(folder: Path) -> Facts:
    """Return the facts of a study that is written down and not run yet: its name. Raise StudyError if its
    study.toml cannot be read.
    """
    told = read_settings(folder)
    return Facts(FORM, str(told.get("name", folder.name)), "", {}, {}, {})


def read_settings(folder: Path) -> dict[str, Any]:
    """Return what a study.toml says, unchecked; {} where there is none."""
    path = folder / SETTINGS
    if not path.is_file():
        return {}
    cure = f"mend it; {run_command(folder)} says what else is wrong in it"
    return read_toml(path, dict[str, Any], cure, StudyError)


def run_command(folder: Path) -> str:
    """Return the command that runs what a study lacks."""
    return command("study", "run", folder)


def add_command(folder: Path, *words: str) -> str:
    """Return the command that adds what a study lacks; it lets code of one's own that is named there run."""
    try:
        own = named_code(read_settings(folder))
    except StudyError:
        own = []
    modules = dict.fromkeys(name.partition(":")[0] for name in own)
    allow = (part for module in modules for part in ("--allow", module))
    return command("study", "add", folder, *words, *allow)


def named_code(told: Mapping[str, Any]) -> list[str]:
    """Return every name in a study.toml that may be module:Name."""
    found = []
    for kind in ("datasets", "encoders", "probes"):
        entries = told.get(kind, {})
        found += [entries] if isinstance(entries, str) else list(entries)
        tables = entries.values() if isinstance(entries, dict) else ()
        found += [table["use"] for table in tables if isinstance(table, dict) and "use" in table]
    return [name.split(" + ")[0] for name in found if is_place(name)]


def write_facts(folder: Path, facts: Facts) -> None:
    """Write facts.json, at once."""
    kept.write_json(folder / FACTS, asdict(facts))


def refuse_own_code(uses: Iterable[str], allow: Collection[Any] = ()) -> None:
    """Raise StudyError where a name that a study gives is module:Name of a module that nobody has allowed."""
    for use in filter(is_place, uses):
        module = use.partition(":")[0]
        if not allowed(use, allow):
            raise StudyError(
                f"the study names code that is not protoviz's, {use}; nothing of it runs unless you say so: "
                f"allow={[module]!r}, or --allow {module}"
            )


def probe_file(folder: Path, dataset: str, encoder: str, method: str) -> Path:
    """Return where a trained probe lies."""
    return folder / "probes" / slug(dataset) / slug(encoder) / f"{slug(method)}.safetensors"


def table_part(folder: Path, name: str, dataset: str, encoder: str, method: str | None = None) -> Path:
    """Return where a part of a table lies: what it says of a probe, or of an encoder on a data set."""
    place = folder / "results" / slug(name) / slug(dataset) / slug(encoder)
    return place.with_name(f"{place.name}.parquet") if method is None else place / f"{slug(method)}.parquet"


def clips_folder(folder: Path, dataset: str, encoder: str | None = None) -> Path:
    """Return where the shown clips of a data set lie, or the arrays of an encoder of them."""
    place = folder / "clips" / slug(dataset)
    return place if encoder is None else place / slug(encoder)


def named(names: Mapping[str, object], name: str | None, kind: str) -> str:
    """Return one of the names: the asked one, or the only one. Raise StudyError that lists them."""
    if name is None and len(names) == 1:
        return next(iter(names))
    if name not in names:
        if not names:
            raise StudyError(f"the study has no {kind} yet: `protoviz study run` makes it")
        asked = f"no {kind} {name!r}" if name is not None else f"several {kind}s: name one"
        raise StudyError(f"the study has {asked}; it has {', '.join(names)}")
    return name
