"""The damage suite: what it counts, that it knows every file that is written, and a little of it."""

import ast
import shutil
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from random import Random

import damage_fakes
import numpy as np
import pandas as pd
import pytest
import torch

import protoviz
from benchmarks.damage import work
from benchmarks.damage.child import baseline, tried
from benchmarks.damage.harm import harmed
from benchmarks.damage.kind import Kind, same
from benchmarks.damage.kinds import KINDS, STUDIES, UNREAD, WRITERS
from benchmarks.damage.run import measured, table

TRIES = 20
PACKAGE = Path(protoviz.__file__).parent
# What writes a file, by the last name of the call.
WRITING = {"write_whole", "write_bytes", "write_json", "write_frame", "write_array", "write_weights"}
WRITING |= {"write_text", "to_parquet", "to_csv", "save_probe", "savez", "JournalFileBackend"}
WRITING |= {"soundfile.write", "np.save"}


def test_harm_changes_the_bytes_and_comes_back_with_its_seed():
    data = bytes(range(256)) * 20
    made = [harmed(data, Random(number)) for number in range(300)]
    assert all(bad != data for _, bad in made)
    assert made == [harmed(data, Random(number)) for number in range(300)]
    sizes = np.array([len(bad) - len(data) for _, bad in made])
    assert (sizes < 0).any()
    assert (sizes == 0).any()
    assert (sizes > 0).any()
    places = np.array([int(what.split(" at ")[1].split()[0]) for what, _ in made])
    near = ((places < 256) | (places >= len(data) - 256)).mean()
    assert 0.4 < near < 0.7


def test_equal_readings_are_equal_in_every_part():
    one = {"a": [np.array([1.0, np.nan]), pd.DataFrame({"x": [1, None]}), torch.ones(2)], "b": (None, "c")}
    other = {"a": [np.array([1.0, np.nan]), pd.DataFrame({"x": [1, None]}), torch.ones(2)], "b": (None, "c")}
    assert same(one, other)
    for key, value in (("b", (None, "d")), ("a", [np.array([1.0, 2.0]), *other["a"][1:]])):
        assert not same(one, other | {key: value})
    assert not same(1, 1.0)
    assert not same(np.ones(2), np.ones(2, np.float32))
    assert same(np.ones(2), np.ones(2) + 1e-4, 1e-3)


def test_every_way_to_go_wrong_is_counted_and_the_tries_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{PACKAGE.parent}:{Path(__file__).parent}")
    row = measured("damage_fakes:BAD", tries=7, seed=21, work=tmp_path, seconds=1.0)
    assert [one.number for one in row.tries] == list(range(7))
    wanted = {1: "raw", 2: "slow", 3: "heavy", 4: "raw", 5: "held", 6: "silent"}
    for one in row.tries:
        bad = harmed(damage_fakes.GOOD, Random(f"bad 21 {one.number}"))[1]
        assert one.outcome == wanted[1 + sum(bad) % 6]
    counts = Counter(one.outcome for one in row.tries)
    assert set(counts) == {"raw", "slow", "heavy", "held", "silent"}, "the seed shows them all"
    shown = table([row]).iloc[0]
    assert shown.tried == 7
    assert all(shown[name] == counts[name] for name in ("held", "same", "silent", "raw", "slow", "heavy"))
    assert len(row.faults) == 7 - counts["held"] - counts["same"]


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.quick])
def test_damage_is_held(name, tmp_path_factory):
    """A few tries of the quick kinds; `make damage` is all of it."""
    kind = KINDS[name]
    good, right = baseline(kind, tmp_path_factory.getbasetemp() / "damage")
    found = [tried(kind, good, right, number, seed=0) for number in range(TRIES)]
    bad = {"raw", "heavy", *(() if kind.blind else ("silent",))}
    assert not [one for one in found if one.outcome in bad]
    assert any(one.outcome == "held" for one in found)


# ---- every file that is written is of a kind that is damaged


def test_every_module_that_writes_files_is_held_by_kinds():
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        calls = {call for node in ast.walk(ast.parse(path.read_text())) for call in _called(node)}
        if calls & WRITING:
            found[name] = calls & WRITING
    assert set(found) == set(WRITERS) | STUDIES, (
        "list it in benchmarks/damage/kinds.py, with the kinds that hold it"
    )
    assert {kind for kinds in WRITERS.values() for kind in kinds} <= set(KINDS)


def _called(node: ast.AST) -> list[str]:
    if not isinstance(node, ast.Call):
        return []
    if isinstance(node.func, ast.Name):
        return [node.func.id]
    if isinstance(node.func, ast.Attribute):
        inner = getattr(node.func.value, "id", "")
        return [node.func.attr, f"{inner}.{node.func.attr}"]
    return []


def _unheld(folder: Path, kinds: list[Kind], given: tuple[str, ...] = ()) -> list[str]:
    """The files below a folder that no pattern of these kinds names."""
    known = {path for kind in kinds for pattern in kind.files for path in folder.glob(pattern)}
    files = [path for path in folder.rglob("*") if path.is_file() and path not in known]
    names = [path.relative_to(folder).as_posix() for path in files]
    return sorted(name for name in names if not any(fnmatch(name, one) for one in (*UNREAD, *given)))


def _made(maker, folder: Path) -> list[Kind]:
    maker(folder)
    return [kind for kind in KINDS.values() if kind.make is maker]


def test_every_file_of_token_maps_trainings_and_searches_is_held(tmp_path):
    for maker in (work.cache, work.training, work.journal):
        folder = tmp_path / maker.__name__
        folder.mkdir()
        assert _unheld(folder, _made(maker, folder), ("tokens/*",)) == []
    (tmp_path / "cache" / "whole" / "new.sums").write_text("of a form that no kind knows")
    (tmp_path / "training" / "new.sums").write_text("likewise")
    kinds = [kind for kind in KINDS.values() if kind.make is work.training]
    assert _unheld(tmp_path / "training", kinds, ("tokens/*",)) == ["new.sums"]
    shutil.rmtree(tmp_path / "training")
