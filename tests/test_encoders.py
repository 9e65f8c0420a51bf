"""Encoders: the paper's geometry, the front end, attention of [cls], padding that nobody hears."""

import json

import numpy as np
import pytest
import torch
from golden_names import ENCODER_FILES
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from protoviz.audio import CellGrid
from protoviz.encoders import ENCODERS, EncoderError, load_encoder
from protoviz.encoders.base import weights_digest
from protoviz.encoders.mini import MiniConfig, random_mini
from protoviz.encoders.vit import Block, PatchEmbed, patchify, run_blocks, sincos_positions

LONGEST = 163_840
SMALL = MiniConfig(width=24, depth=2, heads=3)


@pytest.fixture(scope="module")
def small():
    return random_mini(seed=3, config=SMALL)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def full_attention(encoder, features, mask=None):
    """The sequence and every layer's whole softmax, written out from the definition."""
    conv = torch.nn.functional.conv2d(
        features[:, None],
        encoder.patch_embed.proj.weight,
        encoder.patch_embed.proj.bias,
        stride=encoder.config.patch,
    )
    x = conv.flatten(2).transpose(1, 2) + encoder.positions
    x = torch.cat([encoder.cls_token.expand(len(x), -1, -1), x], 1)
    maps = []
    for block in encoder.blocks:
        b, n, d = x.shape
        q, k, v = block.attn.qkv(block.norm1(x)).chunk(3, dim=-1)
        q, k, v = (part.reshape(b, n, encoder.config.heads, -1).transpose(1, 2) for part in (q, k, v))
        scores = torch.einsum("bhid,bhjd->bhij", q, k) / (d / encoder.config.heads) ** 0.5
        if mask is not None:
            scores[..., 1:] = scores[..., 1:].masked_fill(~mask[:, None, None], float("-inf"))
        maps.append(scores.softmax(-1))
        x = x + block.attn.proj((maps[-1] @ v).transpose(1, 2).reshape(b, n, d))
        x = x + block.mlp(block.norm2(x))
    return encoder.norm(x), maps


def test_a_full_clip_is_the_papers_grid_of_512_cells():
    encoder = load_encoder("mini-random")
    made = encoder.encode(noise(LONGEST)[None])
    assert made.tokens.shape == (1, 512, 192)
    assert made.cls.shape == (1, 192)
    assert made.grid == encoder.grid == (64, 8)
    assert made.mask.shape == (1, 512)
    assert made.mask.all()
    assert made.attention is None
    assert encoder.cell_grid() == CellGrid(64, 8, seconds=10.24, sample_rate=16000, low_hz=20, high_hz=8000)
    assert encoder.cls_kind == "cls"
    assert not any(value.requires_grad for value in encoder.parameters())


def test_tokens_run_time_major(small):
    features = torch.zeros(1, 1024, 128)
    changed = features.clone()
    changed[:, 80:96, 48:64] = 1  # time patch 5, frequency patch 3
    moved = (small.patch_embed(changed) - small.patch_embed(features)).abs().sum(-1)[0]
    assert moved.nonzero().flatten().tolist() == [5 * 8 + 3]


def test_patch_product_is_the_convolution():
    embed = PatchEmbed(4, 10)
    features = torch.randn(2, 12, 8)
    conv = embed.proj(features[:, None]).flatten(2).transpose(1, 2)
    torch.testing.assert_close(embed(features), conv)


def test_features_that_do_not_split_into_patches_are_refused():
    with pytest.raises(ValueError, match="30 x 128"):
        patchify(torch.zeros(1, 30, 128), 16)


def test_positions_tell_every_cell_apart():
    table = sincos_positions(64, 8, 192)
    assert torch.pdist(table).min() > 0.1
    same_frequency = table[3 * 8 + 5, :96] - table[40 * 8 + 5, :96]
    assert same_frequency.abs().max() == 0, "the first half of the width says frequency, whatever the time"
    with pytest.raises(ValueError, match="multiple of 4"):
        sincos_positions(4, 4, 30)


def test_attention_is_the_cls_row_of_the_full_softmax(small):
    clips = [noise(LONGEST), noise(50_000, 1)]
    made = small.encode(clips, attention=True)
    with torch.inference_mode():
        sequence, maps = full_attention(small, small.features(clips), made.mask)
    assert len(made.attention) == len(made.cls_to_cls) == SMALL.depth
    for row, own, whole in zip(made.attention, made.cls_to_cls, maps, strict=True):
        torch.testing.assert_close(row, whole[:, :, 0, 1:], atol=1e-6, rtol=1e-4)
        torch.testing.assert_close(own, whole[:, :, 0, 0], atol=1e-6, rtol=1e-4)
        assert (row[1][:, ~made.mask[1]] == 0).all()
    torch.testing.assert_close(made.cls, sequence[:, 0], atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(made.tokens[made.mask], sequence[:, 1:][made.mask], atol=2e-5, rtol=1e-4)


BANDS = MiniConfig(width=24, depth=2, heads=3, patch=4, patch_mels=128, cls=False)


@pytest.mark.parametrize("config", [BANDS, MiniConfig(width=24, depth=2, heads=3, cls=False)])
def test_without_cls_the_mean_token_stands_for_it_and_attention_is_what_is_received(config):
    encoder, clips = random_mini(3, config), [noise(LONGEST), noise(50_000, 1)]
    made = encoder.encode(clips, attention=True)
    assert encoder.cls_kind == "mean token"
    assert made.grid == encoder.grid == config.grid
    assert "cls_token" not in encoder.state_dict()
    frames = -(-(1 + (50_000 - 400) // 160) // config.patch)
    assert made.mask[1].sum() == frames * encoder.grid[1]
    for clip, token in enumerate(made.cls):
        torch.testing.assert_close(token, made.tokens[clip][made.mask[clip]].mean(0), atol=1e-6, rtol=1e-4)
    for row, own in zip(made.attention, made.cls_to_cls, strict=True):
        torch.testing.assert_close(row.sum(-1), torch.ones(2, 3), atol=1e-5, rtol=0)
        assert (row[1][:, ~made.mask[1]] == 0).all()
        assert (own == 0).all()
    alone = encoder.encode(clips[1])
    torch.testing.assert_close(made.tokens[1], alone.tokens[0], atol=2e-5, rtol=1e-4)


def test_a_band_of_all_mels_is_one_row_of_cells():
    encoder = random_mini(3, BANDS)
    grid = encoder.cell_grid()
    assert (grid.times, grid.freqs) == (256, 1)
    assert grid.seconds == pytest.approx(10.24)
    features = torch.randn(1, 1024, 128)
    louder = features.clone()
    louder[:, 40:44] += 1.0
    with torch.inference_mode():
        changed = (encoder.patch_embed(louder) - encoder.patch_embed(features)).abs().sum(-1)[0]
    assert changed.nonzero().flatten().tolist() == [10]


def test_asking_for_attention_changes_nothing_else(small):
    clip = noise(LONGEST)
    with_rows, without = small.encode(clip, attention=True), small.encode(clip)
    assert torch.equal(with_rows.tokens, without.tokens)
    assert torch.equal(with_rows.cls, without.cls)


@settings(max_examples=12)
@given(st.integers(400, LONGEST - 1), st.integers(0, 5))
def test_a_short_clip_is_masked_and_does_not_depend_on_its_neighbours(samples, seed):
    encoder, clip = random_mini(seed=3, config=SMALL), noise(samples, seed)
    alone, together = encoder.encode(clip), encoder.encode([noise(LONGEST, 9), clip])
    frames = 1 + (samples - 400) // 160
    assert alone.mask.sum() == -(-frames // 16) * 8
    assert alone.mask[0, : alone.mask.sum()].all(), "sound comes first"
    assert (alone.tokens[0, ~alone.mask[0]] == 0).all()
    torch.testing.assert_close(together.tokens[1], alone.tokens[0], atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(together.cls[1], alone.cls[0], atol=2e-5, rtol=1e-4)


def test_a_short_clip_does_not_hear_its_padding(small):
    clip = noise(60_000)
    features, mask = small.features([clip]), small.mask([len(clip)])
    loud = features.clone()
    loud[:, -16:] = 50.0
    with torch.inference_mode():
        torch.testing.assert_close(small(features, mask=mask).tokens, small(loud, mask=mask).tokens)


def test_silence_inside_the_clip_is_real_sound(small):
    assert small.encode(np.zeros(LONGEST, dtype=np.float32)).mask.all()


def test_arrays_tensors_lists_and_single_clips_are_the_same(small):
    clips = np.stack([noise(LONGEST), noise(LONGEST, 1)])
    wanted = small.encode(clips).tokens
    assert torch.equal(small.encode(torch.from_numpy(clips)).tokens, wanted)
    assert torch.equal(small.encode(list(clips)).tokens, wanted)
    torch.testing.assert_close(small.encode(clips[1]).tokens, wanted[1:], atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(small.encode(clips.astype(np.float64)).tokens, wanted)


def test_a_constant_offset_is_not_heard(small):
    clip = noise(30_000)
    torch.testing.assert_close(small.encode(clip + 0.25).cls, small.encode(clip).cls, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("waveforms", "words"),
    [
        ([noise(LONGEST), noise(LONGEST + 1)], "clip 1 is 10.24 s .*cut it into windows"),
        ([noise(399)], "clip 0 is shorter than one frame"),
        ([noise(500), np.full(500, np.nan)], "clip 1 holds NaN"),
        (np.zeros((1, 2, 500)), "mono"),
        ([], "no clip"),
    ],
)
def test_what_cannot_be_encoded_is_named(small, waveforms, words):
    with pytest.raises(EncoderError, match=words):
        small.encode(waveforms)


def test_single_layers_can_be_asked_for(small):
    clip = noise(LONGEST)
    made = small.encode(clip, layers=(0, -1))
    assert list(made.layers) == [0, -1]
    assert torch.equal(made.layers[-1], made.tokens)
    assert torch.equal(made.layer_cls[-1], made.cls)
    assert not torch.equal(made.layers[0], made.layers[-1])
    with pytest.raises(EncoderError, match=f"layers 0 to {small.depth}"):
        small.encode(clip, layers=(small.depth + 1,))


def test_features_of_another_length_are_refused(small):
    frames = small.config.frames
    with pytest.raises(EncoderError, match=f"{frames} frames.*not {frames - 16}"):
        small(small.features(noise(LONGEST))[:, :-16])


def test_the_front_end_is_that_of_the_published_encoders():
    soundfile = pytest.importorskip("soundfile")
    folder = ENCODER_FILES / "fbank"
    waveform, rate = soundfile.read(folder / "synth_16k_10s.wav", dtype="float32")
    golden = np.load(folder / "model_inputs.npz")
    assert rate == 16000
    for published, mean, std in (("eat", -4.268, 4.569), ("audiomae", -4.2677393, 4.5689974)):
        encoder = random_mini(config=MiniConfig(width=12, depth=1, heads=3, mean=mean, std=std))
        made = encoder.features([waveform])[0, ::8].numpy()
        assert np.abs(made - golden[published]).max() < 2e-3 / (2 * std)


def test_the_shared_blocks_run_a_published_layout():
    """AudioMAE in timm's names: the blocks here must give what the reference gave."""
    folder = ENCODER_FILES / "audiomae"
    weights, golden = load_file(folder / "timm_model.safetensors"), np.load(folder / "golden_pretrained.npz")
    heads = json.loads((folder / "timm_config.json").read_text())["model_args"]["num_heads"]
    embed, blocks = PatchEmbed(16, 32), torch.nn.ModuleList(Block(32, heads) for _ in range(2))
    embed.load_state_dict(_under("patch_embed.", weights))
    blocks.load_state_dict(_under("blocks.", weights))
    with torch.inference_mode():
        tokens = embed(torch.from_numpy(golden["input"][:, 0])) + weights["pos_embed"][:, 1:]
        first = weights["cls_token"] + weights["pos_embed"][:, :1]
        run = run_blocks(
            blocks, torch.cat([first.expand(len(tokens), -1, -1), tokens], 1), row=True, layers=(1, 2)
        )
    for layer in range(2):
        wanted = torch.from_numpy(golden["hidden"][:, layer])
        torch.testing.assert_close(run.states[layer + 1], wanted, atol=2e-5, rtol=1e-4)
        row = torch.from_numpy(golden["attn"][:, layer, :, 0])
        torch.testing.assert_close(run.rows[layer], row, atol=1e-5, rtol=1e-4)


def _under(prefix: str, weights: dict) -> dict:
    return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}


def test_training_and_frozen_attention_agree():
    block, x = Block(24, 3), torch.randn(2, 20, 24)
    with torch.no_grad():
        torch.testing.assert_close(block.train()(x)[0], block.eval()(x)[0], atol=1e-5, rtol=1e-4)


def test_the_fingerprint_follows_weights_shape_and_front_end():
    one = random_mini(config=SMALL).fingerprint()
    assert random_mini(config=SMALL).fingerprint() == one
    other = random_mini(config=SMALL)
    with torch.no_grad():
        other.blocks[0].mlp.fc1.bias[0] += 1e-3
    different = {
        "weights": other.fingerprint(),
        "seed": random_mini(seed=1, config=SMALL).fingerprint(),
        "heads": random_mini(config=MiniConfig(width=24, depth=2, heads=6)).fingerprint(),
        "scale": random_mini(config=MiniConfig(width=24, depth=2, heads=3, mean=-1.0)).fingerprint(),
    }
    assert len({one, *different.values()}) == 5, different


def test_untrained_weights_are_the_same_bits_everywhere():
    digest = weights_digest(load_encoder("mini-random").state_dict())
    assert digest == "2cea4d7e91e3a6f5e9ff69224d84e6e3bd8c1bf198f7379cc42f3b35e84d03d4"


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(EncoderError, match=r"mini-mae, mini-eat, .*, mini-random, eat"):
        load_encoder("eat-huge")
    with pytest.raises(EncoderError, match="takes no weights"):
        load_encoder("mini-random", weights="some.safetensors")
    assert all(spec.summary for spec in ENCODERS.values())
