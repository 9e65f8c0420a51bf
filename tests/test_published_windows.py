"""Published encoders on clips longer than their positions, and with any `seconds`: nothing is lost, and a
window is a clip of its own."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_encoders import ARCHITECTURES, kept

from protoviz.encoders.asit import AsitEncoder
from protoviz.encoders.mini import frozen, start_weights
from protoviz.encoders.spectrogram_vit import ViTConfig

WHOLE_ROWS = ("beats", "dasheng")  # drop the frames that fill no row, as published
KALDI = ("eat", "a-mae", "asit")  # have windows cut from the sound
SECONDS = st.one_of(
    st.sampled_from([0.001, 0.16, 0.97, 5.12, 10, 10.24, 10.25, 10.88, 30.05]), st.floats(0.01, 45)
)


def noise(samples, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(samples, dtype=np.float32)


def rows_of_sound(encoder, samples):
    """What the length alone says: frames as the front end counts them, in rows of so many."""
    if encoder.name == "bat":  # the frame that is centred on the end of the sound is no row of its own
        return -(-samples // (160 * encoder.row_frames)) if samples > 512 else 0
    if encoder.name == "dasheng":
        frames = 1 + samples // 160 if samples > 256 else 0
    else:
        shift, size = encoder.sample_rate // 100, encoder.sample_rate // 40
        frames = 1 + (samples - size) // shift if samples >= size else 0
    return frames // encoder.row_frames if encoder.name in WHOLE_ROWS else -(-frames // encoder.row_frames)


def same(ours, theirs, tolerance=2e-5):
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
@settings(max_examples=8)
@given(seconds=SECONDS, share=st.floats(0.01, 1.0), place=st.floats(0, 1))
def test_every_part_of_a_clip_moves_its_token_whatever_seconds(name, seconds, share, place):
    """And its rows follow from its length alone, and it fits the grid that the encoder promises."""
    encoder = kept(name, seconds=seconds)
    samples = min(round(share * seconds * encoder.sample_rate), round(seconds * encoder.sample_rate))
    rows = rows_of_sound(encoder, samples)
    if rows == 0:
        return
    step = encoder.row_frames * encoder.sample_rate // 100  # samples from one row to the next
    row = min(int(place * rows), rows - 1)
    clip = noise(samples)
    other = clip.copy()
    own = slice(row * step, (row + 1) * step)  # where only this row, and no other's start, lies
    other[own] = -3 * clip[own][::-1]  # backwards, too: BAT hears a louder clip as the same
    made = encoder.encode([clip, other])
    bands = encoder.grid[1]
    assert made.mask.sum(1).tolist() == [rows * bands] * 2
    moved = (made.tokens[0] - made.tokens[1]).abs().amax(1).unflatten(0, (-1, bands)).amax(1)
    assert moved[row] > 1e-4
    fitted = made.on_grid(encoder.grid)
    assert fitted.tokens.shape == (2, math.prod(encoder.grid), encoder.dim)
    assert fitted.mask.sum() == made.mask.sum()


@pytest.mark.parametrize("name", KALDI)
@pytest.mark.parametrize("seconds", [None, 0.5, 15.0])
@settings(max_examples=5)
@given(
    windows=st.integers(0, 2), rest=st.floats(0.026, 1), shorter=st.floats(0.1, 1), seed=st.integers(0, 99)
)
def test_a_long_clip_is_its_windows_as_clips_of_their_own(name, seconds, windows, rest, shorter, seed):
    """Tokens, layers, mask, attention and cls; in a batch with another clip of another length."""
    encoder = kept(name, seconds=seconds)
    size, bands = encoder.window, encoder.grid[1]
    step = size * encoder.row_frames * encoder.sample_rate // 100
    beyond = encoder.sample_rate * 15 // 1000  # a window's last frame hears 15 ms past its last row
    long = noise(windows * step + max(round(rest * step), encoder.sample_rate // 40), seed)
    starts = range(0, len(long), step)
    starts = [start for start in starts if rows_of_sound(encoder, len(long) - start) > 0]
    together = encoder.encode(
        [long, noise(max(round(shorter * len(long)), 800), seed + 1)], attention=True, layers=[0, -1]
    )
    sound = [rows_of_sound(encoder, len(long[start : start + step + beyond])) for start in starts]
    assert sum(sound) == rows_of_sound(encoder, len(long))
    cls = 0
    for number, start in enumerate(starts):
        last = start == starts[-1]
        alone = encoder.encode(
            long[start : None if last else start + step + beyond], attention=True, layers=[0, -1]
        )
        cells = slice(number * size * bands, (number * size + alone.grid[0]) * bands)
        assert torch.equal(together.mask[0, cells], alone.mask[0])
        same(together.tokens[0, cells], alone.tokens[0])
        for layer in (0, -1):
            same(together.layers[layer][0, cells], alone.layers[layer][0], 1e-4)
        share = sound[number] / sum(sound)
        for ours, theirs in zip(together.attention, alone.attention, strict=True):
            same(ours[0, :, cells], share * theirs[0], 1e-5)
        cls = cls + share * alone.cls[0]
    same(together.cls[0], cls)
    assert int(together.mask[0].sum()) == sum(sound) * bands


def test_dashengs_windows_are_shares_of_its_frames():
    """Its frames hear to both sides, so that what is cut are frames, as its package does."""
    encoder = kept("dasheng")
    clip = noise(round(2.5 * encoder.sample_rate))
    encoding = encoder.encode(clip, attention=True)
    parts = encoder.features(clip)[:, : 62 * 4].split(encoder.window * encoder.row_frames, dim=1)
    made = [encoder(part, attention=True) for part in parts]
    same(encoding.tokens, torch.cat([part.tokens for part in made], dim=1))
    shares = [part.tokens.shape[1] / encoding.tokens.shape[1] for part in made]
    same(encoding.cls, sum(share * part.cls for share, part in zip(shares, made, strict=True)))


def test_bats_chunks_count_alike_whatever_they_hold():
    """They are cut from the features, whose scale is the whole clip's; cls is their mean, as published."""
    encoder = kept("bat")
    long, short = noise(round(11.5 * encoder.sample_rate)), 3 * noise(encoder.sample_rate, 1)
    together = encoder.encode([short, long], attention=True, layers=[1])
    made = [encoder(part, attention=True) for part in encoder.features(long).split(64 * 16, dim=1)]
    assert [part.grid for part in made] == [(64, 8), (8, 8)]
    same(together.tokens[1], torch.cat([part.tokens for part in made], dim=1)[0])
    same(together.cls[1], (made[0].cls + made[1].cls)[0] / 2)
    rows = [torch.cat(both, dim=-1)[0] / 2 for both in zip(*(part.attention for part in made), strict=True)]
    same(torch.stack(together.attention)[:, 1], torch.stack(rows), 1e-5)
    alone = encoder.encode(short, attention=True, layers=[1])
    fitted = alone.on_grid(together.grid)
    same(together.tokens[0], fitted.tokens[0])
    same(together.cls[0], alone.cls[0])
    same(together.layers[1][0], fitted.layers[1][0])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_digests_of_published_inputs_stay_and_those_of_mended_windows_do_not(name):
    """A cache of long clips that was made when windows were fed otherwise is not taken for one of these."""
    encoder = kept(name, seconds=30.0)
    always = {"bat": "chunks"}.get(name)
    assert encoder.shape().get("windows") == ("clips" if name in KALDI else always)
    assert kept(name, seconds=0.5).shape().get("windows") == always


def test_asits_input_of_six_seconds_is_that_of_its_training():
    """37 rows of 592 frames: the six frames more of a clip of 6 s fill no row. A longer clip has windows."""
    config = ViTConfig(16, 1, 2, 32, 16, table=37 * 8 + 1, rows=37, mean=-4.27, std=4.57, sample_rate=32000)
    encoder = frozen(start_weights(AsitEncoder(config, "asit", 6), seed=0))
    clip = noise(12 * 32000)
    assert encoder.encode(clip[: 6 * 32000]).mask.shape == (1, 37 * 8)
    long, start = encoder.encode(clip), 2 * 37 * 16 * 320
    assert int(long.mask.sum()) == 75 * 8
    rest = encoder.encode(clip[start:])
    same(long.tokens[0, 74 * 8 : 75 * 8], rest.tokens[0, :8])
