"""Few shots as in BirdSet, on a small copy of its published layout that is made of procedural sound.

`python -m benchmarks few_shot` makes the copy, runs benchmarks/few_shot.toml on it in runs/few_shot, and
writes data/demo/results/few-shot.parquet, of which `protoviz report --write` makes a table of the docs.
Stopped, it goes on where it was. `--folder` names another place for the table.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from protoviz.encoders import Encoder, MiniEncoder, load_encoder
from protoviz.experiments.grid import DatasetEntry, read_grid
from protoviz.experiments.materials import open_clips
from protoviz.experiments.run import run_grid
from protoviz.files import write_whole
from protoviz.kept import write_frame, write_json
from protoviz.paths import shipped_folder
from protoviz.scenes import ProceduralSources, SceneConfig, make_scene

GRID = Path(__file__).with_name("few_shot.toml")
WORK = Path("runs/few_shot")  # where the grid looks for its copy
SITE = "HSN"
BIRDS = ("bird_trill", "frog_croak", "whistle", "woodpecker")
RECORDINGS = 72  # of each
PIECE = 4.0  # seconds: a recording is one scene after the other
PIECES = (1, 1, 1, 2, 3, 4, 6, 6)  # in turn: three of eight are strict (5 s), three more lenient (20 s)
TEST, TEST_DB = 200, (0.0, 14.0)  # segments of one or two birds, which are fainter than in recordings


def half() -> Encoder:
    """mini-mae on 512 frames, so that a clip of five seconds fills its map."""
    whole = load_encoder("mini-mae")
    encoder = MiniEncoder(replace(whole.config, frames=512), "mini-mae")
    encoder.load_state_dict(whole.state_dict())
    return encoder


def recording(bird: str, number: int, seed: int) -> tuple[np.ndarray, list, list, str]:
    """(sound, detected events, their clusters, the other bird that is in it or "") of one recording.

    Each piece has one event of the bird, a third of the recordings another bird in their last piece, and
    every fourth an event that is none, as detectors report.
    """
    other = BIRDS[(BIRDS.index(bird) + 1 + number) % len(BIRDS)] if number % 3 == 2 else ""
    other = "" if other == bird else other
    sounds, events, clusters = [], [], []
    pieces = PIECES[number % len(PIECES)]
    for piece in range(pieces):
        there = (bird, other) if other and piece == pieces - 1 else (bird,)
        scene = make_scene(
            seed + piece, len(there), sources=ProceduralSources(there), config=SceneConfig(seconds=PIECE)
        )
        sounds.append(scene.waveform)
        for event in scene.events:
            events.append([piece * PIECE + event.onset, piece * PIECE + event.offset])
            clusters.append(int(event.label == other))
    if number % 4 == 3:
        events.append([0.0, 0.4])
        clusters.append(-1)
    return np.concatenate(sounds), events, clusters, other


def make_copy(root: Path, recordings: int = RECORDINGS, tests: int = TEST) -> Path:
    """Writes the copy below `root`, as BirdSet's branch `data` has it unpacked; whole, or the tables lack."""
    folder = root / SITE
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for place, bird in enumerate(BIRDS):
        for number in range(recordings):
            sound, events, clusters, other = recording(bird, number, 10 * (place * recordings + number))
            name = f"XC{place}{number:04}.flac"
            _write(folder / name, sound)
            others = [other] if other else []
            listed.append((name, [bird, *others], bird, others, events, clusters))
    tested = []
    config = SceneConfig(seconds=5.0, event_db=TEST_DB)
    for number in range(tests):
        scene = make_scene(10**6 + number, 1 + number % 2, sources=ProceduralSources(BIRDS), config=config)
        _write(folder / f"{SITE}_{number:05}.flac", scene.waveform)
        tested.append((f"{SITE}_{number:05}.flac", list(scene.labels)))
    labels = ["filepath", "ebird_code_multilabel"]
    columns = [*labels, "ebird_code", "ebird_code_secondary", "detected_events", "event_cluster"]
    _write_table(folder / f"{SITE}_metadata_test_5s.parquet", pd.DataFrame(tested, columns=labels))
    _write_table(folder / f"{SITE}_metadata_train.parquet", pd.DataFrame(listed, columns=columns))
    return root


def _write(path: Path, sound: np.ndarray) -> None:
    write_whole(path, lambda beside: soundfile.write(beside, sound, 16000, format="FLAC"))


def _write_table(path: Path, table: pd.DataFrame) -> None:
    write_whole(path, lambda beside: table.to_parquet(beside))


def tidy(results: pd.DataFrame, shots: Mapping[str, float]) -> pd.DataFrame:
    """A row a run: condition, draw, shots (a class, on average), method, lr, seed, score (mAP), chance, ...

    results: of a grid whose data sets are called "CONDITION, draw NUMBER"; shots: of each of them.
    """
    rows = results[results.polyphony == 0]
    parts = rows.dataset.str.extract(r"(?P<condition>\w+), draw (?P<draw>\d+)").astype({"draw": int})
    kept = rows[["method", "lr", "seed", "score", "chance", "clips"]]
    return pd.concat([parts, rows.dataset.map(shots).rename("shots"), kept], axis=1).reset_index(drop=True)


def shots_of(entry: DatasetEntry) -> float:
    """How many events of a class a data set of the grid trains on, on average; copies are not counted."""
    clips = open_clips(entry, 16000)
    train = clips.table.loc[clips.table["split"] == "train", "clip"]
    return float((~train.str.contains("+", regex=False)).sum() / len(clips.classes))


def main(arguments: Sequence[str] = ()) -> None:
    """Runs all of it; what is finished is not made again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks few_shot")
    shipped = shipped_folder() / "demo" / "results"
    parser.add_argument("--folder", type=Path, default=shipped, help="of the table")
    chosen = parser.parse_args(arguments)
    copy = WORK / "copy"
    if not (copy / SITE / f"{SITE}_metadata_train.parquet").exists():
        make_copy(copy)
    grid = read_grid(GRID)
    shots = {entry.name: shots_of(entry) for entry in grid.datasets}
    found = tidy(run_grid(grid, WORK)["results"], shots)
    write_frame(chosen.folder / "few-shot.parquet", found)
    told = {"command": "python -m benchmarks few_shot", "encoder": "mini-mae", "seeds": list(grid.seeds)}
    write_json(chosen.folder / "few-shot.json", told)
