"""`protoviz serve --num-procs 2`: pages, scripts, sockets and logins, whichever process they come to."""

import os
import re
import shutil
import ssl
import subprocess
import sys
from urllib.parse import urlencode, urlsplit

import psutil
import pytest
import waiting
from bokeh.client import pull_session
from bokeh.util.token import get_session_id
from serving import Served, get

from benchmarks.browser import APP, server
from protoviz.explorer import frame  # the models that pages are made of
from protoviz.explorer.limits import Limits

TWO = ("--num-procs", "2")
ROOM = 4  # pages


@pytest.fixture(scope="module")
def served(demo_folder):
    running = Served(demo_folder, *TWO, PROTOVIZ_SESSIONS=str(ROOM))
    yield running
    children = workers(running)
    running.end()
    assert not [child for child in psutil.wait_procs(children, timeout=waiting.PATIENCE)[1]]


def workers(running: Served) -> list[psutil.Process]:
    """The processes that hold sessions: those that listen."""
    children = psutil.Process(running.process.pid).children(recursive=True)
    return [child for child in children if any(c.status == "LISTEN" for c in child.net_connections())]


def visit(port: int):
    """Open a page as a browser does, by a request and then a socket; gives its text and its session."""
    status, _, page = get(port, "/app")
    assert status == 200
    session = get_session_id(re.search(r'"token":"([^"]+)"', page)[1])
    return page, pull_session(session_id=session, url=f"http://127.0.0.1:{port}/app")


def test_a_page_is_one_session_and_every_process_has_its_scripts(served):
    """All processes have room for PROTOVIZ_SESSIONS together; a socket's second session would take some."""
    pages, sessions = zip(*(visit(served.port) for _ in range(ROOM + 1)), strict=True)
    full = [frame.FULL[-40:] in str(session.document.to_json()) for session in sessions]
    assert full == [False] * ROOM + [True]
    for session in sessions:
        session.close()
    named = {place for page in pages for place in re.findall(r'(?:src|href)="([^"]+)"', page)}
    assert len(named) > 5
    assert not [place for place in named if "//" in place]
    for place in named - {""}:
        assert {get(served.port, f"/{place.removeprefix('./')}")[0] for _ in range(2)} == {200}, place


def test_a_process_that_is_killed_is_replaced(served):
    before = workers(served)
    assert len(before) == 2
    before[0].kill()
    waiting.until(lambda: len(now := workers(served)) == 2 and before[0] not in now)
    assert {get(served.port, "/app")[0] for _ in range(4)} == {200}
    assert "another takes its place" in served.log.read_text()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("needs openssl, to make a certificate")
    place = tmp_path_factory.mktemp("certificate")
    files = [str(place / name) for name in ("cert.pem", "key.pem")]
    command = [
        program,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-days",
        "2",
    ]
    subprocess.run([*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


def test_a_login_holds_at_every_process_over_https_and_killed_none_is_left(demo_folder, certificate):
    options = (*TWO, "--ssl-certfile", certificate[0], "--ssl-keyfile", certificate[1])
    running = Served(demo_folder, *options, PROTOVIZ_PASSWORD="open sesame")
    assert f"https://127.0.0.1:{running.port}" in running.log.read_text()
    secure = ssl.create_default_context(cafile=certificate[0])
    secure.check_hostname = False
    assert get(running.port, "/app", secure)[0] == 302
    words = urlencode({"username": "one", "password": "open sesame"})
    status, told, _ = get(
        running.port, "/login", secure, words, **{"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert status == 302
    cookies = "; ".join(cookie.split(";")[0] for cookie in told.get_all("Set-Cookie"))
    assert {get(running.port, "/app", secure, Cookie=cookies)[0] for _ in range(4)} == {200}
    children = workers(running)
    assert len(children) == 2
    running.process.kill()
    running.process.wait()
    assert not psutil.wait_procs(children, timeout=waiting.PATIENCE)[1]


def test_panel_serve_refuses_several_processes(demo_folder):
    """It hands a page, its scripts and its socket to any process, and nothing of ours could mend that."""
    log = demo_folder / "panel"
    with server(log, *TWO, PROTOVIZ_DATA=str(demo_folder)) as (address, process):
        children = psutil.Process(process).children()
        for _ in range(2):
            status, _, page = get(urlsplit(address).port, "/app")
            assert status == 200
            assert "protoviz serve --num-procs" in page
            assert "<script" not in page
        assert "protoviz serve --num-procs" in log.read_text()
        for child in children:  # Panel's own outlive it
            child.terminate()


VARIABLES = ["PROTOVIZ_SESSIONS", "PROTOVIZ_UPLOAD_MB", "PROTOVIZ_SECONDS"]


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("value", ["0", "-1", "ten", "1.5", "1e3", "²", "5 MB"])
def test_a_limit_is_a_whole_number_above_0(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=f"{variable} is '{value}'"):
        Limits.of_environment()


def test_what_is_unset_or_empty_has_its_usual_limit(monkeypatch):
    for variable, value in zip(VARIABLES, ["", " ", "7"], strict=True):
        monkeypatch.setenv(variable, value)
    assert Limits.of_environment() == Limits(seconds=7)


@pytest.mark.parametrize(
    "program", [["protoviz", "serve", "--no-show"], ["panel", "serve", str(APP), "--warm"]]
)
def test_wrong_limits_are_refused_at_the_start(demo_folder, program):
    end = subprocess.run(
        [sys.executable, "-m", *program],
        env={**os.environ, "PROTOVIZ_SECONDS": "ten"},
        capture_output=True,
        text=True,
        timeout=waiting.PATIENCE,
    )
    assert end.returncode
    assert "PROTOVIZ_SECONDS is 'ten'" in end.stderr
    assert "Traceback" not in end.stderr
