"""The page Orthogonality without a browser: which prototypes are shown, and that what is drawn is theirs."""

from functools import lru_cache

import numpy as np
import param
import pytest
import torch
from page_bench import small_bench
from visiting import said, tap

from protoviz.analysis.geometry import spread
from protoviz.experiments.cosines import cosine_table
from protoviz.explorer.frame import explorer
from protoviz.explorer.link import open_link, to_link
from protoviz.explorer.pages.orthogonality import text as words
from protoviz.explorer.pages.orthogonality.histogram import steps
from protoviz.explorer.pages.orthogonality.maps import apart, runs
from protoviz.explorer.pages.orthogonality.view import Orthogonality
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.workbench import Workbench
from protoviz.probes import build_probe

SEED = 11


@lru_cache(maxsize=1)
def bench() -> Workbench:
    """A class-bound, a binarised and a real probe, moved from their starts; one start is not known."""
    small = small_bench()
    probes = {"linear": small.probes["linear"]}
    for name in ("proto", "protobin", "protofloat"):
        torch.manual_seed(SEED)
        probe = build_probe(name, small.encoder.dim, len(small.classes), small.encoder.grid)
        (latent,) = probe.prototype_parameters()
        with torch.no_grad():
            latent += 0.6 * latent.std() * torch.randn_like(latent)
            if name != "proto":
                probe.classifier.weight *= 20
        if name != "protofloat":
            probe.metadata["seed"] = SEED
        probes[name] = probe
    return Workbench(
        small.encoder, probes, small.classes, small.clips, "mini-random: mini encoder, untrained"
    )


@pytest.fixture
def state():
    return ExplorerState(bench(), page="orthogonality", clip="scene-30-3")


@pytest.fixture
def geometry(state):
    return state.own["orthogonality"]


def latents(name, stage):
    """(j d) real vectors of a probe, from torch alone."""
    small = small_bench()
    if stage == "after":
        return bench().probes[name].prototype_parameters()[0].detach().numpy()
    torch.manual_seed(SEED)
    probe = build_probe(name, small.encoder.dim, len(small.classes), small.encoder.grid)
    return probe.prototype_parameters()[0].detach().numpy()


def matrix_by_hand(name, form, stage):
    some = latents(name, stage).astype(float)
    some = np.where(some >= 0, 1.0, -1.0) if form == "binarised" else some
    some = some / np.sqrt((some**2).sum(axis=1, keepdims=True))
    return some @ some.T


def weight_by_hand(name):
    probe = bench().probes[name]
    with torch.no_grad():
        if name != "proto":
            return probe.classifier.weight.numpy()
        return np.kron(np.eye(24), np.ones((1, 20))) * probe.weight.clamp(min=0).numpy().reshape(1, -1)


# -- which prototypes


def test_a_binarised_probe_is_shown_first_though_others_stand_before_it(state, geometry):
    assert list(bench().probes)[1] == "proto"
    assert (state.left, state.right) == ("linear", "protobin")
    assert geometry.shown == ("protobin", "binarised", "after")


@pytest.mark.parametrize("name", ["proto", "protobin"])
def test_the_sets_are_the_start_and_the_end_of_the_run(geometry, name):
    sets = geometry.sets
    for stage in sets.stages(name):
        found = sets.of(name, stage)
        np.testing.assert_array_equal(found.vectors["real"], latents(name, stage))
        if name == "protobin":
            np.testing.assert_array_equal(
                found.vectors["binarised"], np.where(latents(name, stage) >= 0, 1, -1)
            )
        with pytest.raises(ValueError, match="read-only"):
            found.vectors["real"][0] = 1
    assert sets.forms("protobin") == ("binarised", "real")
    assert sets.forms("proto") == ("real",)
    np.testing.assert_allclose(sets.of(name, "after").weight, weight_by_hand(name), atol=1e-6)


def test_what_a_probe_has_not_is_replaced_by_what_it_has(geometry):
    geometry.stage, geometry.probe = "before", "protofloat"
    assert geometry.shown == ("protofloat", "real", "after"), "no seed, no start"
    assert geometry.other is None
    assert "not known" in words.verdict("real", *geometry.story()[:2])
    geometry.probe = "protobin"
    assert geometry.shown == ("protobin", "binarised", "before"), "the choice was kept"


def test_sessions_share_what_is_computed(geometry):
    other = ExplorerState(bench(), clip="scene-30-3").own["orthogonality"]
    assert other.image() is geometry.image()
    assert not geometry.image().flags.writeable


def test_the_order_stays_from_before_to_after(geometry):
    for order in ("class", "cluster", "number"):
        geometry.order, geometry.stage = order, "after"
        after = geometry.sequence()
        assert sorted(after) == list(range(480))
        geometry.stage = "before"
        np.testing.assert_array_equal(geometry.sequence(), after)


def test_a_chosen_prototype_is_the_whole_states(state, geometry):
    state.left, state.right = "protobin", "linear"
    geometry.probe = "proto"
    geometry.choose(45)
    assert (state.right, state.prototype) == ("proto", 45)
    assert state.class_name == bench().classes[2], "class-bound: 20 a class"
    row = matrix_by_hand("proto", "real", "after")[45]
    (alike, high), (opposed, low) = geometry.nearest()
    row[45] = np.nan
    assert (alike, opposed) == (np.nanargmax(row), np.nanargmin(row))
    assert (high, low) == pytest.approx((np.nanmax(row), np.nanmin(row)))
    geometry.probe = "protobin"
    assert geometry.prototype == -1, "45 is one of the other probe's"
    geometry.probe = "proto"
    state.prototype = 5000
    assert geometry.prototype == -1


def test_a_link_reopens_the_view(state, geometry):
    assert "orthogonality." not in to_link(state)
    geometry.param.update(probe="proto", form="real", stage="before", order="cluster")
    geometry.choose(7)
    link = to_link(state)
    other = ExplorerState(bench())
    assert open_link(other, link) == []
    own = other.own["orthogonality"]
    assert (own.shown, own.order, own.prototype) == (("proto", "real", "before"), "cluster", 7)
    assert to_link(other) == link
    assert open_link(other, "?page=orthogonality&corners=nothing&stage=later") == ["corners", "stage"]


# -- what is drawn


@pytest.mark.parametrize(
    ("name", "form", "stage"), [("protobin", "binarised", "before"), ("proto", "real", "after")]
)
def test_the_pictures_are_those_of_the_vectors(state, geometry, name, form, stage):
    view = Orthogonality(state)
    geometry.param.update(probe=name, form=form, stage=stage)
    matrix, weight = matrix_by_hand(name, form, stage), weight_by_hand(name)
    order = sorted(range(480), key=lambda j: (weight[:, j].argmax(), -weight[:, j].max()))
    limit = view.cosine_map.bar.color_mapper.high
    expected = np.rint(np.clip(matrix[np.ix_(order, order)] / limit, -1, 1) * 127 + 127)[::-1]
    drawn = view.cosine_map.image.data["image"][0]
    assert drawn.dtype == np.uint8
    assert np.abs(drawn.astype(int) - expected).max() <= 1, "a rounded half may fall either way"
    assert np.mean(drawn != expected) < 1e-3
    if stage == "after":
        limit = np.abs(weight).max()
        expected = np.rint(weight[:, order] / limit * 127 + 127)[::-1]
        np.testing.assert_array_equal(view.weight_map.image.data["image"][0], expected)
        assert view.weight_map.bar.color_mapper.high == pytest.approx(limit)
    pairs = matrix[np.triu_indices(480, 1)]
    data = view.histogram.shown.data
    edges = np.append(data["left"], data["right"][-1])
    np.testing.assert_allclose(data["top"], np.histogram(pairs, edges)[0] / len(pairs) * 100, atol=0.01)
    assert sum(data["top"]) == pytest.approx(100)
    assert sum(view.histogram.corners.data["y"]) == pytest.approx(100, abs=0.01)


def test_the_scale_stays_from_before_to_after(state, geometry):
    view = Orthogonality(state)
    scales = set()
    for stage in ("before", "after"):
        geometry.stage = stage
        assert view.stage.value == stage
        parts = (
            view.cosine_map.bar.color_mapper,
            view.weight_map.bar.color_mapper,
            view.histogram.figure.x_range,
        )
        scales.add((parts[0].high, parts[1].high, parts[2].start, parts[2].end))
    assert len(scales) == 1
    geometry.probe = "proto"
    assert view.form.options == {"Real": "real"}
    geometry.probe = "protofloat"
    assert view.stage.options == {"Trained": "after"}
    assert len(view.histogram.other.data["x"]) == 0


def test_a_click_chooses_what_lies_there(state, geometry):
    view = Orthogonality(state)
    sequence = geometry.sequence()
    tap(view.cosine_map, 300.2, 480 - 12.5)
    assert state.prototype == sequence[12]
    assert view.prototype.value == str(sequence[12])
    assert view.cosine_map.cross.data["x0"] == [12.5, -2 * 0.025 * 480]
    assert view.weight_map.column.data["x"] == [12.5]
    tap(view.weight_map, 70.9, 3.0)
    assert state.prototype == sequence[70]
    favourite = geometry.favourites()[sequence[70]]
    assert state.class_name == view.class_name.value == favourite
    row = 24 - bench().classes.index(favourite) - 0.5
    assert view.weight_map.row.data["y"] == [row]
    for x, y in ((-5.0, 3.0), (480.5, 3.0), (70.0, 24.5), (None, None)):
        tap(view.weight_map, x, y)
    assert state.prototype == sequence[70], "beside the picture is nothing to choose"
    tap(view.rows, 0.0, 0.2)
    assert geometry.shown[:2] == ("proto", "real")


def test_the_strip_covers_the_chosen_classs_own(state, geometry):
    view = Orthogonality(state)
    for order in ("class", "cluster", "number"):
        geometry.order = order
        data = view.cosine_map.strip.data
        half = len(data["left"]) // 2
        covered = [
            j for a, b in zip(data["left"][half:], data["right"][half:], strict=True) for j in np.arange(a, b)
        ]
        own = geometry.favourites()[geometry.sequence()] == state.class_name
        assert covered == np.flatnonzero(own).tolist()
        assert len(data["left"]) == (2 if order == "class" else 2 * half)


def test_a_typed_number_chooses_and_nonsense_does_not(state):
    view = Orthogonality(state)
    view.prototype.value = "33"
    assert state.prototype == 33
    for nonsense in ("480", "-2", "first", ""):
        view.prototype.value = nonsense
        assert (state.prototype, view.prototype.value) == (33, "33")
    view.class_name.value = "rain"
    assert state.class_name == "rain"


@lru_cache(maxsize=1)
def large_bench() -> Workbench:
    """Of 720 prototypes: more than the matrix has pixels."""
    small = small_bench()
    torch.manual_seed(SEED)
    probe = build_probe(
        "protobin", small.encoder.dim, len(small.classes), small.encoder.grid, prototypes_per_class=30
    )
    return Workbench(small.encoder, {"protobin": probe}, small.classes, small.clips)


def test_a_large_matrix_is_shown_in_blocks_and_any_block_as_it_is():
    state = ExplorerState(large_bench(), page="orthogonality")
    own, view = state.own["orthogonality"], Orthogonality(state)
    some = np.where(large_bench().probes["protobin"].latent.detach().double().numpy() >= 0, 1.0, -1.0)
    matrix = (some @ some.T / some.shape[1])[np.ix_(own.sequence(), own.sequence())]

    def drawn():
        limit = view.cosine_map.bar.color_mapper.high
        return (view.cosine_map.image.data["image"][0][::-1].astype(float) - 127) / 127 * limit, limit / 127

    image, step = drawn()
    assert image.shape == (360, 360)
    assert view._part.visible
    blocks = matrix.reshape(360, 2, 360, 2).mean((1, 3))
    own_block = np.eye(360, dtype=bool)
    np.testing.assert_allclose(image[~own_block], blocks[~own_block], atol=step)
    pairs = matrix[np.arange(0, 720, 2), np.arange(1, 720, 2)]
    np.testing.assert_allclose(image[own_block], pairs, atol=step)

    tap(view.cosine_map, 500.5, 720 - 100.5)  # row 100, column 500
    assert own.block == (0, 240, 380, 620)
    image, step = drawn()
    np.testing.assert_allclose(image, np.clip(matrix[:240, 380:620], -127 * step, 127 * step), atol=step)
    assert state.prototype == -1
    tap(view.cosine_map, 500.5, 720 - 100.5)
    assert state.prototype == own.sequence()[100]
    assert view.cosine_map.cross.data["y0"] == [720 - 100.5], "its column is not in this part"
    assert view.weight_map.image.data["image"][0].shape[1] == 240

    view.ranges[0].value = (600, 720)
    with param.edit_constant(view.ranges[0]):
        view.ranges[0].value_throttled = (600, 720)
    assert own.block == (600, 720, 380, 620)
    link = to_link(state)
    again = ExplorerState(large_bench())
    assert open_link(again, link) == []
    assert again.own["orthogonality"].window == ((600, 720), (380, 620))
    view.whole.clicks += 1
    assert own.window == ((0, 720), (0, 720))
    own.block = (900, 950, 3, 2)
    assert own.window == ((0, 720), (0, 720)), "a part that this probe has not"


def test_pairs_that_nobody_has_counted_are_told_with_the_cure(monkeypatch):
    monkeypatch.setattr("protoviz.explorer.pages.orthogonality.sets.SMALL", 100)
    monkeypatch.setattr(Workbench, "lacks", lambda self, what: f"add `{what}` & more", raising=False)
    bench = Workbench(*(getattr(large_bench(), name) for name in ("encoder", "probes", "classes", "clips")))
    view = Orthogonality(ExplorerState(bench, page="orthogonality"))
    assert "add <code>cosines</code> &amp; more" in said(view)
    assert view.cosine_map.image.data["image"][0].shape == (360, 360)
    table = cosine_table(bench.probes["protobin"], 4).assign(probe="protobin")
    told = Workbench(
        bench.encoder, bench.probes, bench.classes, bench.clips, seed=4, tables={"cosines": table}.get
    )
    view = Orthogonality(ExplorerState(told, page="orthogonality"))
    data = view.histogram.shown.data
    row = table[(table.form == "binarised") & (table.stage == "after")].iloc[0]
    np.testing.assert_allclose(data["top"], 100 * np.array(row.counts) / (720 * 719 / 2))
    assert f"{row.effective_rank:.1f}" in said(view)


def test_the_rows_hold_every_set(state, geometry):
    view = Orthogonality(state)
    table = geometry.table()
    assert len(table) == 2 + 4 + 1, "proto and protobin at two stages, protofloat at one"
    one = spread(latents("proto", "before"))
    row = table[(table.probe == "proto") & (table.stage == "before")].iloc[0]
    assert row[["mean", "sd", "effective_rank"]].tolist() == [one.mean, one.sd, one.effective_rank]
    data = view.rows.spreads.data
    np.testing.assert_allclose(data["right"] - data["left"], 2 * table.sd)
    assert view.rows.chosen.data["y"] == [1]
    html = said(view)
    assert html.count("<tr") == 2 + len(table)
    assert f"{one.effective_rank:.1f}" in html
    light = view.rows.spreads.data["colour"]
    view.set_dark(True)
    assert view.rows.spreads.data["colour"] != light
    assert view.cosine_map.mapper.palette[127] == "#14171c"


def test_without_prototypes_the_page_says_so():
    small = small_bench()
    only = Workbench(small.encoder, {"linear": small.probes["linear"]}, small.classes, small.clips)
    state = ExplorerState(only, page="orthogonality", clip="scene-1-2")
    view = Orthogonality(state)
    view.set_dark(True)
    view.refresh()
    assert view.__panel__()[0].object == words.NONE
    assert open_link(state, to_link(state)) == []


def test_the_page_is_built_of_models():
    root = explorer(bench()).get_root()
    assert root.references()


# -- words and helpers


def made(rms, width=100, count=50):
    """A Spread of this root mean square about 0."""
    one = spread(np.eye(3))
    return type(one)(**{**one.row(), "count": count, "width": width, "rms": rms, "sd": rms, "reference": 0.1})


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (0.1, 0.102, "there from the random start; training kept it"),
        (0.1, 0.2, "training gave part of it up"),
        (0.75, 0.1, "came by training"),
        (0.75, 0.4, "Nearer to orthogonal by training"),
        (0.75, 0.75, "Neither start nor training"),
        (0.75, 0.9, "Neither start nor training"),
    ],
)
def test_the_verdict_follows_the_numbers(before, after, said):
    text = words.verdict("real", made(after), made(before))
    assert said in text
    assert f"{before:.3f}" in text
    assert f"{after:.3f}" in text
    assert "could be exactly orthogonal" in text
    crowded = words.verdict("real", made(after, count=400), made(before, count=400))
    assert f"{(300 / (100 * 399)) ** 0.5:.3f}" in crowded


def test_names_are_escaped():
    nasty = "<img src=x>"
    one = made(0.1)
    html = words.sentence(nasty, "real", "after", 3, 2) + words.matrix("class", nasty, 3, 1)
    html += words.uncounted(f"{nasty} `protoviz study add {nasty} cosines`")
    html += words.chosen(0, "after", np.array([nasty, nasty]), 1.0, ((1, 0.1), (1, 0.1)))
    html += words.table(ExplorerState(bench()).own["orthogonality"].table().assign(title=nasty), one, nasty)
    assert "<img" not in html


def test_runs_labels_and_outlines():
    assert runs(["a", "a", "b", "a"]) == [(0, 2), (2, 3), (3, 4)]
    assert apart({10.0: "a", 9.0: "b", 5.0: "c"}, 2) == {10.0: "a", 5.0: "c"}
    outline = steps(np.array([0.0, 1.0, 2.0]), np.array([3.0, 4.0]))
    assert outline["x"].tolist() == [0, 0, 1, 1, 2, 2]
    assert outline["y"].tolist() == [0, 3, 3, 4, 4, 0]
