"""Each objective of pre-training: it learns, resumes, does not collapse; masks; teachers; what is hidden."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.encoders import ENCODERS, load_encoder
from protoviz.encoders.mini import MiniConfig, MiniEncoder, random_mini, start_weights
from protoviz.encoders.weights import WeightsError, write_weights
from protoviz.pretraining import (
    OBJECTIVES,
    RECIPES,
    PretrainConfig,
    PretrainError,
    StoreConfig,
    masks,
    pretrain,
    render_scenes,
)
from protoviz.pretraining.codes import CodesConfig, Tokenizer
from protoviz.pretraining.distilled import DistilledConfig
from protoviz.pretraining.labels import LabelsConfig
from protoviz.pretraining.latents import LatentsConfig, follow, normalised, over_window
from protoviz.pretraining.loop import Trainer
from protoviz.pretraining.mixtures import MixturesConfig, mixtures
from protoviz.pretraining.objective import Batch
from protoviz.scenes import make_scene

SMALL = MiniConfig(width=24, depth=2, heads=3)
# As the recipes, but tiny. Agreement with a teacher gets harder before it gets easier, as the teacher finds
# its classes; in thirty steps only what mini-asit redraws gets better.
TINY = {"window": 12, "decoder_width": 16, "decoder_depth": 1, "clones": 2, "top_layers": 2, "alone": 2}
TINY |= {"codes": 32, "hidden_width": 32, "bottleneck": 16, "cls_outputs": 24, "token_outputs": 16}
TINY |= {"redrawn": 20.0, "left_out": 0.8}
NAMES = [name for name in RECIPES if name != "mini-mae"]  # see test_pretraining.py


def tiny(name: str, **changes) -> PretrainConfig:
    recipe = RECIPES[name]
    encoder = replace(recipe.encoder, width=SMALL.width, depth=SMALL.depth, heads=SMALL.heads)
    sizes = {field.name: TINY[field.name] for field in fields(recipe.objective) if field.name in TINY}
    if "window" in sizes:
        sizes["window"] = max(12, 64 // encoder.grid[1])  # columns
    usual = {"scenes": 10, "held_out": 2, "batch": 4, "steps": 30, "lr": 3e-3, "gain_db": 0.0}
    usual |= {"most_events": 8, "unnamed": 0}  # of ten scenes there is little to learn: simple ones
    return PretrainConfig(encoder, replace(recipe.objective, **sizes), precision="fp32", **(usual | changes))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    return render_scenes(folder, tiny("mini-eat").store, workers=1)


@pytest.fixture(autouse=True)
def start(tmp_path_factory, monkeypatch):
    """Weights for mini-eat+ to start from."""
    folder = tmp_path_factory.mktemp("start")
    write_weights(folder / "mini-eat.safetensors", random_mini(3, SMALL).state_dict(), {})
    monkeypatch.setenv("PROTOVIZ_WEIGHTS", str(folder))
    return folder


def test_every_recipe_is_registered():
    assert {type(config.objective) for config in RECIPES.values()} == set(OBJECTIVES)
    for name, config in RECIPES.items():
        encoder, spec = MiniEncoder(config.encoder), ENCODERS[name]
        assert (encoder.grid, encoder.cls_kind) == (spec.grid, spec.cls_kind)


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_and_tokens_of_clips_stay_apart(name, scenes):
    trainer = Trainer(tiny(name), scenes)
    losses = [trainer.train() for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.95 * np.mean(losses[:5])
    assert np.isfinite(trainer.judge())
    encoder = trainer.model.encoder.eval()
    encoding = encoder.encode([make_scene(seed).waveform for seed in range(4)])
    assert encoding.tokens.std(0).mean() > 0.05 * encoding.tokens.std()
    assert encoding.cls.std(0).mean() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_run_ends_with_the_same_state(name, scenes, tmp_path):
    config = tiny(name, steps=4)
    whole = Trainer(config, scenes)
    for _ in range(2):
        whole.train()
    whole.judge()
    whole.save(tmp_path / "checkpoint.safetensors")
    again = Trainer(config, scenes)
    again.load(tmp_path / "checkpoint.safetensors")
    for trainer in (whole, again):
        while trainer.step < 4:
            trainer.train()
    state = again.model.state_dict()
    for key, value in whole.model.state_dict().items():
        assert torch.equal(value, state[key]), key
    assert np.array_equal(whole.losses, again.losses, equal_nan=True)


WORDS = {
    "mini-eat": ("with [cls]", "bootstrapped latents", "mean target", "2 masks", "none used"),
    "mini-sslam": ("maximum of log-mel", "two stretches of 2 columns", "of the last layer"),
    "mini-beats": ("without [cls]", "32 codes", "3.47 nats", "the mean token stands for it"),
    "mini-asit": ("50% to 70% of cells", "30% overwritten", "24 outputs", "two of 12 of 64 columns"),
    "mini-dasheng": ("4 x 128 patches", "256 x 1 cells", "64 of 256 columns", "without [cls]"),
    "mini-eat+": (
        "fine-tuned from mini-eat",
        "102 of 512 cells",
        "which classes sound in a scene, not where",
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_run_leaves_an_encoder_and_a_card_that_says_what_was_done(name, scenes, tmp_path):
    config = tiny(name, steps=1)
    path = pretrain(name, tmp_path, config, progress=False, out=tmp_path / "out", scenes=scenes.folder)
    assert not (tmp_path / "scenes").exists(), "scenes are shared"
    encoder = load_encoder(name, path)
    assert (encoder.grid, encoder.cls_kind) == (config.encoder.grid, MiniEncoder(config.encoder).cls_kind)
    card = path.with_suffix(".md").read_text()
    for words in (*WORDS.get(name, ()), "10 procedural scenes", "not the usual settings", "procedural sound"):
        assert words in card


@pytest.mark.parametrize("name", ["mini-eat", "mini-sslam", "mini-asit"])
def test_a_teacher_takes_no_gradient_and_follows(name, scenes):
    trainer = Trainer(tiny(name), scenes)
    teachers = {key: value for key, value in trainer.model.named_parameters() if "teacher" in key}
    assert teachers
    assert not any(value.requires_grad for value in teachers.values())
    for key, value in trainer.model.encoder.named_parameters():
        assert torch.equal(value, teachers[f"teacher.{key}"]), "it starts as the student"
    before = {key: value.clone() for key, value in teachers.items()}
    trainer.train()
    assert all(value.grad is None for value in teachers.values())
    model, key = trainer.model, "blocks.0.mlp.fc1.weight"
    decay = model.config.decay
    student = model.encoder.get_parameter(key)
    wanted = decay * before[f"teacher.{key}"] + (1 - decay) * student
    torch.testing.assert_close(model.teacher.get_parameter(key), wanted)


def test_following_all_the_way_is_a_copy():
    old, new = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    follow(old, new, 0.0)
    assert torch.equal(old.weight, new.weight)


SHAPES = {"clips": st.integers(1, 5), "times": st.integers(2, 40), "freqs": st.integers(1, 9)}


@given(**SHAPES, block=st.integers(1, 6), draws=st.integers(1, 9), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_blocks_come_first_and_every_cell_once(clips, times, freqs, block, draws, seed):
    order = masks.blocks_first(np.random.default_rng(seed), clips, (times, freqs), block, draws)
    assert np.array_equal(np.sort(order, axis=1), np.tile(np.arange(times * freqs), (clips, 1)))
    sides = min(block, times), min(block, freqs)
    least = -(-block // 2) if block < min(times, freqs) else 1  # a square at a corner is cut
    for cells in order[:, :least]:
        t, f = np.divmod(cells, freqs)
        assert np.ptp(t) < sides[0], "the first cells are of one square"
        assert np.ptp(f) < sides[1]


@given(**SHAPES, share=st.floats(0.05, 0.9), largest=st.floats(0.05, 0.6), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_groups_hide_what_was_asked_and_little_more(clips, times, freqs, share, largest, seed):
    hidden = masks.groups_hidden(np.random.default_rng(seed), clips, (times, freqs), share, share, largest)
    assert hidden.shape == (clips, times * freqs)
    group = max(1, round(times * largest)) * max(1, round(freqs * largest))
    assert (hidden.sum(1) >= share * times * freqs - 1e-9).all()
    assert (hidden.sum(1) < share * times * freqs + group).all()


@given(columns=st.integers(1, 60), count=st.integers(0, 3), seed=st.integers(0, 99), data=st.data())
@settings(max_examples=40)
def test_stretches_have_their_lengths(columns, count, seed, data):
    length = data.draw(st.integers(0, columns // max(1, count)))
    chosen = masks.stretches(np.random.default_rng(seed), columns, count, length)
    assert chosen.shape == (columns,)
    assert chosen.sum() == count * length


@given(clips=st.integers(1, 4), cells=st.integers(1, 80), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_shuffled_is_an_order_of_all_cells(clips, cells, seed):
    order = masks.shuffled(np.random.default_rng(seed), clips, cells)
    assert np.array_equal(np.sort(order, axis=1), np.tile(np.arange(cells), (clips, 1)))


def built(name: str):
    config = tiny(name)
    objective = OBJECTIVES[type(config.objective)](MiniEncoder(config.encoder), config.objective)
    model = start_weights(objective, 0)
    model.begin()
    return model


def noise(clips: int = 3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((clips, 1024, 128)).astype(np.float32))


def loss(model, features, seed=0, share=0.0) -> float:
    batch = Batch(features, lambda: StoreConfig(count=1).labels(np.arange(len(features))))
    with torch.no_grad():
        return model(batch, np.random.default_rng(seed), share).item()


def test_the_target_is_the_mean_of_normalised_layers():
    """Against a walk through the blocks with hooks on their feed-forward parts."""
    model, fed = built("mini-eat"), []
    places = torch.arange(96)[None].expand(2, -1)
    patches = model.patches(noise(2))[:, :96]
    hooks = [
        block.mlp.register_forward_hook(lambda _, __, out: fed.append(out[:, 1:].detach()))
        for block in model.teacher.blocks
    ]
    with torch.no_grad():
        model.teacher.eval()
        x = model.teacher.embed(patches, model.teacher.positions[:96].expand(2, -1, -1))
        for block in model.teacher.blocks:
            x = block(x)[0]
        for hook in hooks:
            hook.remove()
        target = model.average(model.latents(patches, places))
    layers = [(out - out.mean(1, keepdim=True)) / out.std(1, keepdim=True, unbiased=False) for out in fed]
    mean = sum(layers) / len(layers)
    wanted = (mean - mean.mean(-1, keepdim=True)) / mean.std(-1, keepdim=True, unbiased=False)
    torch.testing.assert_close(target, wanted, atol=2e-3, rtol=1e-2)


def test_normalisation_takes_out_level_and_scale():
    x = torch.randn(2, 50, 6) * 3 + 1
    torch.testing.assert_close(over_window(5 * x + 7), over_window(x), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(normalised(5 * x + 7), normalised(x), atol=1e-3, rtol=1e-3)


def test_a_student_does_not_hear_what_is_hidden_from_it():
    model = built("mini-eat")
    patches, places = model.patches(noise(1))[:, :96], torch.arange(96)[None]
    order = model.blocks_seen(1, np.random.default_rng(0))
    with torch.no_grad():
        drawn, cls, hidden = model.said(patches, places, order)
        louder = patches.clone()
        in_both = np.intersect1d(*[cells.numpy() for cells in hidden])
        louder[:, in_both] = 9.0
        again = model.said(louder, places, order)
        louder[:, order[0, 0]] += 1.0
        other = model.said(louder, places, order)
    assert torch.equal(drawn, again[0])
    assert torch.equal(cls, again[1])
    assert not torch.equal(cls[0], other[1][0])
    assert len(drawn) == 2, "two masks of one clip"


def test_a_mixture_is_the_louder_of_both_where_it_is_mixed():
    patches = torch.randn(3, 8, 5)
    mixed = torch.tensor([True] * 4 + [False] * 4)
    found = mixtures(patches, mixed)
    assert torch.equal(found[:, 4:], patches[:, 4:])
    for clip in range(3):
        assert torch.equal(found[clip, :4], torch.maximum(patches[clip, :4], patches[clip - 1, :4]))


def test_retention_asks_for_the_mean_of_both_sources():
    model = built("mini-sslam")
    patches, places = model.patches(noise(2))[:, :96], torch.arange(96)[None].expand(2, -1)
    mixed = torch.arange(96) >= 32
    with torch.no_grad():
        own = model.average(model.latents(patches, places))
        kept = model.sources(patches, places, mixed, own)
        alone = model.average(model.latents(patches[:, 32:], places[:, 32:]))
        everywhere = model.sources(patches, places, torch.ones(96, dtype=torch.bool), own)
    assert torch.equal(kept[:, :32], own[:, :32])
    torch.testing.assert_close(kept[:, 32:], (own[:, 32:] + alone.flip(0)) / 2)
    torch.testing.assert_close(everywhere, (own + own.flip(0)) / 2)


def test_codes_are_the_nearest_directions_at_any_loudness():
    tokenizer = Tokenizer(6, CodesConfig(codes=20, code_width=4))
    patches = torch.randn(3, 7, 6)
    codes = tokenizer(patches)
    projected = patches @ tokenizer.projection
    cosine = torch.nn.functional.cosine_similarity(projected[:, :, None], tokenizer.book, dim=-1)
    assert torch.equal(codes, cosine.argmax(-1))
    assert torch.equal(tokenizer(3 * patches), codes)
    assert torch.equal(Tokenizer(6, CodesConfig(codes=20, code_width=4))(patches), codes), "from its seed"
    other = Tokenizer(6, CodesConfig(codes=20, code_width=4, tokenizer_seed=1))
    assert not torch.equal(other(patches), codes)


def test_a_guess_costs_the_logarithm_of_the_number_of_codes():
    model = built("mini-beats")
    with torch.no_grad():
        model.redraw.weight.zero_()
        model.redraw.bias.zero_()
    assert loss(model, noise()) == pytest.approx(np.log(32), rel=1e-5)


def test_views_of_a_clip_overlap_and_are_whole_columns():
    model = built("mini-asit")
    places = model.views(50, np.random.default_rng(0)).reshape(2, 50, 12, 8)
    columns = places // 8
    assert (places % 8 == torch.arange(8)).all()
    assert (columns == columns[..., :1, :1] + torch.arange(12)[:, None]).all()
    assert ((columns >= 0) & (columns < 64)).all()
    apart = (columns[0, :, 0, 0] - columns[1, :, 0, 0]).abs()
    assert apart.max() == 6, "half of 12 columns"
    assert len(apart.unique()) > 4


def test_corrupted_cells_are_blank_or_another_clips():
    model = built("mini-asit")
    patches = torch.randn(20, 96, 256)
    hidden, corrupted = model.corrupted(patches, np.random.default_rng(1))
    assert torch.equal(corrupted[~hidden], patches[~hidden])
    kinds = set()
    for clip in range(20):
        inside = corrupted[clip][hidden[clip]]
        if (inside == 0).all():
            kinds.add("blank")
            assert 0.5 <= hidden[clip].float().mean() < 0.8
        else:
            kinds.add("other")
            sources = [other for other in range(20) if torch.equal(inside, patches[other][hidden[clip]])]
            assert len(sources) == 1
            assert sources[0] != clip
    assert kinds == {"blank", "other"}


def test_cross_entropy_is_least_where_student_and_teacher_agree():
    model = built("mini-asit")
    wanted, centre = torch.randn(5, 24), torch.randn(24)
    sharp = model.config.sharper
    agreeing = (wanted - centre) / sharp * model.config.sharp
    best = model.cross_entropy(agreeing, wanted, centre, 0.0)
    p = ((wanted - centre) / sharp).softmax(-1)
    torch.testing.assert_close(best, -(p * p.clamp_min(1e-30).log()).sum(-1).mean())
    assert model.cross_entropy(agreeing + torch.randn(5, 24), wanted, centre, 0.0) > best
    assert model.cross_entropy(agreeing, wanted, centre, 1.0) != best, "the teacher's temperature rises"


def test_centres_follow_the_teacher_and_judging_leaves_no_trace(scenes):
    trainer = Trainer(tiny("mini-asit"), scenes)
    trainer.train()
    centre = trainer.model.cls_centre.clone()
    assert centre.abs().max() > 0
    trainer.judge()
    assert torch.equal(trainer.model.cls_centre, centre)


def test_labels_are_those_of_the_scenes():
    model = built("mini-eat+")
    found = model.targets(StoreConfig(count=4).labels(np.array([1_000_000, 1_000_003])))
    for row, seed in zip(found, (1_000_000, 1_000_003), strict=True):
        named = {name for name, there in zip(model.classes, row, strict=True) if there}
        assert named == {event.label for event in make_scene(seed).events}


def test_fine_tuning_starts_from_the_named_weights_or_says_how_to_make_them(start, monkeypatch):
    model, weights = built("mini-eat+"), random_mini(3, SMALL).state_dict()
    for key, value in model.encoder.state_dict().items():
        torch.testing.assert_close(value, weights[key].half().float())
    monkeypatch.setenv("PROTOVIZ_WEIGHTS", str(start / "nowhere"))
    monkeypatch.setattr("protoviz.paths.data_folder", lambda: start / "nowhere")
    with pytest.raises(WeightsError, match="protoviz pretrain mini-eat"):
        model.begin()


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (LatentsConfig(), "cls=True"),
        (MixturesConfig(), "cls=True"),
        (DistilledConfig(), "cls=True"),
        (LabelsConfig(), "cls=True"),
        (CodesConfig(window=65), "window=65.* 64"),
    ],
)
def test_objectives_refuse_an_encoder_that_they_cannot_train(objective, words):
    with pytest.raises(PretrainError, match=words):
        PretrainConfig(replace(SMALL, cls=False), objective)


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (LatentsConfig(top_layers=3), "top_layers=3.* 2"),
        (MixturesConfig(top_layers=2, alone=16), "alone=16"),
        (DistilledConfig(least=0.8), "least=0.8"),
        (LabelsConfig(left_out=1.0), "no patches to see"),
    ],
)
def test_impossible_settings_of_an_objective_are_refused(objective, words):
    with pytest.raises(PretrainError, match=words):
        PretrainConfig(SMALL, objective)
