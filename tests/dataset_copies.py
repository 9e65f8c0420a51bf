"""Small copies of the published data sets, laid out as their publishers do, for the tests that load them.

Each maker is called as its data set, writes below `root` and returns it. A clip's sound is one tone a label,
so that even an untrained encoder tells the labels apart. In every copy, where the layout allows it, one
listed file is missing, one is no sound and one is too short: their ids hold MISSING, BROKEN and SHORT, and
nothing else about them is odd.
"""

import csv
import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from protoviz.datasets import DATASETS

RATE = 16_000
SEGMENTS = (
    "# Segments csv created Sun Mar  5 10:54:31 2017\n"
    "# num_ytids=22160, num_segs=22160, num_unique_labels=527, num_positive_labels=52882\n"
    "# YTID, start_seconds, end_seconds, positive_labels\n"
)
BIRDS = ("amepip", "foxspa", "whcspa")  # of BirdSet HSN


def tones(labels: Iterable[str], known: Sequence[str], seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """(s,) a quiet noise and one steady tone for each label, by its place among the known ones."""
    time = np.arange(round(seconds * rate)) / rate
    sound = np.random.default_rng(len(time)).normal(size=len(time)) * 0.01
    for label in labels:
        sound += 0.2 * np.sin(2 * np.pi * 250.0 * 2 ** (0.6 * list(known).index(label)) * time)
    return sound


def write(path: Path, labels: Iterable[str], known: Sequence[str], seconds: float = 1.0, rate: int = RATE):
    """The sound of those labels as a file of the kind that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    memory = io.BytesIO()  # soundfile waits for the disk after every file
    soundfile.write(memory, tones(labels, known, seconds, rate), rate, format=path.suffix[1:].upper())
    path.write_bytes(memory.getvalue())


def broken(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF and then no sound at all")


def odd(folder: Path, known: Sequence[str], suffix: str = ".wav", names=("BROKEN", "SHORT")) -> None:
    """The two files that a loader has to refuse; MISSING is not written."""
    broken(folder / f"{names[0]}{suffix}")
    write(folder / f"{names[1]}{suffix}", known[:1], known, 0.05)


def mixtures(known: Sequence[str], count: int) -> list[list[str]]:
    """`count` lists of one or two labels, every label in many of them."""
    size = len(known)
    pairs = [[known[i % size], known[(i + 1 + i // size % (size - 1)) % size]] for i in range(count)]
    return [sorted(pair if i % 2 else pair[:1]) for i, pair in enumerate(pairs)]


def as20k(root: Path) -> Path:
    """AudioSet: three lists as published; clips named as four downloaders do. An id may begin with a dash."""
    names = {
        "/m/09x0r": "Speech",
        "/m/068hy": "Domestic animals, pets",
        "/m/020bb7": "Bird vocalization, bird call, bird song",
        "/t/dd00125": "Inside, small room",
    }
    with (_made(root) / "class_labels_indices.csv").open("w", encoding="utf-8") as file:
        file.write("index,mid,display_name\n")
        for index, mid in reversed(list(enumerate(names))):  # order is the index's, not the line's
            file.write(f'{index},{mid},"{names[mid]}"\n')
    shapes = ("{}.wav", "Y{}.wav", "{}_30.000.flac", "{}_30000_40000.wav")
    for split, count in (("balanced_train", 16), ("eval", 8)):
        lines = [SEGMENTS]
        for number, mids in enumerate(mixtures(list(names), count)):
            name = f"-{split[:5]:_<5}{number:05d}"
            folder = root / f"{split}_segments"
            write(folder / shapes[number % 4].format(name), mids, list(names))
            lines.append(f'{name}, 30.000, 40.000, "{",".join(mids)}"\n')
        odd_names = [f"{name}{split[0]}".ljust(11, "-") for name in ("MISSING", "BROKEN", "SHORT")]
        lines += [f'{name}, 0.000, 10.000, "/m/09x0r"\n' for name in odd_names]
        lines.append(f'STRANGE---{split[0]}, 0.000, 10.000, "/m/09x0r,/m/unheard"\n')
        (root / f"{split}_segments.csv").write_text("".join(lines), encoding="utf-8")
        odd(root / f"{split}_segments", list(names), names=odd_names[1:])
    return root


def fsd50k(root: Path) -> Path:
    """FSD50K: vocabulary without a header, dev with train and val, eval; licences in the metadata."""
    known = ["Accelerating_and_revving_and_vroom", "Bird", "Dog"]
    truth = _made(root / "FSD50K.ground_truth")
    mids = {label: f"/m/0{number}" for number, label in enumerate(known)}
    (truth / "vocabulary.csv").write_text(
        "".join(f"{number},{label},{mids[label]}\n" for number, label in enumerate(known))
    )
    _made(root / "FSD50K.metadata")
    for part, count in (("dev", 15), ("eval", 6)):
        rows, licences = [], {}
        for number, labels in enumerate(mixtures(known, count)):
            name = str(64760 + number)
            write(root / f"FSD50K.{part}_audio" / f"{name}.wav", labels, known, 1.0, 44_100)
            split = ["val" if number % 5 == 4 else "train"] if part == "dev" else []
            rows.append([name, ",".join(labels), ",".join(mids[label] for label in labels), *split])
            address = "http://creativecommons.org/publicdomain/zero/1.0/"
            licences[name] = {"title": 'wróbel, 麻雀 "x"', "license": address, "uploader": "ö"}
        ending = ["train"] if part == "dev" else []
        rows += [[name, "Dog", mids["Dog"], *ending] for name in ("MISSING", "BROKEN", "SHORT")]
        rows.append(["STRANGE", "Dog,Unicorn", "/m/0,/m/1", *ending])
        odd(root / f"FSD50K.{part}_audio", known)
        header = ["fname", "labels", "mids", *(["split"] if part == "dev" else [])]
        _csv(truth / f"{part}.csv", [header, *rows])
        path = root / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json"
        path.write_text(json.dumps(licences, ensure_ascii=False), encoding="utf-8")
    return root


def desed(root: Path) -> Path:
    """DESED as DCASE's archives unpack: recorded parts in the root, synthetic ones in dcase_synth."""
    known = ["Cat", "Dog", "Speech"]
    strong = (
        ("dcase_synth", "train/synthetic21_train/soundscapes", 8),
        ("", "validation/validation", 6),
        ("", "eval/public", 8),
    )
    for base, part, count in strong:
        table = root / base / "metadata" / f"{part}.tsv"
        table = table.parents[1] / "validation/validation.tsv" if part == "validation/validation" else table
        rows = [["filename", "onset", "offset", "event_label"]]
        for number, labels in enumerate(mixtures(known, count)):
            name = f"Y-é{number}_30.000_40.000.wav"
            write(root / base / "audio" / part / name, labels, known)
            rows += [[name, 0.1 * place, 0.5 + place / 4, label] for place, label in enumerate(labels)]
        rows.append(["quiet.wav", "", "", ""])
        write(root / base / "audio" / part / "quiet.wav", [], known)
        rows += [[f"{name}.wav", 0, 1, "Dog"] for name in ("MISSING", "BROKEN", "SHORT")]
        odd(root / base / "audio" / part, known)
        _csv(table, rows, "\t")
    rows = [["filename", "event_labels"]]
    for number, labels in enumerate(mixtures(known, 6)):
        write(root / "audio/train/weak" / f"w {number}.wav", labels, known)
        rows.append([f"w {number}.wav", ",".join(labels)])
    _csv(root / "metadata/train/weak.tsv", rows, "\t")
    return root


def spass(root: Path) -> Path:
    """SPASS: five tables of events and five folders, one of them named with underscores."""
    known = ["Vwater", "airborne", "bird", "talk"]
    for place, scene in enumerate(("Market", "Park", "Square", "Street", "Waterfront"), 1):
        folder = root / (f"{scene} audio files" if place > 1 else f"{scene}_audio_files")
        rows = [["audio_filename", "class", "color"]]
        for number, labels in enumerate(mixtures(known, 10)):
            name = f"{scene.lower()}_{number:04d}.wav"
            write(folder / name, labels, known)
            rows += [[name, label, "a, b"] for label in [*labels, labels[0]]]
        if place == 1:
            rows += [[f"{name}.wav", "bird", ""] for name in ("MISSING", "BROKEN", "SHORT")]
            odd(folder, known)
        _csv(root / f"{place}_MatrixLabels{scene}.csv", rows)
    return root


def urban(root: Path, jams: bool = False) -> Path:
    """URBAN-SED: one annotation a soundscape, tab-separated or JAMS; the latter holds the background too."""
    known = ["car_horn", "dog_bark", "siren"]
    for split, count in (("train", 12), ("validate", 6), ("test", 6)):
        for number, labels in enumerate([*mixtures(known, count), ["siren"], ["siren"], ["siren"]]):
            name = f"soundscape_{split}_bimodal{number}"
            name = name if number < count else ("MISSING", "BROKEN", "SHORT")[number - count]
            events = [(0.25 * place, 0.5, label) for place, label in enumerate(labels)]
            _annotation(root / "annotations" / split / name, events[::-1], jams)
            if number < count:
                write(root / "audio" / split / f"{name}.wav", labels, known, 1.0, 44_100)
        odd(root / "audio" / split, known)
        write(root / "audio" / split / "unannotated.wav", ["siren"], known)
    return root


def dcase2016_task2(root: Path) -> Path:
    """DCASE 2016 task 2: mixtures of several windows with their annotations, as its two archives unpack."""
    known = ["cough", "keys", "speech"]
    archives = ("dcase2016_task2_train_dev/dcase2016_task2_dev", "dcase2016_task2_test_public")
    for folder, start, count in zip(archives, ("dev", "test"), (8, 4), strict=True):
        for number, labels in enumerate([*mixtures(known, count), ["keys"], ["keys"], ["keys"]]):
            name = f"{start}_{number}_ebr_-6_nec_1_poly_0"
            name = name if number < count else ("MISSING", "BROKEN", "SHORT")[number - count]
            # The first event lies across the border of two windows of a second.
            events = [(0.25 + 0.5 * place, 1.0, label) for place, label in enumerate(labels)]
            if number < count:
                write(root / folder / "sound" / f"{name}.wav", labels, known, 2.0, 44_100)
            _annotation(root / folder / "annotation" / name, events, jams=False)
        odd(root / folder / "sound", known)
        write(root / folder / "sound" / "unannotated.wav", ["keys"], known)
    return root


def _annotation(path: Path, events: list, jams: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not jams:
        lines = [f"{onset}\t{onset + length}\t{label}\n" for onset, length, label in events]
        path.with_suffix(".txt").write_text("".join(lines))
        return
    seen = [
        {
            "time": onset,
            "duration": length,
            "value": {"label": label, "role": "foreground", "event_duration": 9.0},
            "confidence": 1.0,
        }
        for onset, length, label in events
    ]
    noise = {
        "time": 0.0,
        "duration": 10.0,
        "value": {"label": "noise", "role": "background"},
        "confidence": 1.0,
    }
    annotation = {"namespace": "scaper", "data": [noise, *seen]}
    path.with_suffix(".jams").write_text(json.dumps({"annotations": [annotation], "file_metadata": {}}))


def birdset(root: Path, site: str = "HSN") -> Path:
    """One site of BirdSet's branch `data`: two tables, archives of Ogg files (shorter than 5 s here)."""
    folder = _made(root / site)
    train, sounds = [], {}
    for place, bird in enumerate(BIRDS):
        for number in range(5):
            name, other = f"XC{place}{number}.ogg", [BIRDS[(place + 1) % 3]] if number == 4 else []
            sounds[name] = _ogg((bird, *other), 2.9 + 0.1 * number)
            events = [[0.2, 0.9], [1.5, 2.4], [1.6, 1.9], [2.5, 2.9]]
            clusters = [0, 0, 0, -1] if number % 2 else [0, 1, 1, -1]
            train.append(_recording(f"{site}/{name}", bird, [bird, *other], other, events, clusters))
    sounds["XC-BROKEN.ogg"] = b"OggS and then nothing"
    train += [
        _recording(f"{site}/XC-{odd}.ogg", BIRDS[0], [BIRDS[0]], [], [], []) for odd in ("BROKEN", "MISSING")
    ]
    _shard(folder / f"{site}_train_shard_0001.tar.gz", dict(list(sounds.items())[:8]))
    _shard(folder / f"{site}_train_shard_0002.tar.gz", dict(list(sounds.items())[8:]))
    pd.DataFrame(train).to_parquet(folder / f"{site}_metadata_train.parquet")
    test, sounds = {}, {}
    for number, labels in enumerate([*mixtures(BIRDS, 7), []]):
        name = f"{site}_001_20150708_061805_{5 * number:03d}_{5 * number + 5:03d}.ogg"
        sounds[name], test[name] = _ogg(tuple(labels), 2.0), labels
    sounds["SHORT.ogg"] = _ogg(BIRDS[:1], 0.05)
    test |= {"SHORT.ogg": [BIRDS[0]], "MISSING.ogg": [BIRDS[0]]}
    _shard(folder / f"{site}_test5s_shard_0001.tar.gz", sounds)
    table = pd.DataFrame(
        {"ebird_code_multilabel": list(test.values())}, index=pd.Index(test, name="filepath")
    )
    table.to_parquet(folder / f"{site}_metadata_test_5s.parquet")
    return root


def _recording(path: str, bird: str, labels: list, secondary: list, events: list, clusters: list) -> dict:
    """A row of the training table, with the columns that the loading script of the hub knows."""
    return {
        "filepath": path, "ebird_code": bird, "ebird_code_multilabel": labels,
        "ebird_code_secondary": secondary, "detected_events": events, "event_cluster": clusters,
        "length": 5, "license": "//creativecommons.org/licenses/by-nc-sa/4.0/", "recordist": "Zoë",
        "quality": "A", "lat": 38.5, "long": -119.9,
    }  # fmt: skip


@cache  # seven sites have the same sounds here
def _ogg(labels: tuple[str, ...], seconds: float) -> bytes:
    memory = io.BytesIO()
    soundfile.write(memory, tones(labels, BIRDS, seconds, 32_000), 32_000, format="OGG", subtype="VORBIS")
    return memory.getvalue()


def _shard(path: Path, sounds: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, sound in sounds.items():
            member = tarfile.TarInfo(f"../{path.name}/{name}")  # a path that has to be ignored
            member.size = len(sound)
            archive.addfile(member, io.BytesIO(sound))


def esc50(root: Path) -> Path:
    """ESC-50: one table, one folder; two takes of one source are in one fold."""
    known = ["cat", "dog", "rain"]
    rows = [["filename", "fold", "target", "category", "esc10", "src_file", "take"]]
    for fold in range(1, 6):
        for target, label in enumerate(known):
            for take in "AB":
                source = 100_000 + 10 * fold + target
                name = f"{fold}-{source}-{take}-{target}.wav"
                write(root / "audio" / name, [label], known, 1.0, 44_100)
                rows.append([name, fold, target, label, target == 1, source, take])
    rows += [[f"{name}.wav", 1, 0, "cat", False, 1, "A"] for name in ("MISSING", "BROKEN", "SHORT")]
    odd(root / "audio", known)
    _csv(root / "meta" / "esc50.csv", rows)
    return root


def sc2(root: Path) -> Path:
    """Speech Commands v2: a folder a word, two lists, noise to cut silence from."""
    words = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "bed", "marvin"]
    lists = {"validation_list.txt": [], "testing_list.txt": []}
    for word in words:
        for number in range(6):
            name = f"{word}/{number:08x}_nohash_{number % 2}.wav"
            write(root / name, [word], words)
            if number in (2, 4):
                lists["validation_list.txt" if number == 2 else "testing_list.txt"].append(name)
    lists["validation_list.txt"] += ["yes/MISSING.wav"]
    odd(root / "yes", words)
    for number, name in enumerate(("doing_the_dishes.wav", "white_noise.wav")):
        write(_made(root / "_background_noise_") / name, [], words, 10.5 + number)
    (root / "_background_noise_" / "README.md").write_text("not a sound")
    for name, listed in lists.items():
        (root / name).write_text("\n".join(listed) + "\n")
    return root


def folder(root: Path) -> Path:
    """A folder of one's own: a folder a label, one of them not ASCII."""
    known = ["Wróbel, domowy", "dog", "rain"]
    for label in known:
        for number in range(10):
            write(root / label / f"{label[:2]} {number}.flac", [label], known)
    odd(root / "dog", known)
    (root / "notes.csv").write_text("who,when\nme,today\n")
    return root


def hub(root: Path, groups: int = 4) -> Path:
    """A snapshot in the hub's own form: Parquet files named by split, names of the labels in the schema."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    known = ["car_horn", "dog_bark", "siren"]
    feature = {"feature": {"names": known, "_type": "ClassLabel"}, "_type": "Sequence"}
    info = {"info": {"features": {"audio": {"_type": "Audio"}, "labels": feature}}}
    for split, count in (("train", 9), ("validation", 3), ("test", 3)):
        rows = []
        for labels in mixtures(known, count):
            memory = io.BytesIO()
            soundfile.write(memory, tones(labels, known), RATE, format="WAV")
            audio = {"bytes": memory.getvalue(), "path": "x.wav"}
            rows.append({"audio": audio, "labels": [known.index(label) for label in labels]})
        table = arrow.Table.from_pylist(rows).replace_schema_metadata({"huggingface": json.dumps(info)})
        path = _made(root / "data") / f"{split}-00000-of-00001.parquet"
        parquet.write_table(table, path, row_group_size=groups)
    return root


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _csv(path: Path, rows: list, delimiter: str = ",") -> None:
    with (_made(path.parent) / path.name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


hsn = birdset  # the other sites are laid out alike
named = {name: name.replace("-", "_") for name in DATASETS}
MAKERS = {name: globals()[own] for name, own in named.items() if own in globals()}
