"""One Chromium and one server for all browser tests; pages are watched for errors and foreign requests."""

import os
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from browsing import PATIENCE, Opened, Server, refuse_others
from page_bench import small_bench
from serving import shown

from benchmarks.browser import HELP, IDLE, chromium, chromium_path
from protoviz.explorer.frame import Frame
from protoviz.explorer.session import ExplorerState

# A page's sockets, so that a test can close one as a network does.
SOCKETS = """window.sockets = []
window.WebSocket = class extends WebSocket {
  constructor(...given) { super(...given); sockets.push(this) }
}"""


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/ui/" in item.path.as_posix():
            item.add_marker(pytest.mark.ui)


_running = ExitStack()  # the browser


@pytest.hookimpl(trylast=True)  # what the test opened is closed first
def pytest_runtest_teardown(item, nextitem):
    """Playwright's loop runs in the main thread as long as the browser does, and no other may start there."""
    if nextitem is None or "tests/ui/" not in nextitem.path.as_posix():
        _running.close()


@pytest.fixture(scope="session")
def browser():
    path = chromium_path()
    if path is None:
        reason = "needs a browser: install chromium, or name one in PROTOVIZ_CHROMIUM"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return _running.enter_context(chromium(path))


@pytest.fixture(scope="session")
def server():
    running = Server("", small_bench())

    def one_page():
        running.frames.append(Frame(ExplorerState(running.bench)))
        return running.frames[-1].page

    with shown(one_page) as running.address:
        yield running


@pytest.fixture
def open_page(browser, server):
    """A function (address or query, width=1600, height=1000) -> Opened; errors and foreign requests fail.

    wishes: what the system asks of pages, as playwright names it (color_scheme="dark").
    """
    contexts, opened = [], []

    def open_one(address: str | None = None, width: int = 1600, height: int = 1000, **wishes: str) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": height}, **wishes)
        contexts.append(context)
        errors, foreign = [], []
        here = ("127.0.0.1", "localhost", None)
        refuse_others(context, lambda url: urlsplit(url).hostname in here, foreign)
        context.add_init_script(SOCKETS)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        at = f"{server.address}{address or ''}" if (address or "?").startswith("?") else address
        page.goto(at)
        page.wait_for_function(IDLE, timeout=PATIENCE)
        page.wait_for_selector(".bk-Figure", timeout=PATIENCE)
        page.evaluate(HELP)
        one = Opened(page, server.frames[-1] if at.startswith(server.address) else None, errors, foreign)
        one.settle()
        opened.append(one)
        return one

    yield open_one
    for context in contexts:
        context.close()
    assert not [error for one in opened for error in one.errors]
    assert not [url for one in opened for url in one.foreign]
