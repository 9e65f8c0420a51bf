"""What type checkers say of the lines that README shows, and of two mistakes in such lines."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHECKERS = {
    "mypy": ("mypy", "--strict", "--no-error-summary"),
    "pyright": ("basedpyright", "--level", "error"),
}
MISTAKES = {
    "protoviz.make_scene(seed=7).wavefrom": "wavefrom",
    'protoviz.FitConfig(epochs="thirty")': "epochs",
    'protoviz.fit(probe, 3, 4, progress="yes")': "progress",
    "protoviz.load_encodr": "load_encodr",
}

pytestmark = pytest.mark.types


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """checker, lines -> status and what is said; one folder for all, so that torch's types are read once."""
    folder = tmp_path_factory.mktemp("types")
    return lambda checker, text: _check(checker, text, folder)


def _check(checker: str, text: str, folder: Path) -> tuple[int, str]:
    module, *options = CHECKERS[checker]
    (folder / "lines.py").write_text(text, encoding="utf-8")
    where = ["--python-executable" if checker == "mypy" else "--pythonpath", sys.executable]
    done = subprocess.run(
        [sys.executable, "-m", module, *options, *where, "lines.py"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("checker", CHECKERS)
def test_readmes_lines_are_of_the_right_types(checker, check):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        status, said = check(checker, "# pyright: strict\n" + block)
        assert status == 0, said


@pytest.mark.parametrize("checker", CHECKERS)
def test_every_public_name_has_a_known_type(checker, check):
    import protoviz

    text = "import protoviz\n" + "".join(f"reveal_type(protoviz.{name})\n" for name in protoviz.__all__)
    status, said = check(checker, text)
    assert status == 0, said
    assert not re.search(r'(type is|of "\S+" is) "(Any|Unknown)"', said), said


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_named(checker, line, check):
    given = 'import protoviz\nprobe = protoviz.build_probe("linear", 192, 24)\n'
    status, said = check(checker, given + line + "\n")
    assert status != 0
    assert MISTAKES[line] in said
