"""A grid with fixed rates and named scorers: the same cells, and tables that need no training."""

from dataclasses import dataclass

import pandas as pd
import pytest
from grid_fakes import tiny, write_grid

from protoviz.experiments import work
from protoviz.experiments.cells import Cells
from protoviz.experiments.grid import GridError, read_grid
from protoviz.experiments.guided import run_study
from protoviz.experiments.run import run_grid
from protoviz.experiments.scoring import Scorer
from protoviz.experiments.written import write_settings
from protoviz.kept import DamagedFileWarning

TEXT = """
name = "fixed"
seeds = [0, 1]
epochs = 2
device = "cpu"
threads = 1
prototypes_per_class = 2
scores = ["by polyphony"]
[search]
kind = "fixed"
few = true
epochs = 1
batch_size = 8
[datasets]
bells = { use = "grid_fakes:clips" }
[encoders]
tiny = { use = "grid_fakes:tiny" }
[probes]
linear = {}
protobin = {}
[small]
epochs = 1
[small.probes]
mlp = {}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    grid = read_grid(write_grid(folder, TEXT))
    return grid, folder / "out", run_grid(grid, folder / "out", progress=False)


@dataclass(frozen=True)
class Argmax(Scorer):
    """The commonest first class, and of the encoder the width of its tokens."""

    of_encoders = True
    times: int = 1

    def of_probe(self, probe, logits, test):
        return pd.DataFrame({"clip": test.maps.table["clip"], "first": self.times * logits.argmax(1)})

    def of_encoder(self, test):
        return pd.DataFrame({"width": [test.pair.encoder.dim]})


def test_final_runs_take_the_best_of_the_fixed_rates(run):
    grid, _, frames = run
    for method, rows in frames["search"].groupby("method"):
        tried = next(one for one in grid.probes if one.title == method).settings(few=True)
        assert rows.lr.tolist() == [lr for lr, _ in tried]
        best = rows.loc[rows.score.idxmax()]
        final = frames["results"][frames["results"].method == method]
        assert set(final.lr) == {best.lr}
        assert set(final.search_score) == {best.score}


def test_a_scorer_speaks_of_every_run(run):
    _, folder, frames = run
    table, keys = frames["by-polyphony"], ["dataset", "encoder", "method", "seed"]
    whole = table[table.polyphony == 0].set_index(keys).score
    assert whole.to_dict() == frames["results"].set_index(keys).score.to_dict()
    clips = table[table.polyphony > 0].groupby(keys).clips.sum()
    assert set(clips) == set(frames["results"].clips)
    assert pd.read_parquet(folder / "by-polyphony.parquet").equals(table)


def test_another_scorer_trains_nothing_and_a_damaged_table_is_made_again(run, tmp_path, monkeypatch):
    _, folder, frames = run
    monkeypatch.setattr(work, "fit_many", lambda *_, **__: pytest.fail("it is trained again"))
    text = TEXT.replace('scores = ["by polyphony"]', "").replace(
        "[search]", '[scores."by polyphony"]\n[scores.argmax]\nuse = "test_grid_scores:Argmax"\n[search]'
    )
    grid = read_grid(write_grid(tmp_path, text))
    again = run_grid(grid, folder, progress=False)
    pd.testing.assert_frame_equal(again["results"], frames["results"])
    assert again["argmax"][again["argmax"].method == ""].width.tolist() == [tiny().dim]
    assert again["argmax"].groupby("method").seed.nunique().to_dict() == {"": 0, "linear": 2, "protobin": 2}
    path = next(folder.glob("cells/*/*/linear/score-*.by-polyphony.parquet"))
    written = path.read_bytes()
    path.write_bytes(written[:-9])
    with pytest.warns(DamagedFileWarning, match="by-polyphony"):
        run_grid(grid, folder, progress=False)
    assert path.read_bytes() == written
    other = read_grid(write_grid(tmp_path, text.replace(':Argmax"', ':Argmax"\ntimes = 2')))
    assert [task.kind for task in Cells(other, folder).to_do()] == ["score"] * 3


def test_a_grid_is_reduced_and_changed_table_by_table(tmp_path):
    path = write_grid(tmp_path, TEXT)
    small = read_grid(path, small=True, changes={"search": {"epochs": 3}})
    assert (small.epochs, small.search.epochs, small.search.few) == (1, 3, True)
    assert [method.title for method in small.probes] == ["linear", "protobin", "mlp"]
    write_settings(tmp_path, small)
    assert read_grid(tmp_path / "study.toml") == small


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["by polyphony"]', '["by polyfony"]', "no scorer 'by polyfony'"),
        ('["by polyphony"]', '["places"]\n[scores.places]\nscenes = 0', "scores"),
        ('["by polyphony"]', '{ search = { use = "by polyphony" } }', "every grid has"),
        ('["by polyphony"]', '{ places = { scenes = "all" } }', "scores.places.scenes"),
        ('kind = "fixed"', 'kind = "random"', "there are optuna, fixed"),
        ("few = true", "sobol = 3", "search has 'sobol'"),
        ("threads = 1", "threads = 0", "threads"),
    ],
)
def test_what_no_grid_can_say_is_refused(old, new, said, tmp_path):
    with pytest.raises(GridError, match=said):
        read_grid(write_grid(tmp_path, TEXT.replace(old, new)))


def test_a_recipe_of_ones_own_leaves_its_files_with_its_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = TEXT.replace("[search]", '[recipe]\nuse = "per-class"\n[search]').replace('["by polyphony"]', "[]")
    probe = '"protobin, J = 2" = { use = "protobin", hyper = { prototypes_per_class = 2 } }'
    text = text.replace("linear = {}\n", "").replace("protobin = {}", probe)
    study = run_study(write_grid(tmp_path, text), tmp_path / "out", progress=False)
    table = pd.read_parquet(study.folder / "results" / "per-class.parquet")
    assert (set(table.method), set(table.per_class)) == ({"protobin"}, {2})
    assert sorted(table.seed) == [0, 1]
