"""What the whole grid takes: formulas against counted operations."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from test_cli import run
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.naive import FLOOR
from protoviz.analysis.published import STATUS, claims, datasets
from protoviz.analysis.scaling import (
    SPEED,
    Grid,
    Rates,
    clip_pass_seconds,
    encoder_flops,
    encoding,
    pooling_products,
    read_speed,
    training,
    workers,
)
from protoviz.encoders.vit import Block
from protoviz.kept import write_json
from protoviz.paths import DATA
from protoviz.probes import PROBES, build_probe
from protoviz.report.regions import makers


def test_the_operations_of_a_vit_are_those_that_torch_counts():
    block, tokens = Block(32, 2, 4.0), 25
    with (
        torch.no_grad(),
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        block(torch.randn(1, tokens, 32))
    assert encoder_flops(tokens, 32, 1) == counter.get_total_flops()
    assert encoder_flops(tokens, 32, 5) == 5 * counter.get_total_flops()
    assert encoder_flops(513, 768, 12) == pytest.approx(96.8e9, rel=1e-3), "ViT-Base on ten seconds"


@pytest.mark.parametrize("method", Grid().methods)
def test_the_products_of_a_pooling_are_those_that_torch_counts(method):
    clips, grid, dim, classes, per_class = 3, (4, 2), 96, 5, 7
    compares = "prototypes_per_class" in PROBES[method].options()
    probe = build_probe(
        method, dim, classes, grid, **({"prototypes_per_class": per_class} if compares else {})
    )
    tokens = torch.randn(clips, 8, dim)
    if compares:  # the bench's own product chooses a library that torch does not count
        with FlopCounterMode(display=False) as counter:
            tokens.flatten(0, 1) @ probe.prototypes().T
    else:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            FLOOR[method](probe, tokens, tokens[:, 0])
    found = pooling_products(method, 8, dim, classes, per_class)
    assert 2 * clips * found == counter.get_total_flops()


def test_a_rate_comes_back_at_the_size_it_was_measured_at():
    rates = Rates.measured()
    clips, tokens, width, classes = rates.step_shape
    for method, ms in rates.step_ms.items():
        seconds = clip_pass_seconds(method, tokens, classes, Grid(width=width), rates)
        assert clips * seconds == pytest.approx(ms / 1000)
    clips, tokens, width, classes, per_class = rates.prototype_shape
    as_measured = Grid(width=width, per_class_many=per_class)
    assert clips * clip_pass_seconds("protobin", tokens, classes, as_measured, rates) == pytest.approx(
        rates.prototype_s
    )
    twice = clip_pass_seconds("protobin", 2 * tokens, classes, as_measured, rates)
    assert clips * twice == pytest.approx(2 * rates.prototype_s)


def test_a_new_measurement_changes_estimates_and_tables(tmp_path):
    speed = read_speed()
    speed["encoding"]["encode"]["clips_per_s"] *= 2
    speed["training"]["steps"][0]["ms"] *= 3
    write_json(tmp_path / SPEED, speed)
    rates, shipped = Rates.measured(tmp_path), Rates.measured()
    assert 2 * rates.encode_seconds(1e9) == shipped.encode_seconds(1e9)
    once, before = (clip_pass_seconds("linear", 512, 24, Grid(), one) for one in (rates, shipped))
    assert once == pytest.approx(3 * before)
    for name in ("speed", "speed-steps"):
        assert makers(tmp_path)[name]() != makers(DATA)[name]()


def test_the_data_sets_are_the_papers_fourteen():
    table = datasets()
    assert len(table) == 14
    assert set(table.status) <= set(STATUS)
    assert table.classes.sum() == 527 + 200 + 10 + 28 + 10 + 422 + 50 + 12
    few = table[table.source.str.contains("64 clips")]
    assert (few.train == 6 * 64 * few.classes).all()


def test_maps_take_what_their_shapes_say():
    table = encoding()
    total = 0
    for row in datasets().itertuples():
        one_map = np.empty((row.tokens, 768), np.float16).nbytes
        total += 9 * (row.train + row.others) * one_map
    assert table.bytes.sum() == total
    stated = claims().set_index("claim").value["token maps on disk, all data sets and encoders"]
    assert total < stated * 1e12 < 2 * total, "the paper's figure lies between float16 and float32"
    mini = encoder_flops(*Rates.measured().encode_shape)
    row = table.iloc[0]
    assert row.hours * 3600 * Rates.measured().encode_clips * mini == pytest.approx(row.flops)
    assert encoding(
        rates=replace(Rates.measured(), encode_clips=2 * Rates.measured().encode_clips)
    ).hours.sum() == pytest.approx(table.hours.sum() / 2)


def test_the_runs_are_the_papers_and_groups_save_what_was_measured():
    table = training()
    stated = claims().set_index("claim").value["training runs in all, at most"]
    assert table.runs.sum() == stated == 48_510
    share = (table.together_h / table.alone_h).groupby(table.method).agg(["min", "max"])
    for method, (low, high) in share.iterrows():
        assert low == pytest.approx(high) == pytest.approx(Rates.measured().together.get(method, 1.0))
    maps = table[table.method == "mhca"].set_index("dataset")
    as20k = datasets().set_index("dataset").loc["as20k"]
    assert maps.read["as20k"] == 9 * 35 * 30 * as20k.train * 512 * 768 * 2
    assert maps.read_together["as20k"] == pytest.approx(maps.read["as20k"] * 5 / 35), (
        "five groups of at most 8"
    )
    vectors = table[table.method == "linear"].set_index("dataset")
    assert vectors.read["as20k"] * 512 == maps.read["as20k"]
    assert (Grid().prototypes(527), Grid().prototypes(200)) == (10, 20)


@pytest.mark.parametrize("grouped", [True, False])
def test_the_slowest_of_three_bounds_is_the_bottleneck(grouped):
    counts = (1, 3, 10, 100, 10_000)
    table = workers(counts, store_gb=1.0, grouped=grouped)
    rows, encoded = training(), encoding().hours.sum()
    hours = rows.together_h if grouped else rows.alone_h
    read = (rows.read_together if grouped else rows.read).sum() / 1e9 / 3600
    for row in table.itertuples():
        want = {
            "compute": (hours.sum() + encoded) / row.workers,
            "store": read,
            "longest task": row.longest_h,
        }
        assert row.hours == pytest.approx(max(want.values()))
        assert want[row.bottleneck] == pytest.approx(row.hours)
    assert table.hours.is_monotonic_decreasing
    assert table.bottleneck.iloc[0] == "compute"
    endless = workers(counts, store_gb=1e9, grouped=grouped)
    assert endless.bottleneck.iloc[-1] == "longest task"
    assert endless.longest_h.iloc[0] == pytest.approx((hours / 315).max() * (8 if grouped else 1))


def test_groups_meet_the_store_later_than_lone_runs():
    counts = tuple(range(1, 200))
    first = {g: (workers(counts, grouped=g).bottleneck == "compute").sum() for g in (True, False)}
    assert first[True] > 4 * first[False]


def test_the_command_prints_the_tables_at_any_price():
    text = run("report", "--scaling").output
    document = (DATA.parent / "docs" / "scaling.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) > 40
    assert all(row in document for row in rows)
    dear = run("report", "--scaling", "--price", "0.4").output
    money = [[int(n.replace(",", "")) for n in re.findall(r"([\d,]+) US dollars", t)] for t in (text, dear)]
    assert pd.Series(money[1]).div(money[0]).between(9.7, 10.3).all()
