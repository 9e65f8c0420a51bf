"""Whatever happens to a grid between its runs and in them, it ends as one that nothing disturbed."""

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from grid_fakes import write_grid
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from test_grid import same
from test_grid_damage import smallest_text

from protoviz.experiments.cells import Cells
from protoviz.experiments.grid import read_grid
from protoviz.experiments.run import run_grid
from protoviz.kept import put_aside

pytestmark = pytest.mark.filterwarnings("ignore::protoviz.kept.DamagedFileWarning")
SETTINGS = ({}, {"seeds": (0,)}, {"epochs": 2}, {"seeds": (2, 0)})
TRIED = ["number", "sampler", "state", "lr", "weight_decay", "score", "epochs"]


class Killed(BaseException):
    """As a kill: nothing catches it."""


class Grids(RuleBasedStateMachine):
    """One folder. The model: what an undisturbed run of each settings leaves, and which files are sound."""

    undisturbed: ClassVar[dict[int, dict]] = {}  # of all machines: settings -> tables

    @initialize()
    def begin(self):
        self.place = Path(tempfile.mkdtemp())
        self.first = read_grid(write_grid(self.place, smallest_text()))
        self.folder, self.chosen = self.place / "run", 0
        self.written: dict[Path, bytes] = {}  # files as they were after they were last written
        self.damaged: dict[Path, bytes] = {}

    def teardown(self):
        if hasattr(self, "place"):
            shutil.rmtree(self.place)

    @property
    def grid(self):
        return replace(self.first, **SETTINGS[self.chosen])

    def cells(self) -> dict[Path, bytes]:
        """The files that the chosen settings need, as they are."""
        cells = Cells(self.grid, self.folder)
        paths = {path for task in cells.tasks() for path in cells.files(task)} if self.folder.exists() else ()
        return {path: path.read_bytes() for path in paths if path.exists()}

    @rule(chosen=st.sampled_from(range(len(SETTINGS))))
    def change(self, chosen):
        self.chosen = chosen

    @rule()
    def run(self):
        """Run to the end: exact numbers, no sound file written anew, no damaged one lost."""
        if self.chosen not in self.undisturbed:
            with tempfile.TemporaryDirectory() as other:
                Grids.undisturbed[self.chosen] = run_grid(self.grid, other, progress=False)
        sound = {path: data for path, data in self.cells().items() if path not in self.damaged}
        tables, known = run_grid(self.grid, self.folder, progress=False), self.undisturbed[self.chosen]
        same(tables["results"], known["results"])
        assert tables["search"][TRIED].equals(known["search"][TRIED])
        now = self.cells()
        assert {path: now[path] for path in sound} == sound, "a finished cell was run again"
        aside = [path.read_bytes() for path in put_aside(self.folder)]
        for path in self.damaged.keys() & now.keys():
            assert self.damaged[path] in aside, f"{path.name} was lost"
            assert Cells(self.grid, self.folder).read(path)
            del self.damaged[path]
        assert not Cells(self.grid, self.folder).to_do(), "nothing is left to do"

    @rule(write=st.integers(1, 45))
    def killed(self, write):
        """A run that is killed as it writes its file, or line of the journal, of that number."""
        fsync, left = os.fsync, [write]

        def deadly(file):
            left[0] -= 1
            if left[0] < 1:
                raise Killed
            fsync(file)

        os.fsync = deadly
        try:
            run_grid(self.grid, self.folder, progress=False)
        except Killed:
            pass
        finally:
            os.fsync = fsync
        self.damaged = {path: data for path, data in self.damaged.items() if self.as_damaged(path)}

    def as_damaged(self, path: Path) -> bool:
        return path.exists() and path.read_bytes() == self.damaged[path]

    @rule(
        which=st.integers(0, 60),
        where=st.integers(0, 97),
        how=st.sampled_from(["value", "flip", "cut", "empty", "grow"]),
    )
    def damage(self, which, where, how):
        """One of the files that are there: of a cell, its probe, the journal, a table."""
        cells = self.cells()
        others = [path for path in self.folder.glob("*.*") if path.is_file()] + list(
            self.folder.glob("cells/**/*.safetensors")
        )
        paths = sorted({*cells, *others} - set(put_aside(self.folder)))
        if not paths:
            return
        path = paths[which % len(paths)]
        before = path.read_bytes()
        at = len(before) * where // 98
        changed = {
            "value": before.replace(b"0.", b"1.", 1),
            "flip": before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :] if before else b"",
            "cut": before[:at],
            "empty": b"",
            "grow": before + before[:at] + b"{",
        }[how]
        path.write_bytes(changed)
        record = path.with_suffix(".json")  # a run goes with its probe: both are made again
        if record in cells and record not in self.damaged and not Cells(self.grid, self.folder).read(record):
            self.damaged[record] = record.read_bytes()


Grids.TestCase.settings = settings(max_examples=6, stateful_step_count=8, deadline=None)
TestGrids = Grids.TestCase
