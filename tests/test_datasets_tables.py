"""Tables of labels in whatever form people write them, and which sound file a row of one means."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import dataset_copies as copies
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from protoviz.audio import nfc
from protoviz.cli import app
from protoviz.datasets import LayoutError, folder_table, load_dataset
from protoviz.datasets.folder.columns import COLUMNS
from protoviz.explorer.recordings import list_recordings

COLUMNS_PAGE = Path(__file__).resolve().parents[1] / "docs" / "own_data.md"
SOUNDS = ("a.wav", "b c.wav", "1.wav", "Ż.wav", "x/a.wav", "x/d.wav")
WORDS = st.text(
    st.characters(exclude_categories=["C", "Z", "M"], exclude_characters="\"'\\,;|[](){}#"),
    min_size=1,
    max_size=6,
).map(nfc)
LABELS = st.one_of(
    st.sampled_from(["dog", "NA", "None", "null", "nan", "1", "007", "true", "train", "Käuzchen"]), WORDS
)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A function: a new folder with the files of SOUNDS, and what else is given as text or bytes by name."""
    kept = tmp_path_factory.mktemp("sounds")
    copies.write(kept / "one.wav", [], ["dog"], 0.3)

    def made(names=SOUNDS, **_):
        root = tmp_path_factory.mktemp("set")
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(kept / "one.wav", root / name)
        return root

    return made


def told(root, **options):
    """Clip -> labels, and the skipped clips by kind, of the data set `folder`."""
    clips = load_dataset("folder", root, validation=0, test=0, **options)
    return (
        dict(zip(clips.table["clip"], clips.table["labels"], strict=True)),
        {kind: sorted(rows["clip"]) for kind, rows in clips.skipped.groupby("kind")},
    )


def write(path, rows, separator=",", encoding="utf-8", before="", end="\n"):
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator=end).writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((before + out.getvalue()).encode(encoding))


def one_row(labels, draw):
    mark = draw(st.sampled_from([",", ";", "|", ", ", "list", "json"]))
    rows = [["x"] * 2]
    for name, held in labels.items():
        cell = {"list": str(held), "json": json.dumps(held)}.get(mark) or mark.join(held)
        rows.append([name, cell if held else "[]"])
    rows[0] = [draw(st.sampled_from(["file", "File Name", "fname", "path"])),
               draw(st.sampled_from(["labels", "Tags", "classes"]))]  # fmt: skip
    return rows


def long_form(labels, draw):
    rows = [[name, label] for name, held in labels.items() for label in held or ["[]"]]
    column = draw(st.sampled_from(["label", "Class", "category", "species"]))
    return [["filename", column], *draw(st.permutations(rows))]


def one_hot(labels, draw):
    classes = sorted({label for held in labels.values() for label in held})
    yes, no = draw(st.sampled_from([("1", "0"), ("1.0", "0.0"), ("True", "False"), ("yes", "no")]))
    return [
        ["file", *classes],
        *([name, *(yes if c in held else no for c in classes)] for name, held in labels.items()),
    ]


@given(st.data())
def test_a_clip_table_is_the_same_in_every_form(sounds, data):
    names = data.draw(st.lists(st.sampled_from(SOUNDS), min_size=2, unique=True))
    labels = {name: sorted(data.draw(st.sets(LABELS, max_size=3))) for name in names}
    root = sounds()
    if data.draw(st.booleans()):
        lines = [json.dumps({"file_name": name, "labels": held}) for name, held in labels.items()]
        (root / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    else:
        form = data.draw(st.sampled_from([one_row, long_form, one_hot]))
        if form is one_hot and (
            not any(labels.values()) or {one for held in labels.values() for one in held} & reserved()
        ):
            form = long_form
        rows = form(labels, data.draw)
        separator = data.draw(st.sampled_from([",", ";", "\t"]))
        before = data.draw(st.sampled_from(["", "# made by hand, twice\n", f"sep={separator}\n", "\n"]))
        encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]))
        end = data.draw(st.sampled_from(["\n", "\r\n"]))
        write(
            root / data.draw(st.sampled_from(["labels.csv", "meta/all.tsv"])),
            rows,
            separator,
            encoding,
            before,
            end,
        )
    found, skipped = told(root)
    assert found == labels
    assert skipped == (
        {"not annotated": sorted(set(SOUNDS) - set(labels))} if len(labels) < len(SOUNDS) else {}
    )
    shutil.rmtree(root)


def reserved():
    return {name for names in COLUMNS.values() for name in names} | {"1", "007"}


FORMS = {
    "hub": ("metadata.csv", "file_name,label\na.wav,dog\nx/d.wav,cat\n",
            {"a.wav": ["dog"], "x/d.wav": ["cat"]}),
    "hub, nested": ("x/metadata.csv", "file_name,label\na.wav,dog\n", {"x/a.wav": ["dog"]}),
    "backslashes": ("t.csv", "file,label\n.\\x\\a.wav,dog\n", {"x/a.wav": ["dog"]}),
    "another machine": ("t.csv", "file,label\n/home/me/set/x/a.wav,dog\nC:\\s\\b c.wav,cat\n",
                        {"x/a.wav": ["dog"], "b c.wav": ["cat"]}),
    "no suffix": ("t.csv", "fname,labels\n1,\"Bark,Dog\"\n", {"1.wav": ["Bark", "Dog"]}),
    "capitals": ("t.csv", "file,label\nB C.WAV,dog\n", {"b c.wav": ["dog"]}),
    "accents": ("t.csv", "file,label\nZ\u0307.wav,Wro\u0301bel\n", {"Ż.wav": ["Wróbel"]}),
    "before conversion": ("t.csv", "file,label\nx/d.m4a,dog\n", {"x/d.wav": ["dog"]}),
    "comma in a label": ("t.csv", 'file,species\n1.wav,"Käuzchen, klein"\nb c.wav,rain\n',
                         {"1.wav": ["Käuzchen, klein"], "b c.wav": ["rain"]}),
    "comma between labels": ("t.csv", 'file,label\n1.wav,"dog, rain"\nb c.wav,rain\n',
                             {"1.wav": ["dog", "rain"], "b c.wav": ["rain"]}),
    "commas that nobody quoted": ("t.csv", "file,labels\n1.wav,dog,rain\n", {"1.wav": ["dog", "rain"]}),
    "two columns": ("t.csv", "file,label1,label2\n1.wav,dog,rain\nb c.wav,dog,\n",
                    {"1.wav": ["dog", "rain"], "b c.wav": ["dog"]}),
    "Kaggle": ("t.csv", "primary_label,secondary_labels,type,latitude,scientific_name,filename\n"
               "owl,\"['jay', 'rook']\",['call'],1.5,Strix,x/a.wav\nowl,[],['song'],,Strix,1.wav\n",
               {"x/a.wav": ["jay", "owl", "rook"], "1.wav": ["owl"]}),
    "ESC-50": ("meta/m.csv", "filename,fold,target,category,esc10,src_file,take\n"
               "1.wav,1,0,train,True,100032,A\n",
               {"1.wav": ["train"]}),
    "UrbanSound8K": ("t.csv", "slice_file_name,fsID,start,end,salience,fold,classID,class\n"
                     "1.wav,10,58.5,62.5,1,5,3,dog_bark\n", {"1.wav": ["dog_bark"]}),
    "columns of 0 and 1": ("t.csv", "Datei,fold,rain,dog\n1.wav,1,1,0\nx/a.wav,2,0,0\n",
                           {"1.wav": ["rain"], "x/a.wav": []}),
    "numbers of rows": ("t.csv", "Unnamed: 0,file,rain,\n0,1.wav,1,0\n1,x/a.wav,0,1\n",
                        {"1.wav": ["rain"], "x/a.wav": []}),
    "marks": ("t.csv", "file;rain;dog\n1.wav;x;\nx/a.wav;;x\n", {"1.wav": ["rain"], "x/a.wav": ["dog"]}),
    "numbers": ("t.csv", "file,label\n1.wav,1\nx/a.wav,2\n", {"1.wav": ["1"], "x/a.wav": ["2"]}),
    "no header": ("t.txt", "1.wav\tdog\nx/a.wav\train\n", {"1.wav": ["dog"], "x/a.wav": ["rain"]}),
    "object": ("labels.json", '{"1.wav": "dog", "x/a.wav": ["dog", "rain"]}',
               {"1.wav": ["dog"], "x/a.wav": ["dog", "rain"]}),
    "header in a comment": ("t.csv", "# file, label\n1.wav,dog\n", {"1.wav": ["dog"]}),
    "names that begin with #": ("t.csv", "file,label\n1.wav,dog\n#x/a.wav,dog\n# so far, so good\n",
                                {"1.wav": ["dog"]}),
    "columns by their words": ("t.csv", "audioFile,bird_species,snr_db\n1.wav,jay,3\nx/a.wav,owl,-2\n",
                               {"1.wav": ["jay"], "x/a.wav": ["owl"]}),
    "nothing but types": ("t.csv", "file,type\n1.wav,song\nx/a.wav,call\n",
                          {"1.wav": ["song"], "x/a.wav": ["call"]}),
    "files by their cells": ("t.csv", "Datei,y\nx/d,0\nb c,1\n", {"x/d.wav": ["0"], "b c.wav": ["1"]}),
    "no header, label first": ("t.csv", "dog,1.wav,train\nrain,x/a.wav,test\n",
                               {"1.wav": ["dog"], "x/a.wav": ["rain"]}),
    "no header, several labels": ("t.csv", "1.wav,dog;rain\nx/a.wav,dog\n",
                                  {"1.wav": ["dog", "rain"], "x/a.wav": ["dog"]}),
    "spaces": ("t.txt", "1.wav dog\nx/a.wav rain\n", {"1.wav": ["dog"], "x/a.wav": ["rain"]}),
    "class_0 and class_1": ("t.csv", "file,class_0,class_1\n1.wav,1,0\nx/a.wav,0,0\n",
                            {"1.wav": ["class_0"], "x/a.wav": []}),
    "numpy's lists": ("t.csv", "file,labels\n1.wav,[1 2]\nx/a.wav,set()\n",
                      {"1.wav": ["1", "2"], "x/a.wav": []}),
    "AudioSet": ("t.csv", '# YTID, start_seconds, end_seconds, positive_labels\n1, 30.0, 40.0, "/m/1,/m/2"\n',
                 {"1.wav": ["/m/1", "/m/2"]}),
    "an answer": ("t.json", '{"n": "1", "recordings": [{"id": "1", "en": "Jay", "also": ["Owl", ""]}]}',
                  {"1.wav": ["Jay", "Owl"]}),
    "objects of events": ("metadata.jsonl", '{"file_name": "1.wav", "events": [{"onset": 0, "offset": 0.1, '
                          '"label": "dog"}]}\n{"file_name": "x/a.wav", "events": []}\n',
                          {"1.wav": ["dog"], "x/a.wav": []}),
    "numbers of JSON": ("metadata.jsonl", '{"file_name": "1.wav", "label": 1}', {"1.wav": ["1"]}),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_tables_as_people_write_them(sounds, form):
    name, text, wanted = FORMS[form]
    root = sounds()
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")
    assert told(root)[0] == wanted
    assert dict(zip(*(folder_table(root)[c] for c in ("clip", "labels")), strict=True)) == wanted


def test_what_a_table_leaves_open_is_listed(sounds):
    root = sounds(["a.wav", "b.wav", "x/c.wav", "y/c.wav", "z/d.wav", "e.wav"])
    rows = [["file", "label"], ["a.wav", "dog"], ["a.wav", "dog"], ["b.wav", ""], ["c.wav", "rain"],
            ["lost.wav", "dog"], ["w/d.wav", "cat"], ["z/d.wav", "dog"]]  # fmt: skip
    write(root / "labels.csv", rows)
    (root / "licences.csv").write_text("file,license,author\na.wav,CC0,me\n")
    (root / "people.csv").write_text("who,when\nme,today\n")
    found, skipped = told(root)
    assert found == {"a.wav": ["dog"], "z/d.wav": ["dog"]}
    assert skipped == {
        "ambiguous": ["c.wav"],
        "missing": ["lost.wav", "w/d.wav"],
        "not annotated": ["e.wav", "x/c.wav", "y/c.wav"],
        "not labelled": ["b.wav"],
    }


REFUSED = {
    "unknown column": ("t.csv", "file,was_ist_es\na.wav,dog\n", r"t\.csv.*was_ist_es"),
    "text beside 0 and 1": ("t.csv", "file,art,rain\na.wav,dog,1\n", r"t\.csv.*art"),
    "soft labels": ("t.csv", "file,rain,dog\na.wav,0.3,0.7\n", r"t\.csv.*rain"),
    "no split": ("t.csv", "file,label,split\na.wav,dog,tren\n", r"t\.csv, line 2.*tren"),
    "open quote": ("t.csv", 'file,label\na.wav,"dog\n1.wav,rain\n', r"t\.csv, line 2"),
    "latin": ("t.csv", "file,label\na.wav,Käuzchen\n".encode("latin-1"), r"t\.csv.*UTF-8"),
    "own table": ("x/a.csv", "label\ndog\n", r"a\.csv.*sound file"),
    "own text": ("a.txt", "a dog, I think\n", r"a\.txt.*sound file"),
    "spreadsheet": ("t.xlsx", b"PK\3\4", r"t\.xlsx.*CSV"),
    "ends before": ("t.csv", "file,start,end,label\na.wav,0.2,0.1,dog\n", r"t\.csv, line 2"),
    "no number": ("t.csv", "file,start,end,label\na.wav,nan,0.1,dog\n", r"t\.csv, line 2"),
    "no end": ("t.csv", "file,start,species_seen\na.wav,0.2,dog\n", r"t\.csv.*(offset|end)"),
    "no rows": ("t.csv", "file,label\n", r"t\.csv.*rows"),
    "vectors": ("t.csv", 'file,labels\na.wav,"[1, 0, 1]"\n1.wav,"[0, 0, 1]"\n', r"t\.csv.*labels"),
    "not annotated": ("t.csv", "file,rain,dog\na.wav,-1,1\n1.wav,0,0\n", r"t\.csv.*rain"),
    "milliseconds": ("t.csv", "file,start_ms,end_ms,label\na.wav,10,20,dog\n", r"t\.csv.*start_ms"),
    "other files": ("t.csv", "recording,label\nq,dog\nr,dog\n", r"t\.csv"),
    "three columns": ("t.csv", "a.wav,dog,yes,3\n", r"t\.csv.*header"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_is_not_understood_is_refused_by_name(sounds, case):
    name, text, words = REFUSED[case]
    root = sounds()
    (root / "x" / "dog").mkdir()
    (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LayoutError, match=words):
        told(root)
    (root / "good.csv").write_text("file,label\na.wav,dog\n")
    assert told(root, tables="good.csv")[0] == {"a.wav": ["dog"]}


def test_numbers_are_named_by_the_list_of_classes(sounds):
    root = sounds()
    write(root / "t.csv", [["file", "target"], ["a.wav", "1"], ["1.wav", "0"]])
    write(
        root / "classes.csv", [["index", "mid", "display_name"], ["0", "/m/0", "dog"], ["1", "/m/1", "rain"]]
    )
    assert told(root)[0] == {"1.wav": ["dog"], "a.wav": ["rain"]}
    write(root / "classes.csv", [["id", "name"], ["0", "dog"]])  # not all of them
    assert told(root)[0] == {"1.wav": ["0"], "a.wav": ["1"]}


def test_tables_of_numbers_beside_one_of_labels_are_passed_over(sounds):
    root = sounds()
    write(root / "t.csv", [["file", "label"], ["a.wav", "dog"]])
    write(root / "features.csv", [["file", "mfcc", "annotator_id"], ["a.wav", "0.3", "1"]])
    write(root / "credits.csv", [["file", "author", "type"], ["a.wav", "me", "song"]])
    assert told(root)[0] == {"a.wav": ["dog"]}
    (root / "t.csv").unlink()
    with pytest.raises(LayoutError, match=r"features\.csv.*mfcc"):
        told(root)


def test_numbers_of_xeno_canto_find_its_files(sounds):
    root = sounds(["XC12 - Jay.wav", "XC120.wav", "XC1.wav"])
    write(root / "t.csv", [["id", "en", "q"], ["12", "Jay", "A"], ["120", "Owl", "A"]])
    assert told(root)[0] == {"XC12 - Jay.wav": ["Jay"], "XC120.wav": ["Owl"]}


def test_two_tables_agree_or_are_refused(sounds):
    root = sounds()
    write(root / "one.csv", [["file", "label"], ["a.wav", "dog"], ["1.wav", "rain"]])
    write(root / "two.csv", [["file", "labels"], ["a.wav", "dog"], ["x/d.wav", "cat"]])
    assert told(root)[0] == {"1.wav": ["rain"], "a.wav": ["dog"], "x/d.wav": ["cat"]}
    write(root / "two.csv", [["file", "labels"], ["a.wav", "dog;rain"]])
    with pytest.raises(LayoutError, match=r"a\.wav.*one\.csv.*two\.csv"):
        told(root)
    assert told(root, tables=["two.csv"])[0] == {"a.wav": ["dog", "rain"]}


@pytest.mark.parametrize("how", ["column", "folders", "tables", "lists"])
@pytest.mark.parametrize(
    ("val", "test"), [("val", "test"), ("Validation", "eval"), ("valid", "TEST"), ("dev", "evaluation")]
)
def test_splits_are_a_column_folders_or_tables(sounds, how, val, test):
    splits = {"train": "train", val: "validation", test: "test"}
    where = {word: f"{word}/{n}.wav" if how == "folders" else f"{n}.wav" for n, word in enumerate(splits)}
    if how == "lists":
        where = {word: f"dog/{n}.wav" for n, word in enumerate(splits)}
    root = sounds(where.values())
    if how == "column":
        write(root / "t.csv", [["file", "label", "Split"], *([where[word], "dog", word] for word in splits)])
    elif how == "folders":
        write(
            root / "t.csv",
            [["file", "onset", "offset", "label"], *([where[w], 0, 0.1, "dog"] for w in splits)],
        )
    for word in splits if how in ("tables", "lists") else ():
        write(
            root / f"{word}_list.csv",
            [["file", "label"], [where[word], "dog"]] if how == "tables" else [[where[word]]],
        )
    table = load_dataset("folder", root).table
    assert dict(zip(table["clip"], table["split"], strict=True)) == {where[w]: s for w, s in splits.items()}


def test_a_class_called_train_is_a_class(sounds):
    root = sounds(["train/a.wav", "dog/b.wav", "test/c.wav"])
    assert told(root)[0] == {"dog/b.wav": ["dog"], "test/c.wav": ["test"], "train/a.wav": ["train"]}
    write(root / "t.csv", [["file", "label"], ["a.wav", "train"], ["b.wav", "dog"], ["c.wav", "test"]])
    clips = load_dataset("folder", root, validation=0, test=0)
    assert set(clips.table["split"]) == {"train"}
    nested = sounds(["train/train/a.wav", "val/train/b.wav", "eval/dog/c.wav"])
    table = folder_table(nested)
    assert list(table["split"]) == ["train", "validation", "test"]
    assert list(table["labels"]) == [["train"], ["train"], ["dog"]]


def test_what_no_list_names_is_for_training(sounds):
    root = sounds(["data/train/dog/a.wav", "data/valid/dog/b.wav", "data/test/cat/c.wav"])
    assert list(folder_table(root)["split"]) == ["train", "validation", "test"]
    root = sounds(["dog/a.wav", "dog/b.wav", "cat/c.wav", "cat/d.wav"])
    (root / "validation_list.txt").write_text("dog/a.wav\n")
    (root / "testing_list.txt").write_text("cat/c.wav\n")
    table = load_dataset("folder", root).table
    assert dict(zip(table["clip"], table["split"], strict=True)) == {
        "cat/c.wav": "test", "cat/d.wav": "train", "dog/a.wav": "validation", "dog/b.wav": "train",
    }  # fmt: skip


def test_data_check_shows_what_was_understood(sounds):
    root = sounds()
    write(
        root / "t.csv", [["file", "Tags", "remark_of_mine"], ["a.wav", "dog;rain", "x"], ["1.wav", "[]", ""]]
    )
    write(root / "people.csv", [["who", "when"], ["me", "today"]])
    told = CliRunner().invoke(app, ["data", "check", "folder", "--root", str(root)])
    assert told.exit_code == 0, told.output
    for words in (
        "t.csv",
        "Tags",
        "remark_of_mine",
        "people.csv",
        "dog (1)",
        "rain (1)",
        "a.wav",
        "1.wav",
        "no class",
    ):
        assert words in told.output
    write(root / "u.csv", [["file", "label"], ["a.wav", "cat"]])
    assert CliRunner().invoke(app, ["data", "check", "folder", "--root", str(root)]).exit_code != 0
    told = CliRunner().invoke(app, ["data", "check", "folder", "--root", str(root), "--table", "u.csv"])
    assert "cat (1)" in told.output


def test_the_explorer_lists_by_table_and_from_every_split(sounds):
    names = [f"{split}/{n}.wav" for split in ("train", "val", "test") for n in range(5)]
    root = sounds(names)
    write(root / "t.csv", [["file", "labels"], *([name, "rain;Glass Break"] for name in names[:-1])])
    table = list_recordings(root, ("rain", "glass_break"))
    assert table.recording.str.split("/").str[0].value_counts().to_dict() == {"train": 2, "val": 1, "test": 1}
    assert set(table.labels) == {frozenset({"rain", "glass_break"})}
    assert table.known.all()
    assert not list_recordings(root, ("rain",)).known.any()
    found = list_recordings(sounds(["train/a.wav", "rain/b.wav"]), ("rain", "train"))
    assert set(found.label) == {"rain", "train"}


def test_the_docs_list_every_column_that_is_known():
    text = COLUMNS_PAGE.read_text("utf-8")
    for role, names in COLUMNS.items():
        if role not in ("not used", "selection"):
            line = next(line for line in text.splitlines() if line.startswith(f"| {role} |"))
            assert re.findall(r"`([^`]+)`", line) == list(names), role
