"""A token cache whose files change: what is read is what was written, or an error of the cache's own."""

import json
import os
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cache_fakes import FakeEncoder, FakeReader, fake_clips
from test_cli import run

from protoviz.cache import (
    CacheError,
    CacheInUseError,
    DamagedCacheError,
    TokenCache,
    cache_files,
    check_cache,
    repair_cache,
)
from protoviz.cache.lock import writer_lock
from protoviz.datasets import ClipSet

WRITTEN = Path(__file__).parent / "written" / "cache"  # by protoviz 0.1.0, before there were sums of rows
BROKEN = {"fakes-0002": ValueError("cut short")}
pytestmark = pytest.mark.filterwarnings("ignore:.*clips were skipped")


def make(folder: Path, encoder=None, clips=None, **options) -> TokenCache:
    layout = {"shard_clips": 8, "batch": 4, "progress": False} | options
    return TokenCache.create(folder, encoder or FakeEncoder(), clips or fake_clips(broken=BROKEN), **layout)


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def seen(cache: TokenCache) -> list:
    """All that a reader gets of a cache."""
    return [
        *(part.numpy().tobytes() for part in cache.read(range(len(cache)))),
        cache.table.to_json(),
        cache.skipped.to_json(),
        (cache.classes, cache.grid, cache.dim, cache.fingerprint, cache.again, cache.made_by),
    ]


def change(path: Path, place: int, by: int = 1) -> None:
    """Change one byte."""
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= by
    path.write_bytes(data)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return make(tmp_path_factory.mktemp("whole") / "cache").folder


@pytest.fixture
def copy(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "cache"))


def test_the_files_of_a_cache_are_named(whole):
    assert sorted(tree(whole)) == sorted(cache_files(3))
    assert check_cache(whole).foreign == ()


@pytest.mark.parametrize("name", cache_files(3))
def test_any_changed_byte_is_an_error_and_mended_to_the_same_bytes(copy, whole, name):
    wanted, right, rng = seen(TokenCache.open(whole)), tree(whole), random.Random(name)
    size = (copy / name).stat().st_size
    for place in {0, size - 1, *(rng.randrange(size) for _ in range(10))}:
        change(copy / name, place, rng.randrange(1, 256))
        if name == "meta.copy.json":  # nobody reads it while meta.json fits
            assert seen(TokenCache.open(copy)) == wanted
        else:
            with pytest.raises(DamagedCacheError, match=f"{Path(name).name}.*protoviz cache repair"):
                seen(TokenCache.open(copy))
        assert name in check_cache(copy).damaged
        make(copy)
        assert tree(copy) == right


@pytest.mark.parametrize("harm", ["gone", "empty", "cut", "longer", "other"])
@pytest.mark.parametrize("name", cache_files(3))
def test_a_file_that_is_not_the_one_that_was_written_is_mended(copy, whole, name, harm):
    path = copy / name
    data = path.read_bytes()
    harmed = {"empty": b"", "cut": data[:-7], "longer": data + b"\0", "other": b"[" * len(data)}
    path.unlink() if harm == "gone" else path.write_bytes(harmed[harm])
    assert set(check_cache(copy).damaged) == {name}
    if name != "meta.copy.json":
        with pytest.raises(DamagedCacheError, match=Path(name).name):
            seen(TokenCache.open(copy))
    make(copy)
    assert tree(copy) == tree(whole)


def test_only_what_is_damaged_is_encoded_again(copy):
    read = []

    class Listed(FakeReader):
        def read(self, row):
            read.append(row["clip"])
            return super().read(row)

    change(copy / "shards/00001.npy", 300)
    change(copy / "meta.json", 300)
    make(copy, clips=fake_clips(broken=BROKEN, reader=Listed))
    assert read == [f"fakes-{n:04d}" for n in range(8, 16)]


def test_rows_are_checked_one_by_one(copy):
    """The sound rows of a damaged shard are given; a row that was sound is checked again once it changes."""
    cache = TokenCache.open(copy)
    wanted = cache.read(range(19)).tokens
    long_ago = time.time() - 3600
    os.utime(copy / "shards/00001.npy", (long_ago, long_ago))
    assert np.array_equal(cache.read(range(7, 15)).tokens, wanted[7:15])
    change(copy / "shards/00001.npy", -1)
    os.utime(copy / "shards/00001.npy", (long_ago, long_ago))
    for reader in (cache, TokenCache.open(copy)):
        assert np.array_equal(
            reader.read([*range(14), *range(15, 19)]).tokens, wanted[[*range(14), *range(15, 19)]]
        )
        with pytest.raises(DamagedCacheError, match=r"00001.npy does not match its checksum in row 7"):
            reader.read(14)


def test_values_that_cannot_be_are_refused_in_a_meta_without_a_checksum(tmp_path):
    meta = json.loads((WRITTEN / "meta.json").read_text())
    shard = meta["shards"][0]
    layout, others = meta["layout"], meta["shards"][1:]
    strange = [
        *({"grid": value} for value in ("4x2", [4], [4.0, 2], [5, 2], [-4, -2])),
        *({"classes": value} for value in (None, ["bell", 3, "rain"])),
        *({"complete": value} for value in ("yes", 1)),
        *({"shards": value} for value in ([], {}, others)),
        *({"shards": [shard | odd, *others]} for odd in ({"clips": -1}, {"skipped": [["a"]]}, {"sha256": 3})),
        *({"layout": layout | odd} for odd in ({"dtype": "int8"}, {"size": 3}, {"shard_clips": 0})),
        *(
            {name: value}
            for name, value in {"dim": True, "files": {}, "layout": {}, "clips": "fakes"}.items()
        ),
        *({name: value} for name, value in {"encoder": [], "format": "1"}.items()),
    ]
    shutil.copytree(WRITTEN, tmp_path / "cache")
    for value in strange:
        (tmp_path / "cache" / "meta.json").write_text(json.dumps(meta | value))
        for use in (
            TokenCache.open,
            make,
            check_cache,
            lambda folder: TokenCache.open(folder, FakeEncoder()),
        ):
            if use is check_cache:
                assert "meta.json" in use(tmp_path / "cache").damaged, value
                continue
            with pytest.raises(CacheError, match=r"meta.json|cache format"):
                use(tmp_path / "cache")
    for name in meta:
        (tmp_path / "cache" / "meta.json").write_text(
            json.dumps({k: v for k, v in meta.items() if k != name})
        )
        if name not in ("layers", "cls_kind", "seconds", "sample_rate", "made_with"):
            with pytest.raises(DamagedCacheError):
                TokenCache.open(tmp_path / "cache")


# Of an earlier protoviz


@pytest.mark.parametrize("classes", [["bell"], ["bell", "dog", "rain", "cat"], ["bell", "dog", "pain"]])
def test_classes_that_are_not_those_of_the_labels_are_found_and_mended(tmp_path, classes):
    folder = Path(shutil.copytree(WRITTEN, tmp_path / "cache"))
    text = (folder / "meta.json").read_text()
    (folder / "meta.json").write_text(json.dumps(json.loads(text) | {"classes": classes}))
    assert set(check_cache(folder).damaged) == set(repair_cache(folder).damaged) == {"meta.json"}
    assert make(folder).classes == ("bell", "dog", "rain")
    assert check_cache(folder).damaged == {}


def test_a_cache_of_an_earlier_protoviz_is_read_as_it_was_written(tmp_path):
    early = TokenCache.open(WRITTEN, FakeEncoder(), fake_clips(), verify=True)
    cache = make(tmp_path / "now")
    for stored, wanted in zip(early.read(range(19)), cache.read(range(19)), strict=True):
        np.testing.assert_allclose(stored, wanted, rtol=1e-3, atol=1e-6)  # another machine's last bit
    assert early.skipped.to_numpy().tolist() == [["fakes-0002", "unreadable", "ValueError: cut short"]]
    assert (early.table["clip"].tolist(), early.classes) == (cache.table["clip"].tolist(), cache.classes)
    report = check_cache(WRITTEN)
    assert (report.early, report.damaged, len(report.sound)) == (True, {}, 3)


@pytest.mark.parametrize("mend", [repair_cache, make])
def test_sums_are_added_to_a_cache_of_an_earlier_protoviz(tmp_path, mend):
    folder = Path(shutil.copytree(WRITTEN, tmp_path / "cache"))
    before = seen(TokenCache.open(folder))
    mend(folder)
    report = check_cache(folder)
    assert (report.early, report.damaged) == (False, {})
    assert seen(TokenCache.open(folder)) == before
    change(folder / "shards/00000.npy", 200)
    with pytest.raises(DamagedCacheError, match="row 0"):
        TokenCache.open(folder).read(0)


def test_sums_are_not_added_to_what_is_damaged(tmp_path):
    folder = Path(shutil.copytree(WRITTEN, tmp_path / "cache"))
    change(folder / "shards/00002.npy", 300)
    assert set(repair_cache(folder).damaged) == {"shards/00002.npy"}
    make(folder)
    assert set(check_cache(folder).damaged) == set()
    found, written = (TokenCache.open(place).read(18).cls for place in (folder, WRITTEN))
    np.testing.assert_allclose(found, written, rtol=1e-5)  # written on another processor


# Repair without and with what made it


def test_what_takes_no_encoder_is_mended_without_one(copy, whole):
    for name in ("meta.json", "targets.npy"):
        change(copy / name, 200)
    report = repair_cache(copy)
    assert report.damaged == {}
    assert tree(copy) == tree(whole)


def test_without_meta_and_copy_all_is_set_aside_and_begun_anew(copy, whole):
    for name in ("meta.json", "meta.copy.json"):
        change(copy / name, 200)
    shards = {name: data for name, data in tree(copy).items() if name.startswith("shards")}
    (copy / "notes.txt").write_text("mine")
    (copy / "index.parquet.part").write_bytes(b"of a writer that was killed")
    with pytest.raises(DamagedCacheError, match="protoviz cache repair"):
        make(copy)
    for _ in range(2):  # a second time after the same mishap
        assert repair_cache(copy).meta is None
        assert (copy / "notes.txt").exists()
        (copy / "meta.json").write_text("{")
    (copy / "meta.json").unlink()
    aside = tree(copy / "damaged")
    assert {name.removeprefix("1/"): aside[name] for name in aside if "shards" in name} == shards
    (copy / "notes.txt").unlink()
    make(copy)
    assert {name: data for name, data in tree(copy).items() if "damaged" not in name} == tree(whole)


def unfinished(folder: Path, seed: int = 0) -> Path:
    """The folder of a cache whose first shard is whole: the run ended with a fault of code."""
    with pytest.raises(TypeError):
        make(folder, clips=fake_clips(seed=seed, broken={"fakes-0017": TypeError("no code")}))
    return folder


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("other", ["of another cache", "of another place"])
def test_a_shard_that_is_whole_but_another_is_not_taken_for_its_own(tmp_path, finished, other):
    good = seen(make(tmp_path / "good", clips=fake_clips()))
    folder = unfinished(tmp_path / "cache")
    source = unfinished(tmp_path / "source", seed=other == "of another cache") / "shards"
    place = 0 if other == "of another cache" else 1
    if finished:
        make(folder, clips=fake_clips())
    for kind in ("npy", "json"):  # with the note that it is whole
        shutil.copy(source / f"00000.{kind}", folder / "shards" / f"0000{place}.{kind}")
    assert place not in check_cache(folder).sound
    assert seen(make(folder, clips=fake_clips())) == good


@pytest.mark.parametrize("moved", [("meta.json",), ("meta.json", "index.parquet"), ("meta.copy.json",)])
def test_the_meta_of_another_cache_costs_nothing(tmp_path, moved):
    good = seen(make(tmp_path / "cache", clips=fake_clips()))
    make(tmp_path / "other", clips=fake_clips(seed=1))
    for name in moved:
        shutil.copy(tmp_path / "other" / name, tmp_path / "cache" / name)
    assert moved[0] in check_cache(tmp_path / "cache").damaged
    repair_cache(tmp_path / "cache")
    assert seen(make(tmp_path / "cache", clips=fake_clips())) == good


def test_what_is_set_aside_finds_a_free_place(copy):
    (copy / "damaged" / "2").mkdir(parents=True)
    for name in ("meta.json", "meta.copy.json"):
        (copy / name).write_text("{")
    repair_cache(copy)
    assert (copy / "damaged" / "1" / "meta.json").exists()


def test_nothing_is_repaired_while_somebody_writes(copy):
    change(copy / "meta.json", 100)
    before = tree(copy)
    with writer_lock(copy), pytest.raises(CacheInUseError, match="process"):
        repair_cache(copy)
    assert tree(copy) == before


def test_a_folder_without_a_cache_is_left_alone(tmp_path):
    for use in (check_cache, repair_cache):
        with pytest.raises(CacheError, match="no token cache"):
            use(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_commands_check_and_repair_what_encode_wrote(tmp_path):
    folder = str(tmp_path / "tokens")
    few = ["--train", "2", "--validation", "1", "--test", "1"]
    assert run("encode", "scenes", "mini-random", folder, *few).exit_code == 0
    before = tree(tmp_path / "tokens")
    assert run("cache", "check", folder).exit_code == 0
    for name in ("shards/00000.npy", "index.parquet", "meta.json"):
        change(tmp_path / "tokens" / name, 999)
    checked = run("cache", "check", folder)
    assert checked.exit_code == 1
    assert all(name in checked.output for name in ("00000.npy", "index.parquet", "meta.json"))
    repaired = run("cache", "repair", folder)
    assert repaired.exit_code == 0, repaired.output
    assert tree(tmp_path / "tokens") == before
    assert run("cache", "check", str(tmp_path)).exit_code == 1


def test_a_cache_that_lacks_only_its_index_is_finished_by_the_command(tmp_path, monkeypatch):
    few = ["--train", "2", "--validation", "1", "--test", "1"]
    command = ["encode", "scenes", "mini-random", str(tmp_path / "tokens"), *few]
    with monkeypatch.context() as patch:
        patch.setattr(ClipSet, "targets", lambda *_: 1 / 0)
        assert run(*command).exit_code == 1
    report = check_cache(tmp_path / "tokens")
    assert (report.whole, report.damaged, report.missing) == (False, {}, ())
    done = run("cache", "repair", str(tmp_path / "tokens"))
    assert done.exit_code == 0, done.output
    assert check_cache(tmp_path / "tokens").whole


def test_repair_says_what_is_lost_and_the_call_where_it_cannot_open_what_made_it(copy):
    change(copy / "shards/00001.npy", 300)
    done = run("cache", "repair", str(copy))
    assert done.exit_code == 1
    told = " ".join(done.output.split())
    assert "fakes-0008 to fakes-0015" in told
    assert f"TokenCache.create({str(copy)!r}, encoder, clips" in told.replace("' ", "'")
    assert "Traceback" not in told


def test_repair_runs_no_code_that_a_folder_names(tmp_path):
    recipe = {
        "encoder": {"use": "cache_fakes:FakeEncoder", "options": {}},
        "dataset": {"use": "os:abort", "options": {}},
    }
    make(tmp_path / "cache", recipe=recipe)
    change(tmp_path / "cache/shards/00001.npy", 300)
    done = run("cache", "repair", str(tmp_path / "cache"))
    assert done.exit_code == 1
    assert "no encoder of protoviz" in done.output


# What was skipped


def skipping(good: int, silent: int, cut: int, folder: Path) -> list[str]:
    """Arguments of `encode` for a folder of files: good, not encodable, no sound at all."""
    import soundfile

    (folder / "clips" / "beep").mkdir(parents=True)
    for n in range(good + silent):
        sound = np.full(4000, np.nan, np.float32) if n >= good else np.full(4000, 0.1, np.float32)
        soundfile.write(folder / "clips" / "beep" / f"{n}.wav", sound, 16_000, subtype="FLOAT")
    for n in range(cut):
        (folder / "clips" / "beep" / f"cut{n}.wav").write_bytes(b"no sound")
    return ["encode", "folder", "mini-random", str(folder / "tokens"), "--root", str(folder / "clips")]


def test_every_skipped_clip_is_listed_and_a_large_share_ends_with_1(tmp_path):
    command = skipping(2, 1, 2, tmp_path)
    done = run(*command, "--skipped", str(tmp_path / "skipped.csv"))
    assert done.exit_code == 1, done.output
    assert "3 clips skipped" in done.output
    assert "3 of 5 clips are skipped" in done.output
    skipped = TokenCache.open(tmp_path / "tokens").skipped
    assert sorted(skipped["clip"]) == ["beep/2.wav", "beep/cut0.wav", "beep/cut1.wav"]
    assert skipped["reason"].str.len().gt(0).all()
    assert pd.read_csv(tmp_path / "skipped.csv").to_numpy().tolist() == skipped.to_numpy().tolist()
    for share, code in (("0.59", 1), ("0.6", 0), ("1", 0), ("0", 1)):
        assert run(*command, "--most-skipped", share).exit_code == code
