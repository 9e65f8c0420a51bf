"""Copies that are odd in one way: labels that are none, an empty fold, names like comments, read-only."""

import re
from pathlib import Path
from types import SimpleNamespace

import dataset_copies as copies
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from test_cli import run

from protoviz.datasets import ClipSet, LayoutError, folder_clips, load_dataset
from protoviz.datasets.hub import as_labels
from protoviz.datasets.views import Views
from protoviz.experiments.grid import DatasetEntry, EncoderEntry
from protoviz.experiments.materials import Pair
from protoviz.scenes import recorded_sources


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        (-1, []), ([-1], []), ([1, -1], ["b"]), (None, []), (float("nan"), []), ("", []), ([None, 2], ["c"]),
        ("2", ["c"]), ("-1", []), (["a", "1"], ["a", "b"]),
        (2.0, ["c"]), ([0.0, 0.0, 1.0], ["c"]), ([" b ", ""], ["b"]),
    ],
)  # fmt: skip
def test_the_hubs_signs_for_no_label_are_none(value, labels):
    assert as_labels(value, ["a", "b", "c"]) == labels


@pytest.mark.parametrize(
    "value", [3, -2, [0, 7], 0.5, "z", "3", [0.2, 0.9, 0.0], [1.0, 0.0], {"a": 1}, [float("nan")] * 3]
)
def test_a_label_of_no_class_is_named_with_its_row(value, tmp_path):
    names = ["a", "b", "c"]
    with pytest.raises(LayoutError, match=re.escape(str(value[-1] if value == [0, 7] else value)[:5])):
        as_labels(value, names)
    if isinstance(value, int):
        for path in copies.hub(tmp_path).rglob("*.parquet"):
            table = parquet.read_table(path)
            place = table.schema.get_field_index("labels")
            column = pa.array([[0]] * (len(table) - 1) + [[value]], pa.list_(pa.int64()))
            parquet.write_table(table.set_column(place, "labels", column), path)
        with pytest.raises(LayoutError, match=rf"parquet, row \d of group \d: .*{value}"):
            load_dataset("urban", tmp_path)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-40], lambda data: b"version https://git-lfs", lambda _: b""]
)
def test_a_damaged_parquet_file_is_named(damage, tmp_path):
    path = next(copies.hub(tmp_path).rglob("test-*.parquet"))
    path.write_bytes(damage(path.read_bytes()))
    said = run("data", "check", "urban", "--root", tmp_path)
    assert said.exit_code == 1
    assert path.name in said.output.replace("\n", "")


@pytest.mark.parametrize("told", [b"{", b"[]", b'{"info": {"features": [1]}}', b'{"info": null}'])
def test_a_hub_file_without_usable_names_numbers_its_classes(told, tmp_path):
    for path in copies.hub(tmp_path).rglob("*.parquet"):
        table = parquet.read_table(path).replace_schema_metadata({b"huggingface": told})
        place = table.schema.get_field_index("labels")
        column = pa.array([[n % 12] for n in range(2, 2 + len(table))])
        parquet.write_table(table.set_column(place, "labels", column), path)
    assert load_dataset("urban", tmp_path).classes == tuple(f"class {n}" for n in range(2, 11))


def test_classes_with_one_name_are_refused(tmp_path):
    for path in copies.hub(tmp_path).rglob("*.parquet"):
        table = parquet.read_table(path)
        told = table.schema.metadata[b"huggingface"].replace(b"car_horn", b"siren")
        parquet.write_table(table.replace_schema_metadata({b"huggingface": told}), path)
    with pytest.raises(LayoutError, match=r"parquet: siren"):
        load_dataset("urban", tmp_path)


def test_labels_that_are_numbers_stand_in_their_order(tmp_path):
    numbers = [str(n) for n in range(1, 12)]
    for label in numbers:
        for n in range(3):
            copies.write(tmp_path / label / f"{label}-{n}x.wav", [label], numbers, 0.25)
    assert list(load_dataset("folder", tmp_path).classes) == numbers
    assert list(folder_clips(tmp_path).classes) == numbers
    assert list(recorded_sources(tmp_path).classes) == numbers


def test_a_files_name_may_begin_with_a_comments_sign(tmp_path):
    root = copies.esc50(tmp_path)
    meta, known = root / "meta/esc50.csv", ["cat", "dog", "rain"]
    copies.write(root / "audio" / "#1.wav", ["dog"], known)
    header, *lines = meta.read_text().splitlines()
    lines.insert(3, "# a remark, between")
    meta.write_text("\n".join(["# made by hand", header, "#1.wav,3,1,dog,True,77,A", *lines]) + "\n")
    clips = load_dataset("esc50", root)
    assert len(clips) == 31
    (row,) = clips.table[clips.table["clip"] == "#1.wav"].itertuples()
    assert list(row.labels) == ["dog"]
    assert np.abs(clips.read(row.Index)).max() > 0.1
    spass = copies.spass(tmp_path / "spass")
    table = next(spass.rglob("*MatrixLabelsPark.csv"))
    first = table.read_text().splitlines()[1].split(",")[0]
    sound = next(spass.rglob(first))
    sound.rename(sound.with_name(f"#{first}"))
    table.write_text(table.read_text().replace(first, f"#{first}"))
    assert f"Park/#{first}" in set(load_dataset("spass", spass).table["clip"])


def test_an_empty_fold_is_named(tmp_path):
    root = copies.esc50(tmp_path)
    meta = root / "meta/esc50.csv"
    lines = meta.read_text().splitlines(keepends=True)
    meta.write_text("".join(line for line in lines if not line.startswith("5-")))
    with pytest.raises(LayoutError, match=r"esc50.csv: no clip of fold 5.*1, 2, 3, 4"):
        load_dataset("esc50", root)
    assert load_dataset("esc50", root, test_fold=4).counts()["clips"]["test"] == 6
    with pytest.raises(ValueError, match=r"fold 5.*1, 2, 3, 4"):
        recorded_sources(root, "test")
    meta.write_text(meta.read_text().replace(",3,", ",two,", 1))
    with pytest.raises(LayoutError, match=r"fold 'two'"):
        load_dataset("esc50", root)


def test_cells_of_esc50_that_say_nothing_are_no_class_no_source_and_no_fold(tmp_path):
    root = copies.esc50(tmp_path)
    meta = root / "meta/esc50.csv"
    whole = meta.read_text()
    meta.write_text(whole.replace(",cat,", ",,", 1))
    clips = load_dataset("esc50", root)
    assert "" not in clips.classes
    assert not clips.single
    meta.write_text(re.sub(r",\d{6},([AB])$", r",,\1", whole, flags=re.MULTILINE))
    clips = load_dataset("esc50", root)
    assert clips.table["group"].nunique() == len(clips), "clips of no known source are not all of one"
    for fold in ("inf", "nan", ""):
        meta.write_text(whole.replace(",5,", f",{fold},", 1))
        with pytest.raises(LayoutError, match=rf"esc50.csv: fold '{fold}'"):
            load_dataset("esc50", root)


@pytest.mark.parametrize(
    ("labels", "known"),
    [("amepip", None), ([""], None), ([None, "amepip"], None), ([0], "ebird_code_multilabel of .*ogg has 0")],
)
@pytest.mark.parametrize("part", ["train", "test_5s"])
def test_labels_of_birdset_are_texts(labels, known, part, tmp_path):
    path = next(copies.birdset(tmp_path).rglob(f"*metadata_{part}.parquet"))
    table = pd.read_parquet(path)
    table.assign(ebird_code_multilabel=[labels] * len(table)).to_parquet(path)
    if known:
        with pytest.raises(LayoutError, match=f"{path.name}: {known}"):
            load_dataset("hsn", tmp_path)
    else:
        assert load_dataset("hsn", tmp_path).classes == ("amepip", "foxspa", "whcspa")


def test_birdset_is_unpacked_elsewhere_where_its_folder_cannot_be_written(tmp_path, monkeypatch):
    root = copies.birdset(tmp_path / "copy")
    (root / "HSN" / "unpacked").write_text("no folder can be here, as in a read-only one")
    with pytest.raises(LayoutError, match=r"unpacked.*cannot be written.*PROTOVIZ_UNPACKED"):
        load_dataset("hsn", root)
    here = load_dataset("hsn", root, unpacked=tmp_path / "space")
    monkeypatch.setenv("PROTOVIZ_UNPACKED", str(tmp_path / "space"))
    assert load_dataset("hsn", root).fingerprint() == here.fingerprint()
    assert all((tmp_path / "space") in Path(path).parents for path in here.table.path)
    whole = load_dataset("hsn", copies.birdset(tmp_path / "other"))
    assert len(here) == len(whole)


@pytest.mark.parametrize("polyphony", [1, 3])
def test_check_says_the_task_that_the_grid_measures(polyphony, tmp_path):
    known = ["cat", "dog", "rain"]
    for n in range(30):
        copies.write(tmp_path / "mine" / known[n % 3] / f"{n}.wav", known[:1], known)
        if polyphony > 1:
            (tmp_path / "mine" / known[n % 3] / f"{n}.txt").write_text("0\t0.5\tcat\n0.1\t0.9\tdog\n")
    said = run("data", "check", "folder", "--root", tmp_path / "mine").output
    entry = DatasetEntry("mine", "folder", {"root": str(tmp_path / "mine")})
    loss = Pair(SimpleNamespace(views=Views()), entry, EncoderEntry("mini-random", "mini-random")).loss
    assert loss == ("cross_entropy" if polyphony == 1 else "asl")
    assert ("single-label, accuracy" if polyphony == 1 else "multi-label, mAP") in said


@pytest.mark.parametrize("labels", [float("nan"), None, "dog"])
def test_labels_that_are_no_list_are_refused_with_their_clip(labels):
    rows = [("a", "train", ["dog"], 0, -1, None), ("b", "test", labels, 0, -1, None)]
    table = pd.DataFrame(rows, columns=["clip", "split", "labels", "polyphony", "seed", "path"], dtype=object)
    with pytest.raises(ValueError, match=r"labels of 'b' are .*list"):
        ClipSet("mine", ("dog",), table, None)
