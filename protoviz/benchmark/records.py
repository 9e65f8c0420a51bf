"""What the files of a cell say, and whether they are what was written."""

from pathlib import Path
from typing import Any

from protoviz.kept import DamagedFileError, read_json, refuse_other
from protoviz.probes import load_probe

COSTS = ("seconds", "peak_mb")
NEEDED = {
    "encode": (*COSTS, "whole", "clips", "lacks", "again"),
    "search": (*COSTS, "best", "score", "budget", "epochs", "search_seconds", "trials", "clips"),
    "seed": ("dataset", "encoder", "method", "seed", "score", "per_class", "classes", "config", "versions"),
}


def read_record(path: Path) -> dict:
    """What encode-KEY.json, search-KEY.json or seed-S-KEY.json says. DamagedFileError where it is damaged."""
    kind, seed = path.stem.split("-")[:2]

    def fits(told: Any) -> bool:
        if kind == "seed" and (str(told["seed"]) != seed or len(told["per_class"]) != len(told["classes"])):
            return False
        return isinstance(told, dict) and set(NEEDED[kind]) <= told.keys()

    told = read_json(path)
    refuse_other(path, told, fits)
    return told


def refuse_damaged_probe(path: Path) -> None:
    """Nothing; DamagedFileError where the probe in `path` is damaged. One that is not there is not."""
    try:
        if path.exists():
            load_probe(path)
    except (ValueError, LookupError, TypeError) as error:
        raise DamagedFileError(path, error) from error
