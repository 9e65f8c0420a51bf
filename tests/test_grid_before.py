"""What can be known before the first hour of work is said before it; a grid's folder is a report's source."""

import pandas as pd
import pytest
from grid_fakes import GRID, write_grid
from typer.testing import CliRunner

from protoviz.cli import app
from protoviz.datasets import DATASETS, LayoutError, load_dataset
from protoviz.encoders import EncoderError
from protoviz.experiments.grid import GridError, read_grid
from protoviz.experiments.run import run_grid

BELLS = '[datasets.bells]\nuse = "grid_fakes:clips"'
CPU = 'device = "cpu"'


def few(options: str) -> str:
    return GRID.replace(BELLS, f'[datasets.bells]\nuse = "grid_fakes:few"\noptions = {{ {options} }}')


def probe(text: str) -> str:
    return GRID.replace("mlp = {}", text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *[(few(f'without = "{split}"'), ("bells", split)) for split in ("train", "validation", "test")],
        (few("classes = 1"), ("bells", "one class")),
        (probe('mhca = { hyper = { heads = 3 } }'), ("probes.mhca", "encoders.tiny", "3")),
        (probe('mlp = { hyper = { wide = 3 } }'), ("probes.mlp", "wide")),
        (GRID.replace(CPU, 'device = "cuda:77"'), ("cuda:77",)),
    ],
)  # fmt: skip
def test_what_no_run_could_do_is_refused_before_any_clip_is_encoded(text, words, tmp_path):
    path, folder = write_grid(tmp_path, text), tmp_path / "run"
    with pytest.raises((GridError, EncoderError)) as said:
        run_grid(read_grid(path), folder, progress=False)
    assert all(word in str(said.value) for word in words), said.value
    assert not list(folder.rglob("*.npy"))
    for more in ([], ["--dry-run"]):
        told = CliRunner().invoke(app, ["benchmark", str(path), "--folder", str(folder), *more])
        assert told.exit_code == 1
        assert all(word in told.output.replace("\n", " ") for word in words), told.output
    assert not list(folder.rglob("*.npy"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (BELLS, "[datasets.belfry]", ("belfry", "esc50")),
        (BELLS, '[datasets.bells]\nuse = "esc50"\noptions = { fold = 2 }', ("'fold'", "test_fold")),
        (BELLS, '[datasets.bells]\nuse = "hsn"\nk = 2', ("'k'", "shots")),
        (BELLS, f"{BELLS}\nhyper = {{ mpl = {{}} }}", ("'mpl'", "mlp")),
        ('tiny = { use = "grid_fakes:tiny" }', "mini-mea = {}", ("mini-mea", "mini-mae")),
        ('tiny = { use = "grid_fakes:tiny" }', "eat = { options = { second = 5 } }", ("'second'", "seconds")),
        ('tiny = { use = "grid_fakes:tiny" }', "mini-mae = { options = { seconds = 5 } }", ("seconds",)),
    ],
)
def test_a_name_that_nobody_knows_is_refused_with_those_that_are(old, new, words, tmp_path):
    assert old in GRID
    with pytest.raises(GridError) as said:
        read_grid(write_grid(tmp_path, GRID.replace(old, new)))
    assert all(word in str(said.value) for word in words), said.value


@pytest.mark.parametrize("name", list(DATASETS))
def test_every_option_of_every_data_set_reaches_it_and_no_other_does(name, tmp_path, monkeypatch):
    """Straight in the data set's table or in `options` there; by name in Python too."""
    for option in DATASETS[name].options:
        hint = str(DATASETS[name].types.get(option, int))  # written in TOML as:
        if "Config" in hint:
            continue  # an object, which no file can hold
        value = (
            ["a"] if "Sequence" in hint else [0.5, 0.5] if "tuple" in hint else "a" if "str" in hint else 1
        )
        told = [
            GRID.replace(BELLS, f'[datasets.bells]\nuse = "{name}"\n{line}')
            for line in (f'"{option}" = {value!r}', f'options = {{ "{option}" = {value!r} }}')
            if not (option in ("options", "use", "loss", "hyper") and line[0] == '"')
        ]
        for text in told:
            assert read_grid(write_grid(tmp_path, text)).datasets[0].options == {option: value}
    monkeypatch.delenv("PROTOVIZ_DATASETS", raising=False)
    with pytest.raises(ValueError, match=r"nonsense|no copy") as said:
        load_dataset(name, nonsense=1)
    assert isinstance(said.value, LayoutError) or DATASETS[name].options[0] in str(said.value)


def test_a_report_takes_the_folder_that_the_grid_was_given(tmp_path):
    text = GRID.replace('other = { use = "grid_fakes:other" }\n', "")
    run_grid(read_grid(write_grid(tmp_path, text)), tmp_path / "run", progress=False)
    out = tmp_path / "report"
    said = CliRunner().invoke(app, ["report", "--data", str(tmp_path / "run"), "--out", str(out)])
    assert said.exit_code == 0, said.output
    told = (out / "report.md").read_text()
    frame = pd.read_parquet(tmp_path / "run" / "results.parquet")
    assert "Own results, tiny" in told
    for _, cell in frame.groupby(["dataset", "method"]):
        assert f"{100 * cell.score.mean():.1f} ±" in told
    (tmp_path / "file").write_text("")
    refused = CliRunner().invoke(app, ["report", "--out", str(tmp_path / "file" / "below")])
    assert refused.exit_code == 1
    assert "--out" in refused.output


def test_a_check_of_no_table_is_no_check(tmp_path):
    (tmp_path / "README.md").write_text("# No table\n")
    for option in ("--check", "--write"):
        said = CliRunner().invoke(app, ["report", option, "--root", str(tmp_path)])
        assert said.exit_code == 1
        assert "README.md" in said.output


WRONG = {
    int: ['"3"', "2.5", "true", "[1]"],
    bool: ['"yes"', "1"],
    str: ["5", '["a"]'],
    list: ["5", "{}", '["a"]', "[2.5]", "[true]"],
    dict: ["5", '"a"', "[]"],
}
TYPED = {
    int: "epochs retries search.tpe search.seed datasets.scenes.train datasets.scenes.options.seed",
    bool: "probes.linear.hyper.batch_norm datasets.scenes.hyper.linear.batch_norm",
    str: "name dtype device datasets.scenes.use datasets.scenes.loss datasets.esc50.root encoders.e.use "
    "encoders.e.weights probes.p.use",
    list: "seeds search.rungs",
    dict: "search slurm datasets.scenes datasets.scenes.options datasets.scenes.hyper encoders.e "
    "datasets.scenes.hyper.linear encoders.eat.options probes.p probes.linear.hyper probes.linear.ranges",
}


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for kind, keys in TYPED.items() for key in keys.split() for value in WRONG[kind]],
)
def test_a_value_of_another_type_is_refused_with_its_place(key, value, tmp_path):
    rest = {"datasets": "scenes", "encoders": "mini-random", "probes": "linear"}
    lists = "".join(f'{kind} = ["{name}"]\n' for kind, name in rest.items() if not key.startswith(kind))
    (tmp_path / "typed.toml").write_text(f"{lists}{key} = {value}\n")
    with pytest.raises(GridError) as said:
        read_grid(tmp_path / "typed.toml")
    assert key.replace(".options.seed", ".seed") in str(said.value)


@pytest.mark.parametrize("text", [GRID.encode("utf-16"), b"\xff", None])
def test_what_is_no_text_is_refused_by_name(text, tmp_path):
    path = tmp_path / "odd.toml"
    path.write_bytes(text) if text else path.mkdir()
    with pytest.raises(GridError, match=r"odd\.toml"):
        read_grid(path)


def test_a_byte_order_mark_is_no_part_of_a_grid(tmp_path):
    plain = read_grid(write_grid(tmp_path, GRID))
    assert read_grid(write_grid(tmp_path, f"\ufeff{GRID}")) == plain
