"""The ways to install (pip, conda, pinned) name the same packages, and README's commands exist."""

import json
import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from benchmarks.wheel import lines
from protoviz.experiments.grid import read_grid

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {
    "pytorch": "torch",
    "pysoundfile": "soundfile",
    "soxr-python": "soxr",
    "huggingface_hub": "huggingface-hub",
}
COMMANDS = ("notebooks", "benchmark", "slurm", "hub")  # extras that a command asks for
CARD = {"jupyterlab", "torch", "panel", "holoviews", "bokeh", "pandas", "umap-learn"}


def _bounds(lines: list[str]) -> dict[str, str]:
    parsed = [Requirement(re.sub(r"\s+(?=[<>=])", "", line)) for line in lines]
    return {CONDA_NAMES.get(r.name.lower(), r.name.lower()): str(r.specifier) for r in parsed}


def _environment() -> tuple[dict, list[str], list[str]]:
    parsed = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [entry for entry in parsed["dependencies"] if isinstance(entry, str)]
    pip = next(entry["pip"] for entry in parsed["dependencies"] if isinstance(entry, dict))
    return parsed, conda, pip


def test_conda_file_has_the_shape_conda_reads():
    parsed, conda, pip = _environment()
    assert parsed["name"] == "protoviz"
    assert parsed["channels"] == ["conda-forge"]
    assert "pip" in conda, "conda warns when pip packages are listed without pip itself"
    assert "-e ." in pip


def test_conda_and_pyproject_ask_for_the_same_packages():
    _, conda, pip = _environment()
    here = _bounds([line for line in conda if line != "pip"] + [line for line in pip if line != "-e ."])
    extras = (line for extra in COMMANDS for line in PROJECT["optional-dependencies"][extra])
    there = _bounds([*PROJECT["dependencies"], *extras])
    python = here.pop("python")
    assert SpecifierSet(python) == SpecifierSet(PROJECT["requires-python"])
    assert here == there
    assert set(here) >= CARD


def test_pins_satisfy_the_bounds_and_cover_every_direct_dependency():
    pins = {
        line.split("==")[0].lower(): Version(line.split("==")[1])
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    extras = PROJECT["optional-dependencies"].values()
    wanted = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    for line in wanted:
        requirement = Requirement(line)
        assert requirement.name in pins, f"{requirement.name} has no pin: run `make lock`"
        assert pins[requirement.name] in requirement.specifier, f"{line} excludes its own pin"


def test_pins_hold_no_path_and_no_build_suffix():
    text = (ROOT / "constraints.txt").read_text()
    assert "+" not in text
    assert "/" not in text.split("\n", 2)[2]


def test_readme_names_only_make_targets_that_exist_and_ci_runs_its_test_command():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert {"app", "test"} <= named
    assert named <= targets
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_container_binder_and_colab_run_what_readme_shows():
    def plain(command: str) -> str:
        """The same without where it is run."""
        options = r"^uv (?=pip)| (--system|--quiet|--torch-backend cpu|-c constraints.txt)|(?<= )dist/"
        return re.sub(options, "", command.strip())

    shown = {plain(line.text) for line in lines((ROOT / "README.md").read_text(encoding="utf-8"))}
    cells = json.loads((ROOT / "docs" / "colab.ipynb").read_text(encoding="utf-8"))["cells"]
    colab = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    files = [(ROOT / name).read_text(encoding="utf-8") for name in ("Dockerfile", "binder/postBuild")]
    told = re.findall(r"^(?:RUN |!|%)?((?:uv|pip|protoviz) .*)", "\n".join([*files, *colab]), re.MULTILINE)
    commands = {plain(line) for line in told if "--no-cache-dir uv" not in line}
    assert len(commands) >= 4
    assert commands <= shown
    assert colab[1].strip() in shown, "the lines of Python"


def test_readmes_python_runs_and_the_grid_of_the_page_on_studies_is_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, grid = (
        re.search(rf"```{kind}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)[1]
        for page, kind in (("README.md", "python"), ("docs/studies.md", "toml"))
    )
    names = {}
    exec(code, names)
    classes, logits = names["probe"].metadata["classes"], names["explanation"].logits[0]
    heard = {classes[c] for c in logits.argsort(descending=True)[:4]}
    assert heard == {event.label for event in names["scene"].events}, "what README calls heard most"
    (tmp_path / "mine.toml").write_text(grid, encoding="utf-8")
    read = read_grid(tmp_path / "mine.toml")
    assert [entry.name for entry in read.encoders] == ["mine", "eat"]
    assert read.slurm["cores"] == 8
