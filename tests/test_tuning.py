"""Fine-tuning: what is trained, from what, and that a killed run ends as an undisturbed one."""

import numpy as np
import pandas as pd
import pytest
import torch
from cache_fakes import FakeEncoder, FakeReader, fake_clips
from grid_fakes import write_grid

from protoviz.analysis.ranking import own_gap
from protoviz.analysis.results import results
from protoviz.analysis.tables import TUNED
from protoviz.encoders import load_encoder
from protoviz.experiments import tuning
from protoviz.experiments.cells import Cells
from protoviz.experiments.estimate import by_cell, plan
from protoviz.experiments.grid import GridError, read_grid
from protoviz.experiments.run import run_grid
from protoviz.experiments.tables import in_words
from protoviz.experiments.written import write_settings
from protoviz.report.contents import contents
from protoviz.training import SoundData, TrainingError, TuneConfig, fine_tune, predict
from protoviz.training.tuning import TunedProbe

QUICK = TuneConfig(epochs=3, search_epochs=1, rates=(1e-3, 1e-2), batch_size=4, clips=8)


class Varied(FakeReader):
    """Sounds of unequal length."""

    def read(self, row):
        return super().read(row)[: 32 - 4 * (int(row.seed) % 3)]


@pytest.fixture(scope="module")
def tuned():
    encoder, clips = FakeEncoder(), fake_clips(40, reader=Varied)
    return encoder, clips, fine_tune(encoder, clips, QUICK)


def test_the_encoder_is_trained_and_the_one_given_stays(tuned):
    encoder, _, found = tuned
    torch.testing.assert_close(encoder.project, FakeEncoder().project)
    assert not encoder.project.requires_grad
    assert (found.probe.encoder.project - encoder.project).abs().max() > 1e-4
    assert found.trials.lr.tolist() == [1e-3, 1e-2]
    assert found.lr == found.trials.lr[found.trials.score.idxmax()]
    assert len(found.result.history) == 3
    assert found.result.best_score == found.result.history.score.max()


def test_at_the_start_it_says_what_the_frozen_encoder_says():
    encoder, waves = (
        load_encoder("mini-random"),
        [np.random.default_rng(i).standard_normal(n) / 9 for i, n in ((0, 9000), (1, 30000))],
    )
    probe = TunedProbe(encoder, 3)
    lengths = torch.tensor([len(wave) for wave in waves])
    held = torch.zeros(2, 30000)
    for row, wave in zip(held, waves, strict=True):
        row[: len(wave)] = torch.from_numpy(wave)
    pooled = probe.pool(held, lengths, None)
    torch.testing.assert_close(
        pooled, encoder.encode([torch.tensor(w).float() for w in waves]).cls, rtol=0, atol=1e-5
    )
    pooled.sum().backward()
    assert all(weights.grad is not None for weights in probe.encoder.blocks[0].parameters())


def test_killed_on_the_way_it_ends_as_an_undisturbed_run(tuned, tmp_path):
    encoder, clips, whole = tuned
    heard = []

    def say(text):
        heard.append(text)
        if len(heard) == 4:  # both rates were tried, and the final run has begun
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fine_tune(encoder, clips, QUICK, tmp_path, say=say)
    again = []
    found = fine_tune(encoder, clips, QUICK, tmp_path, say=again.append)
    assert found.result.history.equals(whole.result.history)
    for name, value in whole.result.state.items():
        torch.testing.assert_close(found.result.state[name], value, rtol=0, atol=0)
    assert len(again) < len(heard)


def test_sounds_are_drawn_by_the_seed_with_their_truth(tuned):
    _, clips, found = tuned
    data = SoundData(clips, clips.indices("train"), most=6)
    assert len(data) == 6
    first, same, other = (list(data.batches(4, seed=seed)) for seed in (1, 1, 2))
    assert [len(batch.targets) for batch in first] == [4, 2]
    for part in range(4):
        np.testing.assert_array_equal(first[0][part], same[0][part])
    assert not np.array_equal(first[0].tokens, other[0].tokens)
    whole = list(data.batches(128))
    np.testing.assert_array_equal(whole[0].targets, clips.targets("train"))
    for sound, length, row in zip(
        whole[0].tokens, whole[0].cls.tolist(), clips.indices("train"), strict=True
    ):
        np.testing.assert_array_equal(sound[:length], clips.read(row))
    assert predict(found.probe, data).shape == (20, 3)


def test_what_cannot_be_read_or_trained_is_said_with_its_name(tuned):
    encoder, clips, _ = tuned
    broken = fake_clips(8, broken={"fakes-0001": OSError("gone")})
    with pytest.raises(TrainingError, match="fakes-0001"):
        fine_tune(encoder, broken, QUICK)
    with pytest.raises(TrainingError, match="1e\\+30"):
        fine_tune(encoder, clips, TuneConfig(epochs=1, rates=(1e30,), batch_size=4))
    with pytest.raises(ValueError, match="rates"):
        TuneConfig(rates=())


GRID = """
name = "tuned"
seeds = [0, 1]
epochs = 1
device = "cpu"
threads = 1
fine_tune = { epochs = 2, search_epochs = 1, rates = [0.001, 0.01], batch_size = 8 }
search = { kind = "fixed", few = true, epochs = 1, batch_size = 8 }
datasets = { bells = { use = "grid_fakes:clips" } }
encoders = { tiny = { use = "grid_fakes:tiny" } }
probes = ["linear"]
"""


def test_a_grid_has_the_reference_beside_its_probes_and_goes_on(tmp_path, monkeypatch):
    grid = read_grid(write_grid(tmp_path, GRID))
    write_settings(tmp_path, grid)
    assert read_grid(tmp_path / "study.toml") == grid
    cells = Cells(grid, tmp_path / "out")
    table = plan(cells)
    assert table.set_index("stage").seconds["tune"] > 0
    assert by_cell(table).probe.tolist() == ["linear", TUNED]
    frames = run_grid(grid, tmp_path / "out", progress=False)
    assert not cells.failures()
    results = frames["results"].set_index("method")
    assert results.loc[TUNED].seed == 0
    assert results.loc[TUNED].clips == results.loc["linear"].clips.iloc[0]
    assert frames["search"].query("method == @TUNED").lr.tolist() == [0.001, 0.01]
    assert set(frames["per-class"].method) == {"linear", TUNED}
    assert not list((tmp_path / "out").rglob("runs-*")), "what is finished needs no checkpoints"
    monkeypatch.setattr(tuning, "fine_tune", None)  # any training would fail
    assert not Cells(grid, tmp_path / "out").to_do()
    pd.testing.assert_frame_equal(
        run_grid(grid, tmp_path / "out", progress=False)["results"], frames["results"]
    )


def test_the_share_is_told_where_fine_tuning_beats_linear():
    scores = {
        ("a", "linear"): 0.4,
        ("a", "mhca"): 0.5,
        ("a", TUNED): 0.8,
        ("b", "linear"): 0.9,
        ("b", TUNED): 0.8,
    }
    frame = pd.DataFrame(
        [(*key, score) for key, score in scores.items()], columns=["encoder", "method", "score"]
    )
    frame = frame.assign(dataset="d", seed=0)
    told = own_gap(frame)
    assert told[["encoder", "method"]].to_numpy().tolist() == [["a", "mhca"]]
    assert told.share.item() == pytest.approx(0.25)
    assert "25 %" in in_words(frame)
    assert "63 %" in in_words(frame)
    assert "63 %" not in in_words(frame[frame.method != TUNED])


def test_a_report_has_the_gap_and_ranks_methods_without_the_reference(tmp_path):
    scores = {"linear": 0.4, "mhca": 0.5, TUNED: 0.8}
    rows = [(m, s, score + 0.01 * s) for m, score in scores.items() for s in ((0,) if m == TUNED else (0, 1))]
    frame = pd.DataFrame(rows, columns=["method", "seed", "score"])
    shared = {"encoder": "a", "dataset": "d", "polyphony": 0, "metric": "mAP", "chance": 0.1, "clips": 9}
    frame.assign(**shared).to_parquet(tmp_path / "mine.parquet")
    tables = {table.name: table for table in contents(tmp_path).tables}
    told = own_gap(results(tmp_path)).share.item()
    assert told == pytest.approx((0.505 - 0.405) / (0.8 - 0.405))
    assert f"{100 * told:.1f}" in tables["own-mine-gap"].rows[0].cells[0].text
    assert [row.labels[1] for row in tables["own-mine"].rows][:2] == ["linear", "mhca"]
    assert "own-mine-wins" in tables, "one seed of the reference takes no sum away from the methods"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("{ rates = [] }", "rates"),
        ('"yes"', "fine_tune"),
        ("{ loss = 'asl' }", "loss"),
        ("{ epochs = 0 }", "at least 1"),
    ],
)
def test_what_no_fine_tuning_can_be_is_refused(told, said, tmp_path):
    text = "\n".join(
        f"fine_tune = {told}" if line.startswith("fine_tune") else line for line in GRID.splitlines()
    )
    with pytest.raises(GridError, match=said):
        read_grid(write_grid(tmp_path, text))
