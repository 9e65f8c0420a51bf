"""What is taken away of a clip: tables that other programs read, and sounds that are the clip's own."""

import numpy as np
import pytest
import soundfile
from page_bench import clips, write_demo
from typer.testing import CliRunner

import protoviz
from protoviz.cli import app
from protoviz.datasets.folder import FORMS, read_table
from protoviz.figures.taken import clip_cells, clip_events, clip_sound
from protoviz.scenes import make_scene
from protoviz.study import StudyError

CLIP = clips().iloc[2]  # three events
SCENE = make_scene(int(CLIP.seed), int(CLIP.polyphony))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return protoviz.open_study(write_demo(tmp_path_factory.mktemp("taken") / "mine"))


def run(*words):
    done = CliRunner().invoke(app, ["study", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("form", FORMS)
def test_the_true_events_come_back_from_every_kind_of_table(study, form, tmp_path):
    path = tmp_path / f"clip{FORMS[form]}"
    assert str(path) in run("events", study.folder, path, "--clip", CLIP["clip"])
    found = [row.event for row in read_table(path, lambda cell: False).rows]
    assert [event.label for event in found] == [event.label for event in SCENE.events]
    assert [event.onset for event in found] == pytest.approx([event.onset for event in SCENE.events])
    assert len(clip_events(study, CLIP["clip"])) == 3


def test_the_cells_of_a_class_are_those_of_its_figure(study, tmp_path):
    path = tmp_path / "bell.csv"
    run("events", study.folder, path, "--clip", CLIP["clip"], "--label", "bell", "--count", 4)
    drawn = protoviz.figure(study, "spectrogram", clip=CLIP["clip"], label="bell", k=4).table
    cells = clip_cells(study, CLIP["clip"], "bell", k=4)
    assert cells[list(drawn)].equals(drawn)
    assert path.read_text().count("\nbell,") == len(drawn) == 4


def loudness(wave):
    return float(np.sqrt(np.mean(np.square(wave, dtype=float))))


def test_sounds_are_the_clips_own(study, tmp_path):
    event, rate = SCENE.events[1], SCENE.sample_rate
    cut = SCENE.waveform[round(event.onset * rate) : round(event.offset * rate)]
    for name, words, expected in (
        ("clip", [], SCENE.waveform),
        ("event", ["--event", 1], cut),
    ):
        path = tmp_path / f"{name}.wav"
        run("sound", study.folder, path, "--clip", CLIP["clip"], *words)
        heard, at = soundfile.read(path, dtype="float32")
        assert at == rate
        assert abs(len(heard) - len(expected)) <= 1
        assert loudness(heard) == pytest.approx(loudness(expected), rel=1e-3)
    # A cell: the place that the table says, in its band, as loud as every cell.
    cell = clip_cells(study, CLIP["clip"], "bell", k=1).iloc[0]
    wave, at = clip_sound(study, CLIP["clip"], prototype=int(cell.prototype))
    spectrum = np.abs(np.fft.rfft(wave)) ** 2
    hertz = np.fft.rfftfreq(len(wave), 1 / at)
    inside = (hertz >= cell.low_hz - 60) & (hertz <= cell.high_hz + 60)
    assert spectrum[inside].sum() > 0.95 * spectrum.sum()
    assert np.abs(wave).max() == pytest.approx(0.5, rel=1e-3)
    assert len(wave) / at < 0.4


def test_what_is_not_there_is_named(study, tmp_path):
    with pytest.raises(StudyError, match="3 are known"):
        clip_sound(study, CLIP["clip"], event=3)
    with pytest.raises(StudyError, match="no prototype 100000"):
        clip_sound(study, CLIP["clip"], prototype=100000)
    with pytest.raises(StudyError, match="not both"):
        clip_sound(study, CLIP["clip"], event=0, prototype=0)
    done = CliRunner().invoke(app, ["study", "events", str(study.folder), str(tmp_path / "x.doc")])
    assert done.exit_code == 1
    assert ".csv" in done.output
