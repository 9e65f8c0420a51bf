"""Published encoders on clips of any length: windows, masks, batches, grids, and what is refused."""

import numpy as np
import pytest
import torch
from golden_names import ENCODER_FILES
from hypothesis import given, settings
from hypothesis import strategies as st
from small_encoders import ARCHITECTURES, kept, small

from protoviz.encoders import EncoderError, load_encoder


def sound(encoder, seconds, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(0.1 * rng.standard_normal(round(seconds * encoder.sample_rate), dtype=np.float32))


@pytest.mark.parametrize(
    ("name", "options", "grid", "seconds"),
    [
        ("eat", {"seconds": 10}, (64, 8), 10.24),
        ("eat", {"seconds": 5}, (32, 8), 5.12),
        ("a-mae", {"seconds": 10}, (64, 8), 10.24),
        ("asit", {}, (64, 8), 10.24),
        ("asit", {"seconds": 5}, (32, 8), 5.12),
        ("beats", {}, (62, 8), 9.92),
        ("beats", {"seconds": 5}, (31, 8), 4.96),
        ("bat", {}, (64, 8), 10.24),
        ("bat", {"seconds": 5, "sample_rate": 32000}, (32, 8), 5.12),
        ("dasheng", {}, (250, 1), 10.0),
        ("dasheng", {"seconds": 30}, (750, 1), 30.0),
    ],
)
def test_grid_and_its_length(name, options, grid, seconds):
    """The published maps of 10 s; a cell lasts 160 ms (Dasheng: 40), whatever the clip's own length."""
    encoder = kept(name, **options)
    cells = encoder.cell_grid()
    assert encoder.grid == grid == (cells.times, cells.freqs)
    assert cells.seconds == pytest.approx(seconds)
    top = encoder.sample_rate / 2
    assert (cells.low_hz, cells.high_hz) == ((0, top) if name in ("bat", "dasheng") else (20, top))
    assert cells.box(1, 0).onset == pytest.approx(0.04 if name == "dasheng" else 0.16)
    length = min(options.get("seconds", 10), 10)
    encoding = encoder.encode(sound(encoder, length))
    fitted = encoding.on_grid(encoder.grid)
    assert fitted.tokens.shape == (1, grid[0] * grid[1], encoder.dim)
    assert fitted.mask.sum() == encoding.mask.sum()


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("seconds", [0.5, 1.3, 10, 60])
def test_half_a_second_to_a_minute(name, seconds):
    encoder = kept(name)
    encoding = encoder.encode(sound(encoder, seconds), attention=seconds < 60)
    times, freqs = encoding.grid
    assert encoding.tokens.shape == (1, times * freqs, encoder.dim)
    assert torch.isfinite(encoding.tokens).all()
    assert (encoding.tokens[0][~encoding.mask[0]] == 0).all()
    # Sound fills the first rows, to within the last one (a frame reaches 15 ms past its row).
    rows = int(encoding.mask.sum()) // freqs
    assert encoding.mask[0, : rows * freqs].all()
    row = encoder.cell_grid(encoding.grid).time_edges[1]
    assert abs(rows * row - seconds) < row + 0.016
    if encoding.attention is not None:
        sums = torch.stack(encoding.attention).sum(-1) + torch.stack(encoding.cls_to_cls)
        torch.testing.assert_close(sums, torch.ones_like(sums), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ARCHITECTURES)
@settings(max_examples=5)
@given(lengths=st.lists(st.floats(0.3, 3.5), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_unequal_clips_do_not_touch_each_other(name, lengths, seed):
    """Also across windows, which the shorter clips do not reach."""
    encoder = kept(name)
    clips = [sound(encoder, seconds, seed + i) * 4.0**-i for i, seconds in enumerate(lengths)]
    together = encoder.encode(clips, attention=True, layers=[0])
    assert torch.equal(together.mask, encoder.mask([len(clip) for clip in clips]))
    for i, clip in enumerate(clips):
        alone = encoder.encode(clip, attention=True, layers=[0]).on_grid(together.grid)
        assert torch.equal(alone.mask[0], together.mask[i])
        torch.testing.assert_close(alone.tokens[0], together.tokens[i], atol=2e-5, rtol=1e-5)
        torch.testing.assert_close(alone.cls[0], together.cls[i], atol=2e-5, rtol=1e-5)
        torch.testing.assert_close(alone.layers[0][0], together.layers[0][i], atol=1e-4, rtol=1e-5)
        for ours, theirs in zip(alone.attention, together.attention, strict=True):
            torch.testing.assert_close(ours[0], theirs[i], atol=1e-5, rtol=0)


def test_eat_takes_as_many_positions_as_its_table_has():
    """Its input is 6 rows, its table 10: a clip of 1.5 s is one pass, not two windows."""
    encoder = kept("eat")
    clip = sound(encoder, 1.5)
    torch.testing.assert_close(
        encoder.encode(clip).tokens[0, : 10 * 8], encoder(encoder.features(clip)).tokens[0, : 10 * 8]
    )
    assert encoder.encode(clip).grid == (10, 8)


def test_asit_stretches_its_positions_as_a_picture():
    """Bilinear, along time only; its own number of rows takes the table as it is."""
    encoder = kept("asit")
    cls, native = encoder.positions(6)
    assert torch.equal(torch.cat([cls, native], 1), encoder.pos_embed)
    stretched = encoder.positions(64)[1].unflatten(1, (64, 8))
    rows = native.unflatten(1, (6, 8))
    places = ((np.arange(64) + 0.5) * 6 / 64 - 0.5).clip(0, 5)
    low = np.minimum(places.astype(int), 4)
    share = torch.from_numpy(places - low).float()[None, :, None, None]
    expected = rows[:, low] * (1 - share) + rows[:, low + 1] * share
    torch.testing.assert_close(stretched, expected, atol=1e-6, rtol=0)


def test_a_quiet_clip_keeps_its_level_beside_a_loud_one():
    """Dasheng's range of 120 dB is that of each clip, not of the batch (as it is in torchaudio)."""
    encoder = kept("dasheng")
    loud = torch.sin(torch.arange(16000) / 4) * 0.9
    quiet = loud * 1e-5
    torch.testing.assert_close(encoder.features([quiet, loud])[:1], encoder.features(quiet))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_attention_only_on_request_changes_nothing(name):
    encoder = kept(name)
    clip = sound(encoder, 1.0)
    without, asked = encoder.encode(clip), encoder.encode(clip, attention=True)
    assert without.attention is None
    assert without.cls_to_cls is None
    assert torch.equal(without.tokens, asked.tokens)
    assert len(asked.attention) == encoder.config.depth
    assert asked.attention[0].shape == (1, 4, asked.tokens.shape[1])
    assert encoder.cls_kind == ("mean token" if name in ("beats", "dasheng") else "cls")
    if encoder.cls_kind == "mean token":
        mean = asked.tokens[asked.mask].mean(0)
        torch.testing.assert_close(asked.cls[0], mean, atol=1e-5, rtol=0)


def test_tokens_run_time_major():
    """A change in frames 48-63, mels 80-95 stands first in token 3 * 8 + 5."""
    for name in ("eat", "a-mae", "asit", "bat", "beats"):
        encoder = kept(name)
        features = torch.zeros(1, 96, 128)
        changed = features.clone()
        changed[:, 48:64, 80:96] = 1.0
        if name == "beats":  # its convolution spreads what the patches are
            apart = [encoder.patch_norm(_patches(encoder, values)) for values in (features, changed)]
        else:
            apart = [encoder.patch_embed(values) for values in (features, changed)]
        assert (apart[0] - apart[1]).abs().sum(-1).argmax() == 3 * 8 + 5
        assert ((apart[0] - apart[1]).abs().sum(-1) > 0).sum() == 1


def _patches(encoder, features):
    return encoder.patch_embed(features[:, None]).flatten(2).transpose(1, 2)


def test_a_grid_too_small_is_refused():
    encoder = kept("beats")
    long = encoder.encode(sound(encoder, 12))
    with pytest.raises(EncoderError, match="74 x 8 cells and the grid has 62 x 8"):
        long.on_grid(encoder.grid)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda e: e.encode(torch.zeros(61 * 16000)), "61.00 s and eat takes 60 s; cut it"),
        (lambda e: e.encode(torch.zeros(300)), "clip 0 is 0.019 s, too short for one cell of eat; pad it"),
        (lambda e: e.encode([torch.ones(16000), torch.full((16000,), torch.nan)]), "clip 1 holds NaN"),
        (
            lambda e: e.encode(torch.zeros(32000), sample_rate=32000),
            r"32000 Hz.*read_audio\(path, sample_rate=16000",
        ),
        (lambda e: e.encode(torch.zeros(16000), layers=[3]), "eat has layers 0 to 2, not"),
        (lambda e: e(torch.zeros(1, 90, 128)), "a multiple of 16 frames"),
        (lambda e: e(torch.zeros(1, 176, 128)), "up to 160 at once"),
        (lambda e: e(torch.zeros(1, 96, 64)), r"takes features \(b frames 128\)"),
        (lambda e: e.logits(torch.zeros(1, 96, 128)), "have no fine-tuned head"),
    ],
)
def test_what_eat_cannot_do(ask, message):
    with pytest.raises(EncoderError, match=message):
        ask(kept("eat"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("eat", {"sample_rate": 32000}, "trained at 16000 Hz"),
        ("asit", {"sample_rate": 44100}, "trained at 32000 or 16000 Hz"),
        ("eat", {"seconds": 61}, "up to 60"),
        ("eat", {"network": "pupil"}, "'student' or 'teacher'"),
        ("beats", {"network": "teacher"}, "one network"),
        ("eat", {"heads": 5}, "5 heads do not divide a width of 32"),
        ("dasheng", {"mean": 0.0}, "its own batch norm"),
        ("bat", {"std": 1.0}, "bat takes no mean or std"),
        ("eat", {"length": 5}, "takes no option length; there are seconds"),
        ("mini-random", {"seconds": 5}, "takes no option seconds"),
    ],
)
def test_what_cannot_be_chosen(name, options, message):
    weights = None if name == "mini-random" else (ENCODER_FILES / name)
    with pytest.raises(EncoderError, match=message):
        load_encoder(name, weights, **options)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_number_of_any_type_has_one_fingerprint(name):
    """A cache of seconds = 5 in a TOML file is that of --seconds 5 and of a number of NumPy's."""
    asked = {"seconds": 5, "heads": 4, "sample_rate": 16000}
    if name not in ("bat", "dasheng"):
        asked |= {"mean": -4, "std": 3}
    told = {
        small(name, **{option: kind(value) for option, value in asked.items()}).fingerprint()
        for kind in (int, float, np.int64, np.float32)
    }
    assert len(told) == 1


def test_chosen_statistics_are_used_and_told():
    """The authors use other ones for each data set; the fingerprint tells them apart."""
    plain, other = kept("eat"), kept("eat", mean=-6.627, std=5.0)
    clip = sound(plain, 0.9)
    log_mel = plain.features(clip) * 2 * 4.569 - 4.268
    torch.testing.assert_close(other.features(clip), (log_mel + 6.627) / 10, atol=1e-5, rtol=0)
    assert plain.fingerprint() != other.fingerprint()
    assert plain.fingerprint() == small("eat").fingerprint()
