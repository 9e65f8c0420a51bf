"""Pages served by this process, and the command `protoviz serve` as a process of its own."""

import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPSConnection

import panel as pn
import waiting

from benchmarks.browser import free_port


@contextmanager
def shown(page: Callable[[], object], **options) -> Iterator[str]:
    """Serve what `page` makes for each session from a thread of this process; gives the address."""
    port = free_port()
    place = {"port": port, "address": "127.0.0.1", "websocket_origin": f"127.0.0.1:{port}"}
    thread = pn.serve({"/app": page}, threaded=True, show=False, **place, **options)
    waiting.until(lambda: answers(port))
    yield f"http://127.0.0.1:{port}/app"
    with suppress(RuntimeError):  # its loop has ended before it
        thread.stop()


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


class Served:
    """`protoviz serve` over the demo in a folder, running once this is made."""

    def __init__(self, folder, *options: str, port: int | None = None, **environment: str):
        self.port, self.log = port or free_port(), folder / f"log-{time.monotonic_ns()}"
        self.url = f"http://127.0.0.1:{self.port}/app"
        command = [sys.executable, "-m", "protoviz", "serve", "--no-show", "--port", str(self.port), *options]
        environment = {**os.environ, "PROTOVIZ_DATA": str(folder), "PYTHONUNBUFFERED": "1", **environment}
        with self.log.open("w") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        waiting.until(lambda: "password" in self.log.read_text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def get(port: int, path: str, secure: ssl.SSLContext | None = None, body: str | None = None, **headers: str):
    """(status, headers, text) of one answer; where it sends one on is not followed."""
    room = {"timeout": waiting.PATIENCE}
    to = "127.0.0.1", port
    one = HTTPSConnection(*to, context=secure, **room) if secure else HTTPConnection(*to, **room)
    one.request("POST" if body else "GET", path, body=body, headers=headers)
    answer = one.getresponse()
    found = answer.status, answer.headers, answer.read().decode(errors="replace")
    one.close()
    return found
