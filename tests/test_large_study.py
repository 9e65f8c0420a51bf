"""The study of random numbers fits together, as a study that was measured does."""

import numpy as np
import pytest

from benchmarks.large import SMALL, write_large
from protoviz.explorer.pages.orthogonality.view import Orthogonality
from protoviz.explorer.pages.prototypes.view import Prototypes
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.studies import Studies
from protoviz.study import check_study, open_study, wrong


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return open_study(write_large(tmp_path_factory.mktemp("large") / "study", SMALL))


def test_it_is_a_whole_study(small):
    assert not wrong(check_study(small))
    (dataset,), (encoder,) = small.datasets, small.encoders
    few, many = list(small.methods)[1:]
    assert (small.probe(few).count, small.probe(many).count) == (18, 36)
    assert max(map(len, small.datasets[dataset].classes)) == 65
    rows = small.clips[dataset].array("attention", encoder).sum(-1, dtype=float)
    kept = small.clips[dataset].array("cls_to_cls", encoder)
    np.testing.assert_allclose(rows + kept, 1, atol=0.01)


def test_its_tables_agree_with_its_probes_and_with_each_other(small):
    (dataset,), (encoder,) = small.datasets, small.encoders
    method = list(small.methods)[-1]
    cell = dataset, encoder, method
    shown = small.results.part("shown", *cell).set_index("clip")
    told = small.explain(method, "clip 3")
    np.testing.assert_allclose(shown.scores["clip 3"], told.scores[0], atol=1e-6)
    np.testing.assert_array_equal(shown.locations["clip 3"], told.locations[0])
    nearest, scores = (small.results.part(name, *cell) for name in ("nearest", "scores"))
    spans = scores.set_index("prototype")
    for number, rows in nearest.groupby("prototype"):
        assert rows.part.value_counts().to_dict() == {"top": 8, "middle": 8, "bottom": 8}
        assert rows["clip"].is_unique
        assert rows.score.is_monotonic_decreasing
        low, high, counts = spans.loc[number, ["low", "high", "counts"]]
        assert sum(counts) == SMALL.clips
        assert rows.score.between(low - 1e-6, high + 1e-6).all()
        first = rows[rows["rank"] == 1].iloc[0]
        assert first.cell == shown.locations[first["clip"]][number]
        # Every rank's score lies in the bin that the histogram counts it in.
        above = np.cumsum(counts[::-1])
        bins = len(counts) - 1 - np.searchsorted(above, rows["rank"].to_numpy())
        edges = np.linspace(low, high, len(counts) + 1)
        assert (rows.score >= edges[bins] - 1e-6).all()
        assert (rows.score <= edges[bins + 1] + 1e-6).all()


# -- in the explorer, where neither clips nor encoder are


@pytest.fixture(scope="module")
def bench(small):
    return Studies([small.folder]).first()


def test_the_nearest_clip_is_drawn_where_its_cell_won(small, bench):
    state = ExplorerState(bench, page="prototypes")
    own = state.own["neighbours"]
    strip = Prototypes(state).across.strip
    tokens = small.clips["sounds"].array("tokens").astype(float)
    rows = {clip: row for row, clip in enumerate(small.clips["sounds"].table["clip"])}
    drawn, (times, freqs) = 0, SMALL.grid
    for state.prototype in (0, 3, 11):
        probe, prototype = own.shown
        signs = np.where(bench.probes[probe].latent[prototype].detach().numpy() >= 0, 1.0, -1.0)
        nearest = own.nearest().iloc[0]
        assert nearest.here, "the first one is kept"
        cosines = tokens[rows[nearest["clip"]]] @ signs
        cosines /= np.linalg.norm(tokens[rows[nearest["clip"]]], axis=1)
        t, f = divmod(int(cosines.argmax()), freqs)
        cells = strip.cells.data
        assert cells["left"][0] == pytest.approx(t / times)
        assert cells["right"][0] == pytest.approx((t + 1) / times)
        assert (nearest.cell, len(strip.absent.data["text"])) == (t * freqs + f, (~own.nearest().here).sum())
        drawn += 1
    assert drawn == 3


def test_its_pages_say_what_is_kept_and_what_is_not(small, bench):
    state = ExplorerState(bench, page="orthogonality")
    own, view = state.own["orthogonality"], Orthogonality(state)
    latent = bench.probes[own.probe].latent.detach().double().numpy()
    signs = np.where(latent >= 0, 1.0, -1.0)[own.sequence()]
    np.testing.assert_allclose(own.image(), signs @ signs.T / SMALL.width, atol=1e-6)
    assert sum(view.histogram.shown.data["top"]) == pytest.approx(100)
    state.page = "prototypes"
    across = Prototypes(state).across
    for part in ("top", "middle", "bottom"):
        state.own["neighbours"].part = part
        assert len(across.histogram.shown.data["x"]) == 8
    across.hear(1)
    assert across.player.played == 0, "no sound travelled"
