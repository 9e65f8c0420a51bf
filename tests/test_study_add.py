"""What is added to a study: nearest clips, places, scores by polyphony, planes, attention; each once."""

import shlex
import shutil

import numpy as np
import pandas as pd
import pytest
from grid_fakes import SMALLEST, write_grid
from typer.testing import CliRunner

from protoviz.analysis.neighbours import PARTS
from protoviz.analysis.results import COLUMNS, results_of
from protoviz.cli import app
from protoviz.experiments import opening
from protoviz.experiments.grid import KeepConfig, read_grid
from protoviz.experiments.keeping import keep_study
from protoviz.experiments.opening import KINDS
from protoviz.experiments.opening import add_to_study as add
from protoviz.experiments.run import run_grid
from protoviz.probes import build_probe, load_probe, save_probe
from protoviz.study import StudyError, check_study, open_study, wrong
from protoviz.study.form import ADDED, probe_file, table_part

ALLOW = ["grid_fakes"]
CELL = "heard", "attending", "protobin"
GRID = (
    SMALLEST
    + """
name = "tiny"
keep = { show = 10, attention = false }
[datasets]
heard = { use = "grid_fakes:known" }
unknown = { use = "grid_fakes:clips" }
[encoders]
attending = { use = "grid_fakes:attending" }
[probes]
linear = {}
protobin = { hyper = { prototypes_per_class = 2 } }
"""
)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """The folder of a finished grid, as `run_grid` leaves it."""
    folder = tmp_path_factory.mktemp("bare")
    run_grid(read_grid(write_grid(folder, GRID)), folder / "out", progress=False)
    return folder / "out"


@pytest.fixture(scope="module")
def grown(bare, tmp_path_factory):
    """The same with all that can be added; a plane is two of a vector's numbers."""
    folder = shutil.copytree(bare, tmp_path_factory.mktemp("grown") / "out")
    patch = pytest.MonkeyPatch()
    patch.setattr("protoviz.experiments.projections.plane", lambda vectors, seed: np.asarray(vectors)[:, :2])
    add(folder, *KINDS, allow=ALLOW)
    patch.undo()
    return folder


@pytest.fixture
def study(grown, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(grown, tmp_path / "study")


def held(folder):
    files = (path for room in ("results", "clips", "probes") for path in (folder / room).rglob("*"))
    return {path.relative_to(folder): path.read_bytes() for path in files if path.is_file()}


def test_the_command_that_is_told_adds_what_is_absent(bare, tmp_path):
    """Also where the study names code of one's own, which runs only where somebody says so."""
    folder = shutil.copytree(bare, tmp_path / "study")
    for part in ("clips of heard", "places"):
        told = {finding.part: finding.text for finding in check_study(open_study(folder))}[part]
        command = shlex.split(told.split("`")[1])
        assert CliRunner().invoke(app, command[1:]).exit_code == 0
    assert set(open_study(folder).results["places"].dataset) == {"heard"}


def test_the_folder_of_a_grid_is_a_study(bare):
    study = open_study(bare)
    assert list(study.datasets) == ["heard", "unknown"]
    assert study.datasets["heard"].knows == "boxes"
    assert study.datasets["unknown"].knows == "labels"
    assert set(study.results["results"].method) == {"linear", "protobin"}
    assert study.clips == {}
    found = check_study(study)
    assert not wrong(found)
    assert any(f.part == "clips of heard" and "study add" in f.text for f in found)


def test_nearest_clips_and_histograms_are_those_of_all_test_scores(grown):
    study = open_study(grown)
    shown = study.results.part("shown", *CELL).set_index("clip")  # all ten test clips
    scores = pd.DataFrame(shown.scores.tolist(), shown.index)
    cells = pd.DataFrame(shown.locations.tolist(), shown.index)
    nearest = study.results.part("nearest", *CELL)
    assert set(nearest.part) <= set(PARTS)
    told = study.results.part("scores", *CELL).set_index("prototype")
    for j, rows in nearest.groupby("prototype"):
        best = scores[j].sort_values(ascending=False, kind="stable")
        assert sorted(rows["rank"]) == [*range(1, 11)], "ten clips are top, middle and bottom together"
        np.testing.assert_allclose(rows.score, best.iloc[rows["rank"] - 1], atol=1e-6)
        assert rows.cell.tolist() == [cells.loc[clip, j] for clip in rows["clip"]]
        assert sum(told.counts[j]) == 10
        np.testing.assert_allclose([told.low[j], told.high[j]], [best.iloc[-1], best.iloc[0]], atol=1e-6)
    assert not {"seed", "polyphony"} & set(nearest), "a clip's id says it"
    assert study.results.part("nearest", "unknown").label.isna().all()


def test_places_are_held_against_known_events_and_only_those(grown):
    study = open_study(grown)
    places, clips = study.results["places"], study.clips["heard"].table.set_index("clip")
    assert set(places.dataset) == {"heard"}
    assert set(places["clip"]) == set(clips.index)
    cells = study.results.part("shown", *CELL).set_index("clip").locations
    for row in places.itertuples():
        assert [cells[row.clip][j] for j in row.prototypes] == list(row.cells)
        touched = {event["label"] for event in clips.events[row.clip]}
        assert row[places.columns.get_loc("class") + 1] in touched
        assert row.hits == sum(cell < 4 for cell in row.cells), "it sounds in the first half"


def test_scores_by_labels_are_those_of_the_run(grown):
    study = open_study(grown)
    rows, runs = study.results["by-polyphony"], study.results["results"]
    assert set(zip(rows.dataset, rows.method, strict=True)) == set(
        zip(runs.dataset, runs.method, strict=True)
    )
    keys = ["dataset", "encoder", "method", "seed"]
    whole = rows[rows.polyphony == 0].merge(runs, on=keys)
    np.testing.assert_allclose(whole.score_x, whole.score_y)
    assert set(rows.polyphony) == {0, 1, 2}
    told = results_of(study)  # what pages and figures read
    told = told[told.source == "by-polyphony"].sort_values([*keys, "polyphony"])
    wanted = rows.sort_values([*keys, "polyphony"])
    assert told.score.tolist() == wanted.score.tolist()
    assert told.columns.tolist() == list(COLUMNS)
    counts = rows[rows.polyphony > 0].groupby(["dataset", "method"]).clips.sum()
    assert (counts == 10).all()


def test_attention_that_was_left_out_is_added_as_it_would_have_been_kept(grown, bare, tmp_path):
    whole = shutil.copytree(bare, tmp_path / "whole")
    keep_study(opening.grid_of(whole, ALLOW), KeepConfig(show=10))
    one, other = (open_study(folder).clips["heard"] for folder in (grown, whole))
    assert one.table["clip"].tolist() == other.table["clip"].tolist()
    for name in ("attention", "cls_to_cls", "tokens"):
        np.testing.assert_array_equal(one.array(name), other.array(name))
    assert not wrong(check_study(open_study(grown)))


def test_what_is_there_is_not_computed_again(study, monkeypatch):
    before = held(study)
    monkeypatch.setattr(opening, "_pair", None)  # neither clips nor encoder can be opened
    said = []
    add(study, *KINDS, allow=ALLOW, say=said.append)
    assert said, "what is there is not passed over in silence"
    assert held(study) == before


def test_only_the_part_of_a_probe_that_has_changed_is_made_again(study):
    path = probe_file(study, *CELL)
    probe = load_probe(path)
    save_probe(build_probe("protobin", probe.dim, 3, (4, 2), prototypes_per_class=2), path, **probe.metadata)
    found = check_study(open_study(study))
    assert {f.part for f in found if f.state == "wrong"} == {
        name for names in ADDED.values() for name in names
    }
    before = held(study)
    add(study, "nearest", allow=ALLOW)
    changed = {study / name for name, data in held(study).items() if before[name] != data}
    assert changed == {table_part(study, name, *CELL) for name in ADDED["nearest"]}


def test_cosines_are_those_of_all_pairs_and_need_neither_clips_nor_encoder(study):
    shutil.rmtree(study / "results" / "cosines")
    shutil.rmtree(study / "tokens")
    (study / "study.toml").unlink()
    add(study, "cosines", allow=ALLOW)
    table = open_study(study).results.part("cosines", *CELL).set_index(["form", "stage"])
    probe = load_probe(probe_file(study, *CELL))
    start = build_probe("protobin", probe.dim, 3, (4, 2), prototypes_per_class=2)
    assert ("real", "before") in table.index, "the grid says its seed"
    real = probe.latent.detach().double().numpy()
    for form, vectors in (("real", real), ("binarised", np.where(real >= 0, 1.0, -1.0))):
        row, rows = table.loc[form, "after"], vectors / np.linalg.norm(vectors, axis=1)[:, None]
        pairs = (rows @ rows.T)[np.triu_indices(probe.count, 1)]
        assert row["count"] == start.count == 6
        told = row[["mean", "sd", "low", "high"]].tolist()
        np.testing.assert_allclose(told, [pairs.mean(), pairs.std(), pairs.min(), pairs.max()], atol=1e-12)
        assert list(row.counts) == np.histogram(pairs, row.edges)[0].tolist()
        assert sum(row.counts) == 15


def test_scores_that_memory_does_not_hold_go_through_a_file(study, monkeypatch):
    before = held(study)
    for name in ("nearest", "scores"):
        shutil.rmtree(study / "results" / name)
    monkeypatch.setattr("protoviz.experiments.adding.MEMORY", 0)
    monkeypatch.setattr("protoviz.experiments.adding.score_many", None)
    add(study, "nearest", allow=ALLOW)
    assert held(study) == before
    assert {path.name for path in (study / "tokens").iterdir() if path.is_file()} == set()


def test_without_the_grids_token_maps_the_test_clips_are_encoded_anew(study):
    before = held(study)
    shutil.rmtree(study / "tokens")
    for name in ("nearest", "scores", "places", "by-polyphony"):
        shutil.rmtree(study / "results" / name)
    add(study, "nearest", "places", "polyphony", allow=ALLOW)
    assert held(study) == before


def test_what_is_absent_is_named_with_the_cure(study, tmp_path):
    shutil.rmtree(study / "results" / "nearest")
    with pytest.raises(StudyError, match="--allow grid_fakes"):
        add(study, "nearest")
    with pytest.raises(StudyError, match="there are nearest"):
        add(study, "closest", allow=ALLOW)
    with pytest.raises(StudyError, match="no method 'mlp'"):
        add(study, "nearest", methods=["mlp"], allow=ALLOW)
    path = study / "study.toml"
    told = path.read_text()
    path.write_text(told.replace("grid_fakes:attending", "grid_fakes:broken"))
    with pytest.raises(StudyError, match=r"attending.*on the moon.*study\.toml"):
        add(study, "nearest", allow=ALLOW)
    path.unlink()
    with pytest.raises(StudyError, match=r"no study\.toml"):
        add(study, "nearest", allow=ALLOW)
    with pytest.raises(StudyError, match="holds no study"):
        add(tmp_path, "nearest")


def test_a_module_that_study_toml_alone_names_is_not_imported(study):
    path = study / "study.toml"
    path.write_text(path.read_text() + '\n[probes."never_imported:Probe"]\n')
    with pytest.raises(StudyError, match="--allow never_imported"):
        opening.grid_of(study, ALLOW)


def test_the_command_adds_and_tables_become_csv(study, tmp_path):
    shutil.rmtree(study / "results" / "places")
    done = CliRunner().invoke(app, ["study", "add", str(study), "places", "--allow", "grid_fakes"])
    assert done.exit_code == 0, done.output
    assert "places of protobin" in done.output
    tables = open_study(study).results
    (path,) = tables.to_csv(tmp_path / "csv", "by-polyphony")
    pd.testing.assert_frame_equal(pd.read_csv(path), tables["by-polyphony"], check_dtype=False)
