"""The command line: every command explains itself by example, and an error is one line with its cure."""

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from protoviz.cli import app

COMMANDS = sorted(get_command(app).commands)


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example_of_that_command(command):
    done = run(command, "--help")
    assert done.exit_code == 0
    assert f"protoviz {command}" in done.output
    assert "Example" in done.output


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_parses(command):
    """The example's options exist: asking for the help of the example line finds no usage error."""
    example = get_command(app).commands[command].epilog.split("`")[1].split()[2:]
    done = run(command, *example, "--help")
    assert done.exit_code == 0, done.output


def test_an_unknown_encoder_is_one_line_that_lists_the_known(tmp_path):
    done = run("encode", "mini-nothing", str(tmp_path / "tokens"))
    assert done.exit_code == 1
    assert "mini-mae" in done.output
    assert "Traceback" not in done.output


def test_a_table_that_was_not_made_names_the_command_that_makes_it(tmp_path):
    done = run("table", "--folder", str(tmp_path))
    assert done.exit_code == 1
    assert "protoviz demo" in done.output


def test_encode_writes_a_cache_and_says_what_it_skipped(tmp_path):
    (tmp_path / "clips" / "beep").mkdir(parents=True)
    (tmp_path / "clips" / "beep" / "broken.wav").write_bytes(b"no sound")
    import soundfile

    soundfile.write(tmp_path / "clips" / "beep" / "good.wav", [0.1, -0.1] * 8000, 16_000)
    done = run("encode", "mini-random", str(tmp_path / "tokens"), "--clips", str(tmp_path / "clips"))
    assert done.exit_code == 0, done.output
    assert "1 token maps" in done.output
    assert "1 clips skipped" in done.output
    assert "broken.wav" in done.output
