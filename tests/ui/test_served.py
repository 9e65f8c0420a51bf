"""The real command, `panel serve protoviz/app.py`, over a demo on disk."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from browsing import free_port
from page_bench import write_demo

APP = Path(__file__).resolve().parents[2] / "protoviz" / "app.py"


@pytest.fixture
def served(tmp_path):
    write_demo(tmp_path / "demo")
    port, log = free_port(), tmp_path / "log"
    command = [
        sys.executable,
        "-m",
        "panel",
        "serve",
        str(APP),
        "--address",
        "127.0.0.1",
        "--port",
        str(port),
        "--warm",
    ]
    with log.open("w") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, "PROTOVIZ_DATA": str(tmp_path)}
        )
    until = time.monotonic() + 120
    while "running at" not in log.read_text() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/app", log
    process.terminate()
    process.wait(timeout=30)


def test_panel_serves_the_demo(served, open_page):
    address, log = served
    opened = open_page(address)
    opened.page.get_by_text("mini-random").first.wait_for()
    assert opened.tell("model('cells').data.prototype.length") == 5
    assert "Traceback" not in log.read_text()
