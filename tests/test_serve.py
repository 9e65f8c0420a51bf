"""`protoviz serve` as a process: who may reach it, how it ends, what it asks for."""

import re
from urllib.parse import quote

import psutil
import pytest
from serving import Served, get
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.ioloop import IOLoop
from tornado.websocket import websocket_connect

from protoviz.explorer.door import Door, ServerError
from protoviz.explorer.server import say_reach

PASSWORD = "open sesame"


@pytest.fixture(scope="module")
def served(demo_folder):
    running = Served(demo_folder)
    yield running
    running.end()


OTHERS = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example.localhost",
    "127.0.0.2",
]


@pytest.mark.parametrize("host", OTHERS)
@pytest.mark.parametrize("path", ["/app", "/app/autoload.js", "/static/js/bokeh.min.js", "/nothing"])
def test_a_page_is_given_only_to_who_calls_it_by_its_name(served, host, path):
    for named in (host, f"{host}:{served.port}"):
        status, _, told = get(served.port, path, Host=named)
        assert status == 403
        assert "--host" in told


def test_a_socket_opens_only_for_pages_of_its_own(served):
    port = served.port
    token = re.search(r'"token":"([^"]+)"', get(port, "/app")[2])[1]

    def opens(host: str, origin: str) -> bool:
        async def connect():
            request = HTTPRequest(f"ws://127.0.0.1:{port}/app/ws", headers={"Host": host, "Origin": origin})
            return await websocket_connect(request, subprotocols=["bokeh", token])

        try:
            IOLoop(make_current=False).run_sync(connect).close()
        except HTTPClientError:
            return False
        return True

    for name in ("localhost", "127.0.0.1"):
        assert opens(f"{name}:{port}", f"http://{name}:{port}")
    for name in OTHERS:
        assert not opens(f"{name}:{port}", f"http://{name}:{port}")
        assert not opens(f"localhost:{port}", f"http://{name}:{port}")
    assert not opens(f"localhost:{port}", "null")


def test_no_other_host_may_frame_a_page(served):
    for path in ("/app", "/nothing"):
        told = get(served.port, path)[1]["Content-Security-Policy"].split()
        assert told[:2] == ["frame-ancestors", "'self'"]
        assert {re.sub(r"https?://|:\*", "", place) for place in told[2:]} == {"localhost", "127.0.0.1"}


def test_it_says_who_can_reach_it_and_listens_there_only(served):
    assert "this machine only" in served.log.read_text()
    assert f"127.0.0.1:{served.port}/app" in served.log.read_text()
    listening = [
        c.laddr.ip for c in psutil.Process(served.process.pid).net_connections() if c.status == "LISTEN"
    ]
    assert listening == ["127.0.0.1"]


def test_a_password_is_asked_for_without_a_foreign_request_and_killed_nobody_serves(demo_folder):
    running = Served(demo_folder, PROTOVIZ_PASSWORD=PASSWORD)
    try:
        assert "this machine only; a password" in running.log.read_text()
        assert PASSWORD not in " ".join(running.process.args)
        link = "/app?page=ranks&scene=61"
        status, told, _ = get(running.port, link)
        assert (status, told["Location"]) == (302, f"./login?next={quote(link, safe='')}")
        for page in (f"/login?next={quote(link, safe='')}", "/login?error=<b>no</b>", "/logout"):
            _, told, shown = get(running.port, page)
            assert not re.findall(r"(?:https?:)?//[a-z0-9]", re.sub(r"(?m)^\s*//.*", "", shown))
            assert "<b>no" not in shown
        assert "next_url" in get(running.port, f"/login?next={quote(link, safe='')}")[1]["Set-Cookie"]
        children = psutil.Process(running.process.pid).children(recursive=True)
    finally:
        running.process.kill()
        running.process.wait()
    psutil.wait_procs(children, timeout=5)
    with pytest.raises(OSError, match="refused"):
        get(running.port, "/app")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"address": "0.0.0.0"}, "--host"),
        ({"hosts": ("http://lab.example",)}, "lab.example"),
        ({"hosts": ("lab.example/app",)}, "lab.example"),
        ({"hosts": ("*",)}, "name"),
        ({"hosts": ("",)}, "name"),
    ],
)
def test_a_door_that_nobody_or_everybody_could_pass_is_refused(settings, named):
    with pytest.raises(ServerError, match=named):
        Door(**settings)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], ["all addresses", "no password"]),
        (["--address", "127.0.0.1"], ["127.0.0.1", "no password"]),
        (["--address=0.0.0.0", "--basic-auth=x"], ["0.0.0.0", "a password"]),
    ],
)
def test_under_panel_serve_the_app_says_where_it_listens(capsys, options, told):
    say_reach("/usr/bin/protoviz", "serve", *options)
    assert not capsys.readouterr().out
    for program in ("/usr/bin/panel", "/lib/panel/__main__.py"):
        say_reach(program, "serve", "app.py", *options)
        said = capsys.readouterr().out
        assert all(word in said for word in told)


@pytest.mark.parametrize("password", [" led", "trailed ", "\t", "two\nlines", "bell\a", __file__])
def test_a_password_that_nobody_could_enter_is_refused_at_the_start(password):
    with pytest.raises(ServerError, match="choose another"):
        Door(password=password)


def test_a_door_names_whom_it_opens_to():
    door = Door(port=5007, address="0.0.0.0", hosts=("Lab.example", "proxy.example:8443"), password="x")
    assert {"lab.example", "proxy.example"} < set(door.names)
    assert {"lab.example:5007", "lab.example:80", "proxy.example:8443"} < set(door.origins)
    assert "0.0.0.0" in door.reach()
    assert "no password" in Door().reach()
