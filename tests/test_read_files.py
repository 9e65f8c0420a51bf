"""Files of others and of this project that say something: each is read, or refused with file and cure."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch

from protoviz.analysis.results import results
from protoviz.datasets import LayoutError, load_dataset
from protoviz.encoders import EncoderError, WeightsError, load_encoder
from protoviz.encoders.contents import read_contents
from protoviz.encoders.feature_files import MOST_BYTES, read_features
from protoviz.export.copies import own_copies
from protoviz.files import counted
from protoviz.paths import shipped_folder
from protoviz.report.measured import demo_table
from protoviz.settings import SettingsError

DEEP = "[" * 100_000
SOUND = np.sin(np.arange(8000) / 9)
NOT_A_TABLE = [DEEP, "{", "", "5", "null", "[]", '{"a": 1}']


def folder(root: Path, **files: str | None) -> Path:
    """A folder with files of these names (__ is a /): texts, and sounds where there is none."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            soundfile.write(path, SOUND, 16000)
        else:
            path.write_text(text)
    return root


def urban(root: Path, text: str) -> Path:
    parts = ("train", "validate", "test")
    sounds = {f"audio__{part}__a.wav": None for part in parts}
    return folder(root, **sounds, **{f"annotations__{part}__a.jams": text for part in parts})


SEEN = {"time": 0.1, "duration": 0.2, "value": {"role": "foreground", "label": "siren"}}


@pytest.mark.parametrize(
    "data",
    [5, [5], [{}], None, *({**SEEN, "time": bad} for bad in ("x", None, float("nan"), [], True)),
     *({**SEEN, "value": {"role": "foreground", "label": bad}} for bad in (5, None, [], "whale"))],
)  # fmt: skip
def test_annotations_of_another_form_are_refused_by_file(tmp_path, data):
    rows = [data] if isinstance(data, dict) else data
    with pytest.raises(LayoutError, match=r"a\.jams"):
        load_dataset("urban", urban(tmp_path, json.dumps({"annotations": [{"data": rows}]})))


@pytest.mark.parametrize("text", NOT_A_TABLE, ids=range(len(NOT_A_TABLE)))
def test_files_that_are_no_annotations_are_refused_by_file(tmp_path, text):
    with pytest.raises(LayoutError, match=r"a\.jams.*fetch the annotations again"):
        load_dataset("urban", urban(tmp_path, text))


def test_annotations_in_their_form_are_read(tmp_path):
    found = load_dataset("urban", urban(tmp_path, json.dumps({"annotations": [{"data": [SEEN]}], "more": 1})))
    assert found.table.labels.map(list).tolist() == [["siren"]] * 3


@pytest.mark.parametrize("text", [*NOT_A_TABLE[:5], '{"1": "x"}', '{"1": {"license": 5}}', '{"1": null}'])
def test_licences_of_another_form_are_refused_by_file(tmp_path, text):
    truth = "FSD50K.ground_truth__"
    root = folder(
        tmp_path,
        **{f"{truth}vocabulary.csv": "0,dog,/m/1\n", f"{truth}eval.csv": "fname,labels,mids\n3,dog,/m/1\n"},
        **{f"{truth}dev.csv": "fname,labels,mids,split\n1,dog,/m/1,train\n2,dog,/m/1,val\n"},
        **{
            "FSD50K.dev_audio__1.wav": None,
            "FSD50K.dev_audio__2.wav": None,
            "FSD50K.eval_audio__3.wav": None,
        },
        **{"FSD50K.metadata__dev_clips_info_FSD50K.json": text},
    )
    with pytest.raises(LayoutError, match=r"dev_clips_info_FSD50K\.json.*fetch FSD50K.metadata again"):
        load_dataset("fsd50k", root)


@pytest.mark.parametrize("name", ["metadata.json", "metadata.jsonl", "labels.json"])
@pytest.mark.parametrize("text", [DEEP, '{"a":' * 100_000])
def test_tables_nested_too_deeply_are_refused(tmp_path, name, text):
    with pytest.raises(ValueError, match=name):
        load_dataset("folder", folder(tmp_path, **{"0.wav": None, "1.wav": None, name: text}))


def test_a_cell_nested_too_deeply_is_refused(tmp_path):
    table = f"file;labels\n0.wav;{'[' * 5000 + ']' * 5000}\n1.wav;b\n"
    with pytest.raises(LayoutError, match="nested too deeply"):
        load_dataset("folder", folder(tmp_path, **{"0.wav": None, "1.wav": None, "labels.csv": table}))


def test_names_with_long_numbers_have_an_order():
    assert sorted(["9" * 5000, "2", "10"], key=counted) == ["2", "10", "9" * 5000]


@pytest.mark.parametrize("names", [5, None, [["a"]], {"0": 1}])
def test_names_of_classes_of_another_form_are_refused(tmp_path, names):
    sound = io.BytesIO()
    soundfile.write(sound, SOUND, 16000, format="WAV")
    table = pa.table({"audio": [{"bytes": sound.getvalue(), "path": "a.wav"}] * 2, "labels": [0, 1]})
    told = json.dumps({"info": {"features": {"labels": {"names": names}}}})
    table = table.replace_schema_metadata({b"huggingface": told.encode()})
    (tmp_path / "data").mkdir()
    for split in ("train", "validation", "test"):
        pq.write_table(table, tmp_path / "data" / f"{split}-0.parquet")
    with pytest.raises(LayoutError, match=r"\.parquet.*names of the classes"):
        load_dataset("urban", tmp_path)


@pytest.mark.parametrize("text", [*NOT_A_TABLE, '{"weight_map": []}', '{"weight_map": {"a": 5}}'])
def test_an_index_of_another_form_lists_no_parts(tmp_path, text):
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(WeightsError, match=r"index\.json.*lists no parts"):
        read_contents(tmp_path / "model.safetensors.index.json")


def test_more_blocks_than_any_encoder_has_are_not_built(tmp_path):
    inner = {f"model.blocks.{i}.norm1.weight": torch.zeros(8) for i in range(2000)}
    torch.save({"model.extra_tokens": torch.zeros(1, 1, 8), **inner}, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match=r"a\.pt has 2,000 blocks; at most"):
        load_encoder("eat", weights=tmp_path / "a.pt")


def test_more_parts_than_any_checkpoint_has_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("protoviz.encoders.archive.MOST_PARTS", 20)
    torch.save({str(i): torch.zeros(1) for i in range(20)}, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match=r"a\.pt: it has \d+ parts, and at most 20 are read"):
        read_contents(tmp_path / "a.pt")


def test_an_archive_that_unpacks_to_more_than_its_limit_is_refused(tmp_path, monkeypatch):
    array, path = np.zeros((1000, 4), np.float32), tmp_path / "a.npz"
    monkeypatch.setattr("protoviz.encoders.feature_files.MOST_BYTES", MOST_BYTES >> 14)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(20):
            data = io.BytesIO()
            np.save(data, array)
            packed.writestr(f"{number}.npy", data.getvalue())
    with pytest.raises(EncoderError, match=r"a\.npz: its arrays unpack to more than 65,536 bytes"):
        read_features(path, 4)


def test_what_stands_beside_a_table_is_held_to_its_form(tmp_path):
    shipped = shipped_folder() / "demo"
    good = json.loads((shipped / "results" / "results.json").read_text())
    demo = tmp_path / "demo" / "results"
    demo.mkdir(parents=True)
    (demo / "results.parquet").write_bytes((shipped / "results" / "results.parquet").read_bytes())
    changed = [{**good, key: value} for key in ("encoder", "compare", "test") for value in (None, [], {})]
    for text in [*NOT_A_TABLE, *map(json.dumps, changed)]:
        (demo / "results.json").write_text(text)
        with pytest.raises(ValueError, match=r"results\.json"):
            demo_table(demo)
    for text in NOT_A_TABLE[:-1]:
        (demo / "results.json").write_text(text)
        with pytest.raises(ValueError, match=r"results\.json"):
            results(tmp_path)


NOTEBOOK = {"cells": [{"cell_type": "code", "source": ["1"]}], "metadata": {}}
OTHER = [[], {**NOTEBOOK, "cells": 5}, {**NOTEBOOK, "cells": [5]}, {**NOTEBOOK, "cells": [{}]}, {"cells": []}]
OTHER += [{**NOTEBOOK, "metadata": []}, {**NOTEBOOK, "cells": [{"cell_type": "code", "source": 5}]}]


@pytest.mark.parametrize("text", [DEEP, "{", *map(json.dumps, OTHER)], ids=range(2 + len(OTHER)))
def test_a_notebook_of_another_form_is_kept_and_never_copied(tmp_path, text):
    mine = folder(tmp_path / "mine", **{"a.ipynb": text})
    course = folder(tmp_path / "course", **{"a.ipynb": json.dumps(NOTEBOOK)})
    assert len(own_copies(mine, course)) == 1
    assert (mine / "a.ipynb").read_text() == text
    with pytest.raises(SettingsError, match=r"a\.ipynb"):
        own_copies(tmp_path / "new", mine)
