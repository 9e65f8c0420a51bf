"""What the files of a cell say, and whether they are what was written."""

from pathlib import Path
from typing import TypedDict

from protoviz.kept import DamagedFileError, read_frame, read_json
from protoviz.probes import OwnCodeError, load_probe


class Costs(TypedDict):
    """What a task took, measured where it ran."""

    seconds: float
    peak_mb: float


class Encoded(Costs):
    """encode-KEY.json."""

    whole: bool  # the time is that of all clips
    clips: int
    lacks: list[tuple[str, str, str]]  # clip, split, reason
    again: list[str]  # clips that may come back


class Searched(Costs):
    """search-KEY.json: a `SearchResult`."""

    best: dict[str, float | None]
    score: float
    budget: dict
    epochs: int
    search_seconds: float
    trials: list[dict]
    clips: int


class Scored(TypedDict):
    """seed-S-KEY.json: one row of the results."""

    dataset: str
    encoder: str
    method: str
    seed: int
    metric: str
    score: float
    per_class: list[float | None]
    classes: list[str]
    config: dict
    versions: dict


FORMS = {"encode": Encoded, "search": Searched, "seed": Scored}


class Records:
    """What the files of cells say, each read once, and again where it has changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[list, dict | DamagedFileError]] = {}

    def look(self, path: Path) -> dict | DamagedFileError | None:
        """Return what a file says, or how it or the probe of its name is damaged; None: it is not there."""
        probe = path.with_suffix(".safetensors")
        try:
            stats = [one.stat() for one in (path, probe) if one == path or one.exists()]
            stamp = [(one.st_mtime_ns, one.st_ino, one.st_size) for one in stats]
            known, found = self._known.get(path, (None, None))
            if stamp != known:
                found = _read(path)
                _refuse_damaged_probe(probe)
        except OSError:
            return None
        except DamagedFileError as error:
            found = error
        self._known[path] = stamp, found
        return found


def _read(path: Path) -> dict:
    if path.suffix == ".parquet":  # a scorer's table, which is read where it is needed
        return {"rows": len(read_frame(path)), "table": True}
    kind, seed = path.stem.split("-")[:2]
    told = read_json(path, FORMS[kind])
    if kind == "seed" and (str(told["seed"]) != seed or len(told["per_class"]) != len(told["classes"])):
        raise DamagedFileError(path, "it holds another run")
    return told


def _refuse_damaged_probe(path: Path) -> None:
    try:
        if path.exists():
            load_probe(path)
    except OwnCodeError:  # its bytes are those that were written, and to look at them nothing is run
        return
    except (ValueError, LookupError, TypeError) as error:
        raise DamagedFileError(path, error) from error
