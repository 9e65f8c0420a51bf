"""Rankings against plain loops, the published tables against what the paper states about them."""

import json
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.analysis import polyphony
from protoviz.analysis.localisation import hit_intervals
from protoviz.analysis.published import STATUS, TABLES, claims, published
from protoviz.analysis.ranking import (
    RankingError,
    bootstrap_means,
    crossing,
    gains,
    gap_closed,
    intervals,
    mean_scores,
    moves,
    rank_agreement,
    ranks,
    ranks_with_intervals,
    shared_sets,
    win_matrix,
    win_ranks,
)
from protoviz.analysis.results import COLUMNS, results, sources
from protoviz.analysis.results import settings as made_with
from protoviz.analysis.tables import SCORE_COLUMNS, table_file
from protoviz.metrics import random_average_precision
from protoviz.paths import DATA


def claimed(words: str) -> float:
    found = claims()[claims().claim.str.startswith(words)]
    assert len(found) == 1
    return float(found.value.iloc[0])


def scores(values: dict, seeds=1, spread=0.0, seed=0) -> pd.DataFrame:
    """A frame from (encoder, method, data set) -> score, with normal noise over seeds."""
    rng = np.random.default_rng(seed)
    rows = [
        (dataset, encoder, method, run, "mAP", value + spread * rng.normal())
        for (encoder, method, dataset), value in values.items()
        for run in range(seeds)
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def grid(encoders, methods, sets, draw) -> dict:
    return {key: draw(*key) for key in product(encoders, methods, sets)}


# -- published


def test_every_published_table_is_tidy():
    for name in TABLES:
        frame = published(name)
        assert set(SCORE_COLUMNS) <= set(frame), name
        assert set(frame.status) <= set(STATUS)
        assert frame.score.between(0, 1).all()
        assert frame.source.str.len().gt(5).all()
        assert not frame.duplicated(["dataset", "encoder", "method"]).any(), name
        assert frame.seed.isna().all(), "one number is all there is"
    assert set(claims().status) <= set(STATUS)


def test_the_general_table_is_whole():
    frame = published()
    assert len(frame) == 6 * 3 * 5
    assert len(shared_sets(frame)) == 5


def test_the_mean_gain_is_the_one_the_paper_states():
    cells = published().pivot(index=["encoder", "dataset"], columns="method", values="score")
    gain = 100 * (cells.protobin - cells.linear)
    assert len(gain) == 30
    assert round(gain.mean(), 2) == claimed("mean gain of protobin over linear, 5 general")
    table = gains(published())
    assert 100 * table[table.method == "protobin"].gain.mean() == pytest.approx(gain.mean())


def test_where_there_is_no_gap_no_share_of_it_is_closed():
    frame = scores({("e", "linear", "x"): 0.5, ("e", "mhca", "x"): 0.6, ("e", "ep", "x"): 0.5})
    told = pd.DataFrame({"dataset": ["x"], "encoder": ["e"], "score": [0.5]})
    assert gap_closed(frame, told).share.isna().tolist() == [True, True]
    assert gap_closed(frame, told.assign(score=0.7)).share.tolist() == pytest.approx([0.5, 0.0])


def test_a_table_of_the_baseline_alone_has_no_shares():
    frame = pd.DataFrame({"dataset": "a", "encoder": ["x", "y"], "method": "linear", "score": [0.1, 0.2]})
    told = frame.drop(columns="method").assign(score=0.5)
    assert len(gap_closed(frame, told)) == len(gap_closed(frame, told[:0])) == 0


def test_the_gap_closed_is_the_one_the_paper_states():
    share = gap_closed(published("labels"), published("finetuning"))
    share = share.set_index(["dataset", "encoder", "method"]).share
    eat = 100 * share["as20k", "EAT", "protobin"]
    assert round(eat, 1) == 62.8
    assert round(eat) == claimed("gap to fine-tuning closed")
    by_hand = {"SSLAM": 58.3, "A-MAE": 48.6, "BEATs": 48.1}
    assert {name: round(100 * share["as20k", name, "protobin"], 1) for name in by_hand} == by_hand


def test_the_ranks_are_those_that_the_paper_tells_of():
    table = ranks(published())
    order = {m: g.sort_values("rank").encoder.tolist() for m, g in table.groupby("method")}
    assert order["linear"] == ["BEATs", "ASiT", "EAT", "SSLAM", "Dasheng", "A-MAE"]
    assert order["mhca"] == ["EAT", "SSLAM", "Dasheng", "BEATs", "A-MAE", "ASiT"]
    assert order["protobin"] == ["BEATs", "SSLAM", "EAT", "Dasheng", "A-MAE", "ASiT"]
    for encoder, method in product(("ASiT", "SSLAM"), ("linear", "protobin")):
        rank = table[(table.encoder == encoder) & (table.method == method)]["rank"].iloc[0]
        assert rank == claimed(f"rank of {encoder} under {method}")
    means = 100 * table.set_index(["method", "encoder"]).score
    listed = {("linear", "BEATs"): 61.18, ("mhca", "ASiT"): 59.24, ("protobin", "SSLAM"): 70.26}
    assert {key: round(means[key], 2) for key in listed} == listed


def test_tables_that_share_a_cell_agree():
    keys = ["dataset", "encoder", "method"]
    frames = [published(name) for name in ("general", "methods", "labels", "cells")]
    together = pd.concat(frames).groupby(keys).score.agg(["nunique", "size"])
    assert (together["size"] > 1).sum() >= 15
    assert (together["nunique"] == 1).all()


def test_an_unknown_table_is_refused_and_a_copy_is_handed_out():
    with pytest.raises(ValueError, match="general"):
        published("table 5")
    mine = published()
    mine["score"] = 0.0
    assert published().score.iloc[0] > 0


# -- rankings


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))
def test_ranks_count_who_is_better(encoders, methods, sets, seed):
    rng = np.random.default_rng(seed)
    names = [f"e{i}" for i in range(encoders)]
    cells = grid(names, range(methods), range(sets), lambda *_: round(float(rng.random()), 1))
    table = ranks(scores(cells)).set_index(["encoder", "method"])
    for encoder, method in product(names, range(methods)):
        mean = {e: np.mean([cells[e, method, s] for s in range(sets)]) for e in names}
        better = sum(mean[other] > mean[encoder] + 1e-12 for other in names)
        assert table.loc[(encoder, method), "score"] == pytest.approx(mean[encoder])
        assert abs(table.loc[(encoder, method), "rank"] - 1 - better) <= _ties(mean, encoder)


def _ties(mean, encoder):
    """Means that differ in the last bit only may stand either way."""
    return sum(abs(mean[other] - mean[encoder]) <= 1e-12 for other in mean) - 1


def test_only_data_sets_that_all_share_enter_a_mean():
    cells = grid("ab", ["linear"], ["one", "two"], lambda e, m, d: {"a": 0.5, "b": 0.6}[e])
    cells["b", "linear", "three"] = 0.0
    frame = scores(cells)
    assert shared_sets(frame) == ["one", "two"]
    assert mean_scores(frame).set_index("encoder").score["b"] == pytest.approx(0.6)
    with pytest.raises(RankingError, match="no data set"):
        shared_sets(frame[(frame.dataset == "three") | (frame.encoder == "a")])
    with pytest.raises(RankingError, match="accuracy"):
        shared_sets(frame.assign(metric=["mAP"] * 4 + ["accuracy"]))
    with pytest.raises(RankingError, match="no scores"):
        shared_sets(frame.head(0))


def test_gains_are_differences_of_means_with_intervals_around_them():
    cells = grid("ab", ["linear", "protobin"], ["x", "y"], lambda e, m, d: 0.4 + 0.2 * (m == "protobin"))
    frame = scores(cells, seeds=5, spread=0.01)
    table = gains(frame)
    assert table.method.tolist() == ["protobin"] * 2
    for row in table.itertuples():
        own = frame[frame.encoder == row.encoder].groupby("method").score.mean()
        assert row.gain == pytest.approx(own["protobin"] - own["linear"])
        assert row.low < row.gain < row.high
        assert row.high - row.low < 0.04
    with pytest.raises(RankingError, match="linear"):
        gains(frame[frame.method == "protobin"])


def test_kendalls_tau_is_that_of_counted_pairs():
    table = ranks(published())
    for row in rank_agreement(table).itertuples():
        one, two = (
            table[table.method == name].set_index("encoder").score for name in (row.first, row.second)
        )
        pairs = [(a, b) for a in one.index for b in one.index if a < b]
        agree = [np.sign((one[a] - one[b]) * (two[a] - two[b])) for a, b in pairs]
        assert row.tau == pytest.approx(np.mean(agree))
    alone = rank_agreement(table[table.encoder == "EAT"])
    assert alone.tau.isna().all()


def test_moves_name_who_climbs_and_who_falls():
    table = moves(ranks(published()), "linear", "protobin")
    assert (table.encoder.iloc[0], table.up.iloc[0]) == ("SSLAM", 2)
    assert (table.encoder.iloc[-1], table.before.iloc[-1], table.after.iloc[-1]) == ("ASiT", 2, 6)


def test_wins_are_counted_pair_by_pair():
    rng = np.random.default_rng(4)
    methods, pairs = ["linear", "mhca", "protobin"], list(product("ab", ["x", "y", "z"]))
    cells = {(e, m, d): float(rng.normal(0.5, 0.02)) for (e, d) in pairs for m in methods}
    frame = scores(cells, seeds=3, spread=0.02)
    table = win_matrix(frame)
    for row, column in product(methods, methods):
        count = 0
        for e, d in pairs:
            mine, theirs = (
                frame[(frame.encoder == e) & (frame.dataset == d) & (frame.method == m)].score.to_numpy()
                for m in (row, column)
            )
            count += mine.mean() - theirs.mean() > theirs.std(ddof=1)
        assert table.loc[row, column] == count
    assert 0 < table.to_numpy().sum() < 2 * 3 * len(pairs), "some are ties"
    with pytest.raises(RankingError, match="two"):
        win_matrix(frame[frame.seed == 0])


def test_crossing_intervals_leave_ranks_open():
    low, high = np.array([0.1, 0.3, 0.38, 0.9]), np.array([0.2, 0.4, 0.5, 0.95])
    assert crossing(low, high).tolist() == [False, True, True, False]
    values = {("a", "m", "x"): 0.5, ("b", "m", "x"): 0.501, ("c", "m", "x"): 0.9}
    table = ranks_with_intervals(scores(values, seeds=5, spread=0.01)).set_index("encoder")
    assert table.uncertain.to_dict() == {"a": True, "b": True, "c": False}
    assert (table.loc["c", "rank_low"], table.loc["c", "rank_high"]) == (1, 1)
    assert table.loc["a", ["rank_low", "rank_high"]].tolist() == [2, 3]
    assert ((table.low < table.score) & (table.score < table.high)).all()


def test_a_single_run_settles_nothing():
    table = ranks_with_intervals(scores({("a", "m", "x"): 0.5, ("b", "m", "x"): 0.9}))
    assert table.uncertain.all()
    assert table.low.isna().all()
    assert table["rank"].tolist() == [2, 1]


def test_the_bootstrap_is_that_of_resampled_means():
    values = np.array([0.1, 0.4, 0.5, 0.9])
    frame = scores({("a", "m", "x"): 0.0}, seeds=4).assign(score=values)
    _, drawn = bootstrap_means(frame, ["encoder"], draws=20_000)
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.005)
    assert drawn.std() == pytest.approx(values.std() / 2, rel=0.03)
    three = intervals(frame[frame.seed < 3], ["encoder"]).iloc[0]
    assert [three.low, three.high] == pytest.approx([0.1, 0.5]), "with three units about their whole range"


def test_clips_are_drawn_alike_for_everyone():
    """b is always 0.1 above a: over the same clips the difference has no spread at all."""
    rng = np.random.default_rng(0)
    hits = rng.random(60)
    frame = pd.DataFrame({"clip": np.arange(60), "dataset": "x", "method": "m", "metric": "mAP", "seed": 0})
    frame = pd.concat([frame.assign(encoder="a", score=hits), frame.assign(encoder="b", score=hits + 0.1)])
    keys, drawn = bootstrap_means(frame, ["encoder"], unit="clip", draws=500)
    assert keys.encoder.tolist() == ["a", "b"]
    np.testing.assert_allclose(drawn[1] - drawn[0], 0.1)
    assert drawn[0].std() == pytest.approx(hits.std() / np.sqrt(60), rel=0.15)


def test_clips_are_drawn_by_name_where_a_method_lacks_some():
    """Of the clips that both have, b scores 0.1 above a; each lacks one of the 60, and not the same one."""
    hits = np.linspace(0, 1, 60)
    frame = pd.DataFrame({"clip": np.arange(60), "dataset": "x", "encoder": "e", "metric": "mAP", "seed": 0})
    one, other = frame.assign(method="a", score=hits), frame.assign(method="b", score=hits + 0.1)
    frame = pd.concat([one[:-1], other[1:]])
    _, drawn = bootstrap_means(frame, ["method"], unit="clip", draws=500)
    rng = np.random.default_rng([0, *b"x"])
    chosen = rng.integers(60, size=(500, 60))
    for means, lacking, scores in zip(drawn, (59, 0), (hits, hits + 0.1), strict=True):
        expected = [scores[draw[draw != lacking]].mean() for draw in chosen]
        np.testing.assert_allclose(means, expected)
    assert (drawn[1] - drawn[0]).std() < 0.02 < drawn[0].std(), "what the clips have in common is gone"
    lone = pd.concat([one, other[:1]])
    assert np.isnan(bootstrap_means(lone, ["method"], unit="clip", draws=5)[1][1]).all()


# -- own results


def test_the_shipped_results_are_read_as_they_are():
    frame = results()
    assert tuple(frame) == COLUMNS
    raw = pd.read_parquet(DATA / "demo" / "results" / "results.parquet")
    demo = frame[frame.source == "demo"]
    assert len(demo) == len(raw)
    assert set(demo.encoder) == {"mini-mae"}
    assert set(demo.probe) == {title.split(" + ")[0] for title in raw.method}
    np.testing.assert_array_equal(demo.score, raw.score)
    assert made_with("demo")["compare"]["epochs"] == 30


def test_folders_of_an_earlier_version_are_read_alike(tmp_path):
    """Once the demo's table and the others lay beside each other, and settings had the demo's name."""
    shipped = DATA / "demo" / "results"
    former = {"results.parquet": "demo/results.parquet", "results.json": "demo/demo.json"}
    for path in shipped.glob("*.*"):
        place = tmp_path / former.get(path.name, f"results/{path.name}")
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(path.read_bytes())
    keys = ["source", "dataset", "encoder", "method", "metric", "polyphony", "seed"]
    one, other = (frame.sort_values(keys, ignore_index=True) for frame in (results(), results(tmp_path)))
    pd.testing.assert_frame_equal(one, other)
    assert made_with("demo", tmp_path) == made_with("demo")
    assert table_file(tmp_path, "strong") == tmp_path / "results" / "strong.parquet"


def write(folder, stem, told=None, **columns):
    base = {"seed": 0, "polyphony": 0, "metric": "mAP", "score": 0.5, "chance": 0.1, "clips": 9}
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"method": ["protobin + BatchNorm", "linear"], **base, **columns}).to_parquet(
        folder / f"{stem}.parquet"
    )
    if told is not None:
        (folder / f"{stem}.json").write_text(json.dumps(told))


def test_a_table_that_is_written_anew_is_read_anew(tmp_path):
    place = tmp_path / "results"
    write(place, "poolings", {"encoder": "a"}, score=0.5)
    assert set(results(tmp_path).score) == {0.5}
    write(place, "poolings", {"encoder": "bcd"}, score=0.75)
    assert set(results(tmp_path).score) == {0.75}
    assert set(results(tmp_path).encoder) == {made_with("poolings", tmp_path)["encoder"]} == {"bcd"}
    write(place, "ranks", {"encoder": "a"})
    assert set(results(tmp_path).source) == {"poolings", "ranks"}


def test_every_table_of_results_is_found_and_kept_apart(tmp_path):
    place = tmp_path / "results"
    write(place, "poolings", {"encoder": "mini-mae"}, scenes=["mixed", "one event"])
    write(place, "ranks", {"encoder": ["a", "b"]}, encoder=["a", "b"], dataset="urban")
    pd.DataFrame({"method": ["linear"], "lr": [0.1]}).to_parquet(place / "ranks-search.parquet")
    frame = results(tmp_path)
    assert frame.source.tolist() == ["poolings"] * 2 + ["ranks"] * 2
    assert frame.dataset.tolist() == ["mixed", "one event", "urban", "urban"]
    assert frame.encoder.tolist() == ["mini-mae", "mini-mae", "a", "b"]
    assert frame.probe.tolist() == ["protobin", "linear"] * 2
    assert sources(frame) == ["ranks", "poolings"], "most encoders first"
    assert sources(frame, "absent", "poolings") == ["poolings", "ranks"]
    assert results(tmp_path / "nowhere").empty
    assert tuple(results(tmp_path / "nowhere")) == COLUMNS


def test_a_table_without_an_encoder_says_so(tmp_path):
    write(tmp_path / "results", "mine")
    with pytest.raises(ValueError, match=r"mine\.json"):
        results(tmp_path)


# -- polyphony


def test_curves_are_means_over_seeds_on_every_scale():
    frame = results()
    frame = frame[frame.source == "demo"]
    for scale in polyphony.SCALES:
        table = polyphony.curves(frame, scale)
        assert set(table.polyphony) == set(range(1, 9))
        for row in table[table.method == "mhca"].itertuples():
            runs = frame[(frame.method == "mhca") & (frame.polyphony == row.polyphony)]
            chance = runs.chance.iloc[0]
            plain = {
                "score": runs.score.mean(),
                "above chance": (runs.score - chance).mean(),
                "normalised": ((runs.score - chance) / (1 - chance)).mean(),
            }
            assert row.score == pytest.approx(plain[scale])
            assert row.low <= row.score <= row.high
            assert row.chance == pytest.approx(chance if scale == "score" else 0)
    with pytest.raises(ValueError, match="normalised"):
        polyphony.curves(frame, "log")


def test_tables_without_rows_give_tables_without_rows():
    found, places = polyphony.loudness(), polyphony.localisation()
    for k in (0, 1):  # no rows of any kind, or none that two events share
        table = polyphony.recall_curves(found[found.polyphony == k])
        assert table.empty
        assert {"recall", "chance", "events"} <= set(table)
    assert polyphony.curves(results()[:0]).empty
    assert polyphony.at_polyphony(results()[:0], places[:0], 3).empty
    by = ["dataset", "method", "polyphony"]
    kinds = {"dataset": str, "method": str, "polyphony": int, "scene": int, "score": float, "chance": float}
    rows = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
    assert hit_intervals(rows, by).columns.tolist() == [*by, "score", "low", "high", "chance", "scenes"]


def test_chance_is_the_share_of_scenes_that_hold_a_class():
    table = polyphony.curves(results()[lambda f: f.source == "demo"]).drop_duplicates("polyphony")
    np.testing.assert_allclose(table.chance, table.polyphony / 24)


def test_the_lead_is_settled_where_intervals_are_apart():
    frame = pd.DataFrame(
        [
            ("a", 1, 0.5, 0.4, 0.6),
            ("b", 1, 0.3, 0.2, 0.45),
            ("a", 2, 0.5, 0.4, 0.6),
            ("b", 2, 0.7, 0.65, 0.8),
        ],
        columns=["method", "polyphony", "score", "low", "high"],
    )
    table = polyphony.lead(frame, "a", "b")
    assert table.settled.tolist() == [False, True]
    np.testing.assert_allclose(table.lead, [0.2, -0.2])


def test_the_runs_of_a_table_are_of_one_encoder_data_set_and_metric():
    frame = results()
    tables = polyphony.polyphony_tables(frame)
    assert set(tables) == set(frame[frame.polyphony > 0].source)
    assert tables[0] == ("polyphony" if "polyphony" in tables else "demo")
    for name in tables:
        rows = polyphony.polyphony_runs(frame, name, "mini-mae")
        assert rows[["source", "encoder", "dataset", "metric"]].drop_duplicates().shape == (1, 4)
        assert rows.polyphony.min() == 1
        assert not rows.duplicated(["method", "seed", "polyphony"]).any()
    assert polyphony.polyphony_runs(frame, "demo", "nobody").empty


def test_the_precision_of_random_orders_is_the_mean_over_all_orders():
    for positives, clips in ((1, 1), (1, 5), (2, 5), (3, 6), (4, 4)):
        holds = [1] * positives + [0] * (clips - positives)
        every = []
        for order in permutations(holds):
            hits = np.cumsum(order)
            every.append(np.mean([hits[i] / (i + 1) for i in range(clips) if order[i]]))
        assert random_average_precision(positives, clips) == pytest.approx(np.mean(every))
    assert random_average_precision(2000, 24_000) == pytest.approx(1 / 12, abs=1e-3)
    with pytest.raises(ValueError, match="0 of 3"):
        random_average_precision(0, 3)


def test_poolings_are_ranked_by_how_often_they_win_for_each_encoder():
    values = {("a", "x", "s"): 0.9, ("a", "y", "s"): 0.5, ("a", "z", "s"): 0.5, ("b", "x", "s"): 0.1}
    values |= {("b", "y", "s"): 0.6, ("b", "z", "s"): 0.3}
    table = win_ranks(scores(values, seeds=4, spread=1e-4))
    wins = {(row.encoder, row.method): row.wins for row in table.itertuples()}
    assert wins["a", "x"] == 2
    assert [wins["b", name] for name in "xyz"] == [0, 2, 1]
    for encoder, rows in table.groupby("encoder"):
        for row in rows.itertuples():
            assert row.rank == 1 + (rows.wins > row.wins).sum(), encoder
    with pytest.raises(RankingError, match="no scores"):
        win_ranks(scores(values).iloc[:0])
