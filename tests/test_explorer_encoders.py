"""The explorer over any encoder: rates, lengths, grids, without attention or [cls]; or a refusal."""

import io
import math
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch
from page_bench import clips, nearest_of, strongest_by_hand, wav, write_demo
from small_encoders import small

from protoviz.audio import FilterBank, log_mel
from protoviz.encoders import Encoder, Encoding, load_encoder
from protoviz.explorer.frame import Frame
from protoviz.explorer.pages import PAGES
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.studies import served_studies
from protoviz.explorer.workbench import BenchError, Workbench
from protoviz.probes import build_probe
from protoviz.scenes import SCENE_CLASSES, make_scene

ROWS = 4  # mel rows of a cell


class Own(Encoder):
    """Means of log-mel patches, projected: no attention, no [cls]; any rate, length, grid and range."""

    cls_kind = "mean token"

    def __init__(self, rate=22050, seconds=4.0, grid=(20, 5), band=(50.0, 9000.0)):
        super().__init__()
        self.name, self.dim, self.sample_rate, self.seconds, self.grid = "own", 16, rate, seconds, grid
        self.bank = FilterBank(rate, mels=ROWS * grid[1], low_hz=band[0], high_hz=band[1])
        matrix = torch.randn(ROWS, self.dim, generator=torch.Generator().manual_seed(0))
        self.projection = torch.nn.Parameter(matrix, requires_grad=False)

    def features(self, waveforms):
        out = [log_mel(clip, self.bank) for clip in self.clips(waveforms)]
        return torch.nn.utils.rnn.pad_sequence(out, batch_first=True)

    def mask(self, samples):
        step = round(self.seconds * self.sample_rate) / self.grid[0]
        starts = torch.arange(self.grid[0]) * step
        return (starts < torch.tensor(samples)[:, None]).repeat_interleave(self.grid[1], dim=1)

    def front_end(self):
        return {"low_hz": self.bank.low_hz, "high_hz": self.bank.top_hz}

    def shape(self):
        return {"grid": list(self.grid)}

    def forward(self, features, attention=False, mask=None, layers=()):
        step = self.seconds * self.sample_rate / self.bank.shift_samples / self.grid[0]
        times = [round(step * t) for t in range(self.grid[0] + 1)]
        rows = [features[:, a : max(b, a + 1)] for a, b in pairwise(times)]
        rows = [row.mean(1) if row.shape[1] else row.new_zeros(len(row), row.shape[2]) for row in rows]
        tokens = torch.stack(rows, 1).unflatten(2, (-1, ROWS)).flatten(1, 2) @ self.projection
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool) if mask is None else mask
        tokens = tokens.masked_fill(~mask[..., None], 0)
        return Encoding(tokens, tokens.sum(1) / mask.sum(1, keepdim=True), self.grid, mask)


FIRST = "own, 22.05 kHz, 20 x 5, 4 s"  # the others are slow
KINDS = {
    FIRST: Own,
    "beats": partial(small, "beats"),  # 62 rows of a clip that fills 63
    "asit at 32 kHz, 30 s": partial(small, "asit", seconds=30),
    "eat, 2 s": partial(small, "eat", seconds=2),
    "dasheng": partial(small, "dasheng"),
    "sslam, 5.12 s": partial(small, "sslam", seconds=5.12),
    "a-mae, 10 s": partial(small, "a-mae", seconds=10),
    "asit at 16 kHz, 5.12 s": partial(small, "asit", seconds=5.12, sample_rate=16000),
    "beats, 5.12 s": partial(small, "beats", seconds=5.12),
    "dasheng, 2 s": partial(small, "dasheng", seconds=2),
    "mini-dasheng": partial(load_encoder, "mini-dasheng"),
    "own, 48 kHz, 9 x 3, 30 s": partial(Own, 48000, 30.0, (9, 3), (0.0, 14000.0)),
    "own, 16 kHz, 7 x 11, 5.12 s": partial(Own, 16000, 5.12, (7, 11), (20.0, 8000.0)),
    "own, 32 kHz, 50 x 1, 10 s": partial(Own, 32000, 10.0, (50, 1), (20.0, 16000.0)),
}


def bench_of(encoder, **options):
    torch.manual_seed(3)
    size = {"dim": encoder.dim, "classes": len(SCENE_CLASSES), "grid": encoder.grid}
    probes = {
        "linear": build_probe("linear", **size),
        "protobin": build_probe("protobin", **size, prototypes_per_class=2),
    }
    probes["protobin"].metadata["seed"] = 4
    return Workbench(encoder, probes, SCENE_CLASSES, clips(), **options)


def duration(data):
    samples, rate = soundfile.read(io.BytesIO(data))
    return len(samples) / rate, rate


def check_cells(bench, state, spectrogram):
    """What is drawn of the strongest prototypes lies where tokens and weights alone say."""
    found = strongest_by_hand(state.reading.waveform, state.class_name, bench=bench)
    times, freqs = bench.encoder.grid
    drawn = spectrogram.cells.data
    assert len(drawn["prototype"]) > 0
    for place, (prototype, cell) in enumerate(found[: len(drawn["prototype"])]):
        t, f = divmod(cell, freqs)
        assert drawn["prototype"][place] == prototype
        assert drawn["left"][place] == pytest.approx(t * bench.grid.seconds / times)
        assert drawn["bottom"][place] == pytest.approx(f * bench.bank.mels / freqs)


def check_pages(bench):
    state = ExplorerState(bench, clip="scene-61-6")
    frame, rate = Frame(state), bench.encoder.sample_rate
    for page in PAGES:
        state.page = page
    assert set(frame.views) == set(PAGES)
    whole = min(10.24, bench.encoder.seconds)
    for page in ("listen", "prototypes", "attention"):
        assert duration(frame.views[page].player.clip) == (pytest.approx(whole, abs=0.01), rate)
    assert {event.label for event in state.reading.events} == state.reading.truth
    for page in ("listen", "prototypes"):
        check_cells(bench, state, frame.views[page].spectrogram)
    listen, strongest = frame.views["listen"], state.strongest()
    state.page = "listen"
    listen.hear_rank(1)
    cell = strongest.iloc[0]
    assert duration(listen.player.cell)[0] == pytest.approx(cell.offset - cell.onset, abs=0.25)
    state.page = "prototypes"
    nearest = frame.views["prototypes"].across
    nearest.hear(1)
    assert duration(frame.views["prototypes"].player.cell)[1] == rate
    sides = [state.own["attention"].attended(side) for side in ("left", "right")]
    assert all(isinstance(side, str) or side.shares.sum(-1).max() <= 1.001 for side in sides)
    check_place(bench, state)


def check_place(bench, state):
    """A short tone is drawn where the grid says that it lies."""
    rate, length = bench.encoder.sample_rate, min(bench.encoder.seconds, 10.0)
    hertz, start = math.sqrt(300 * bench.grid.high_hz / 2), 0.6 * length
    time = np.arange(round(length * rate)) / rate
    tone = 0.5 * np.sin(2 * np.pi * hertz * time) * ((time >= start) & (time < start + 0.2))
    state.open_file("tone.wav", wav(tone, rate))
    picture = state.reading.picture
    row, column = np.unravel_index(picture.argmax(), picture.shape)
    seconds = (column + 0.5) / picture.shape[1] * bench.grid.seconds
    assert start - 0.05 <= seconds <= start + 0.25
    (_, band), freqs = bench.grid.cell(seconds, hertz), bench.grid.freqs
    away = (row + 0.5) / bench.bank.mels * freqs - (band + 0.5)  # in cells, from the middle of its own
    assert abs(away) <= 0.5 + 0.02 * freqs


@pytest.mark.parametrize(
    "kind", [pytest.param(one, marks=[pytest.mark.slow] * (one != FIRST)) for one in KINDS]
)
def test_every_page_is_right_over_any_encoder(kind):
    bench = bench_of(KINDS[kind]())
    tables = {"nearest": nearest_of(bench)}
    check_pages(bench_of(bench.encoder, tables=tables.get))


def test_an_encoder_without_attention_is_named_where_its_maps_would_stand():
    state = ExplorerState(bench_of(Own()), clip="scene-30-3", page="attention")
    view = Frame(state).view
    assert "no attention" in view.sides["left"].heading.object
    assert not view.sides["left"].spectrogram.figure.visible
    assert view.sides["right"].spectrogram.figure.visible, "another encoder hears the clip at its own rate"
    shown = state.own["attention"].attended("right")
    assert shown.maps.grid.sample_rate == 16000
    assert shown.maps.mask.reshape(64, 8).any(axis=1).sum() == math.ceil(4.0 / 0.16)
    state.own["attention"].over = "listed"
    state.own["attention"].right = "own"
    assert "no attention" in view.sides["right"].heading.object


def test_a_scene_is_as_long_as_the_encoder_takes_and_no_shorter_than_it_need_be():
    for seconds, whole in ((2.0, 2.0), (5.12, 5.12), (10.24, 10.24), (30.0, 10.24)):
        bench = bench_of(Own(16000, seconds, (8, 4), (20.0, 8000.0)))
        scene = bench.made("scene-30-3")
        assert len(scene.waveform) == round(whole * 16000)
        assert len(scene.events) == 3
        assert max(event.offset for event in scene.events) <= whole
    np.testing.assert_array_equal(scene.waveform, make_scene(30, 3).waveform)


def test_what_does_not_fit_together_is_refused_with_cause_and_cure():
    with pytest.raises(BenchError, match=r"own takes clips of 0\.3 s.*seconds="):
        bench_of(Own(16000, 0.3, (3, 4), (20.0, 8000.0)))
    encoder, size = Own(), {"classes": len(SCENE_CLASSES)}
    for probe, reason in (
        (build_probe("protobin", dim=16, grid=(10, 10), **size), r"\(10, 10\) cells, not \(20, 5\)"),
        (build_probe("protobin", dim=8, grid=(20, 5), **size), "width 8"),
        (build_probe("proto", dim=16, grid=(20, 5), upsample=True, **size), "without upsample"),
    ):
        with pytest.raises(BenchError, match=reason):
            Workbench(encoder, {"one": probe}, SCENE_CLASSES, clips())


def test_a_probe_without_a_grid_has_its_maps_on_the_encoders():
    encoder = Own()
    probe = build_probe("protobin", dim=16, classes=len(SCENE_CLASSES), prototypes_per_class=1)
    state = ExplorerState(Workbench(encoder, {"protobin": probe}, SCENE_CLASSES, clips()), clip="scene-30-3")
    prototype, similarity = state.similarity()
    assert similarity.shape == encoder.grid
    row = state.strongest()[state.strongest().prototype == prototype].iloc[0]
    assert np.unravel_index(np.nanargmax(similarity), similarity.shape) == (row.t, row.f)


def test_a_demo_of_an_own_class_opens_by_its_place_in_code(tmp_path, monkeypatch):
    (tmp_path / "own_for_demo.py").write_text("from test_explorer_encoders import Own\n")
    monkeypatch.chdir(tmp_path)
    bench = bench_of(Own())
    write_demo(tmp_path, bench, "own_for_demo:Own")
    with pytest.raises(BenchError, match="--allow own_for_demo"):
        served_studies([tmp_path]).first()
    monkeypatch.setenv("PROTOVIZ_ALLOW", "own_for_demo")
    opened = served_studies([tmp_path]).first()
    assert opened.encoder.sample_rate == 22050
    assert "own" in opened.note
    assert ExplorerState(opened, clip="scene-30-3").reading.seconds == pytest.approx(4.0)
