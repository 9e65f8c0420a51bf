"""Clips of one source: never in two splits that are made here, and told of where a split parts them."""

import re
from collections import Counter

import dataset_copies as copies
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cli import run

from protoviz.datasets import load_dataset, recorded_scene_clips
from protoviz.datasets.groups import torn_groups
from protoviz.scenes.groups import group_by, split_groups

KNOWN = ["dog", "rain"]
SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}
ESC = r"^\d-(\d+)-"


def one_split_a_group(table: pd.DataFrame, groups) -> bool:
    return table.groupby(list(groups))["split"].nunique().max() == 1


def files(root, names, labels=KNOWN, seconds=0.25):
    """A sound of each name in the folder of every label."""
    for label in labels:
        for name in names:
            copies.write(root / label / name, [label], KNOWN, seconds)
    return root


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sets(st.sampled_from("abcd"), max_size=2)), min_size=1),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_no_group_is_in_two_splits_whatever_the_order(clips, seed, random):
    named = [(f"source {group}", labels) for group, labels in clips]
    found = split_groups(named, SHARES, seed)
    assert set(found) == {group for group, _ in named}
    random.shuffle(named)
    assert split_groups(named, SHARES, seed) == found
    assert set(found.values()) == set(SHARES) or len(found) < len(SHARES) or len(set(found.values())) == 3


@given(st.lists(st.integers(10, 40), min_size=1, max_size=12), st.integers(0, 3))
def test_sources_of_one_clip_give_every_split_its_share_of_every_label(counts, seed):
    clips = [(f"{label}-{n}", [label]) for label, count in enumerate(counts) for n in range(count)]
    found = split_groups(clips, SHARES, seed)
    got = Counter((label, found[group]) for group, (label,) in clips)
    for label, count in enumerate(counts):
        for split, share in SHARES.items():
            assert abs(got[label, split] - share * count) < 1.5, (label, split)
    assert split_groups(clips, SHARES, seed + 1) != found


def test_shares_that_are_none_and_patterns_that_are_none_are_refused():
    for shares in ({"train": 1.2, "test": -0.2}, {"train": 0.5, "test": 0.2}, {}):
        with pytest.raises(ValueError, match="shares"):
            split_groups([("a", "b")], shares)
    with pytest.raises(ValueError, match=r"group='\('"):
        group_by("(")
    assert [group_by(r"^(\w+)-(\d)")(name) for name in ("x/a-1z.wav", "y/a-1q.wav", "x-1/b.wav")] == [
        "a|1", "a|1", "x-1/b.wav",
    ]  # fmt: skip


def test_recordings_of_many_clips_stay_whole_in_the_folder(shared):
    root = shared("audio/env/esc10")
    torn = torn_groups(load_dataset("folder", root))
    assert (torn.clips["test"], torn.of["test"]) == (27, 80)
    clips = load_dataset("folder", root, group=torn.pattern)
    assert torn_groups(clips) is None
    sources = clips.table["clip"].str.extract(r"/\d-(\d+)-")[0]
    assert one_split_a_group(clips.table, sources)
    counted = clips.label_counts()
    assert counted.sum().to_dict() == {"train": 278, "validation": 40, "test": 80}
    assert (counted.test.between(7, 9) & counted.validation.between(3, 5)).all(), "every class alike"


@pytest.mark.parametrize(
    ("names", "stem"),
    [
        ([f"{n % 5 + 1}-{1000 + n}-{take}.flac" for n in range(12) for take in "AB"], r"-(\d+)-"),
        ([f"rec{n:02d}_seg{piece:03d}.wav" for n in range(8) for piece in range(3)], r"(rec\d+)"),
        ([f"XC{n}_{piece:02d}.wav" for n in range(12345, 12355) for piece in range(2)], r"(XC\d+)"),
        ([f"2021-B{n}-0415_05-{piece}.wav" for n in range(20, 30) for piece in (11, 16)], r"(B\d+)"),
        ([f"rec_{n}_{t}.0_{t + 5}.0.wav" for n in range(9) for t in (0, 5, 10)], r"(rec_\d)_"),
        ([f"{n}{take}.wav" for n in range(10, 20) for take in "abc"], r"(\d\d)"),
        ([f"rec{n} ({take}).wav" for n in range(10, 18) for take in (1, 2)], r"(rec\d+) "),
        ([f"rec{n}@{t}.wav" for n in range(10, 18) for t in (0, 5)], r"(rec\d+)@"),
        ([f"rec{n}_{take}of2.wav" for n in range(10, 18) for take in (1, 2)], r"(rec\d+)_"),
        (
            [f"park-{c}-{n}-{p}-a.wav" for c in ("oslo", "lyon") for n in range(6) for p in (1, 2)],
            r"-(\w+-\d)-",
        ),
        (
            [f"{who}_{n}.wav" for who in ["ann", "ben", "cleo", "dirk", "eva"] for n in (1, 2, 3)],
            r"([a-z]+)_",
        ),
    ],
)
def test_names_that_suggest_sources_are_told_with_the_pattern_that_keeps_them_together(tmp_path, names, stem):
    root = files(tmp_path / "mine", names)
    said = run("data", "check", "folder", "--root", root)
    assert said.exit_code == 0
    torn = torn_groups(load_dataset("folder", root))
    assert f"{torn.clips['test']} of {torn.of['test']} test clips" in said.output
    assert torn.pattern in said.output.replace("\n", "")
    mended = run("data", "check", "folder", "--root", root, "--group", torn.pattern)
    assert "in two splits" not in mended.output
    clips = load_dataset("folder", root, group=torn.pattern)
    assert one_split_a_group(clips.table, clips.table["clip"].str.extract(stem)[0])
    assert set(clips.table["split"]) == set(SHARES)


@pytest.mark.parametrize(
    "names",
    [
        [f"{n:03d}.wav" for n in range(20)],
        [f"clip_{n}.wav" for n in range(20)],
        [f"{n}-{n * 7}.wav" for n in range(20)],
        [
            f"{word}.wav"
            for word in ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
        ],
    ],
)
def test_numbered_clips_are_no_sources(tmp_path, names):
    assert torn_groups(load_dataset("folder", files(tmp_path, names))) is None


@pytest.mark.parametrize("labels", [("dog", "rain", "cat"), ("dog1", "dog2", "rain3")])
def test_a_label_in_the_names_of_one_folder_is_no_source(tmp_path, labels):
    lines = ["file,label"]
    for label in labels:
        for n in range(12):
            copies.write(tmp_path / "audio" / f"{label}_{n}.wav", ["dog"], KNOWN, 0.25)
            lines.append(f"{label}_{n}.wav,{label}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    assert torn_groups(load_dataset("folder", tmp_path)) is None


def test_a_label_in_the_names_is_no_source(tmp_path):
    for label in ("dog1", "dog2", "rain3"):
        for n in range(12):
            copies.write(tmp_path / label / f"{label}_{n}.wav", ["dog"], KNOWN, 0.25)
    assert torn_groups(load_dataset("folder", tmp_path)) is None


@pytest.mark.parametrize("name", sorted(set(copies.MAKERS) - {"folder"}))
def test_published_splits_that_keep_sources_together_are_not_warned_of(name, tmp_path):
    root = copies.MAKERS[name](tmp_path)
    assert torn_groups(load_dataset(name, root)) is None


def test_a_known_group_that_lies_in_two_splits_is_told(tmp_path):
    for split in ("train", "test"):
        files(tmp_path / split, [f"rec{n}_{split}.wav" for n in range(3)])
    said = run("data", "check", "folder", "--root", tmp_path, "--group", r"^(rec\d)")
    assert "6 of 6 test clips come from 3 sources" in said.output
    assert (
        run("data", "check", "fsd50k", "--root", copies.fsd50k(tmp_path / "f"), "--group", "x").exit_code == 1
    )


def test_recordings_with_event_tables_and_scenes_keep_sources_together(tmp_path):
    names = [f"rec{n}_{piece}.wav" for n in range(8) for piece in range(3)]
    root = files(tmp_path / "field", names, KNOWN[:1], 1.0)
    for path in root.rglob("*.wav"):
        path.with_suffix(".txt").write_text("0.1\t0.4\tdog\n" if path.name < "rec4" else "0.5\t0.8\train\n")
    clips = load_dataset("folder", root, seconds=0.5, group=r"^rec\d")
    assert len(clips) == 2 * len(names)
    assert one_split_a_group(clips.table, clips.table["group"])
    assert clips.table["group"].nunique() == 8
    labels = files(tmp_path / "labels", names)
    with pytest.warns(UserWarning, match=r"rec\d_\d.* and .*rec\d_\d.*group='(.+)'") as told:
        recorded_scene_clips(labels, train=1, validation=0, test=1)
    pattern = re.search(r"group='(.+)'", str(told[0].message))[1].replace("\\\\", "\\")
    recorded_scene_clips(labels, train=1, validation=0, test=1, group=pattern)
    scenes = recorded_scene_clips(labels, train=1, validation=0, test=1, group=r"^(rec\d)")
    sources = {split: scenes.reader.sources[split].recordings for split in ("train", "test")}
    assert sources["train"] | sources["test"] == {f"rec{n}" for n in range(8)}
    assert not sources["train"] & sources["test"]


def test_groups_of_the_hub_and_of_spass_stay_whole(tmp_path):
    root = copies.hub(tmp_path / "hub")
    (root / "data/validation-00000-of-00001.parquet").unlink()
    for path in root.rglob("*.parquet"):
        table = parquet.read_table(path)
        groups = pa.array([f"{path.name[:4]} {n % 3}" for n in range(len(table))])
        parquet.write_table(table.append_column("group", groups), path, row_group_size=2)
    clips = load_dataset("urban", root)
    assert one_split_a_group(clips.table, clips.table["group"])
    assert clips.counts()["clips"].to_dict() == {"train": 6, "validation": 3, "test": 3}
    assert np.abs(clips.read(8)).max() > 0.1
    spass = load_dataset("spass", copies.spass(tmp_path / "spass"), group=r"(\d)\.wav")
    assert (spass.table["group"] != "").all()
    scenes = spass.table["clip"].str.split("/").str[0]
    assert spass.table.groupby([scenes, spass.table["group"]])["split"].nunique().max() == 1


def test_a_pattern_that_finds_nothing_is_refused_by_name(tmp_path):
    root = files(tmp_path / "mine", [f"rec{n}_{piece}.wav" for n in range(4) for piece in range(3)])
    spass = copies.spass(tmp_path / "spass")
    for load in (
        lambda: load_dataset("folder", root, group="recc"),
        lambda: load_dataset("spass", spass, group="recc"),
        lambda: recorded_scene_clips(root, group="recc", train=1, validation=0, test=1),
    ):
        with pytest.raises(ValueError, match=r"group='recc'.*wav"):
            load()
    said = run("data", "check", "folder", "--root", root, "--group", r"^(rec\d)_")
    assert "24 clips of 4 known sources, at most 6 of one" in said.output
    said = run("polyphony", "--group", "rec")
    assert said.exit_code == 1
    assert "--group" in said.output
