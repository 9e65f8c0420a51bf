"""Several processes behind one door: each page stays with the process that made its session.

Bokeh makes a session in the process that is asked for a page, and again where the page's socket comes to
another one: twice the work, an own file that is gone after a lost connection, and style sheets that Panel
then names at a foreign host. Here one process listens and hands each connection, byte by byte, to the process
that its session's name says; each process draws names that say so. What names no session (a new page, a
script) goes to the process that has least to do, once all of them have run the application.
"""

import asyncio
import multiprocessing
import secrets
import signal
import webbrowser
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Thread
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

from bokeh.util.token import get_session_id
from tornado.httputil import HTTPHeaders, HTTPInputError

from protoviz.explorer.door import HERE, Door, ServerError
from protoviz.explorer.limits import SEATS
from protoviz.processes import end_with_parent, without_script

BLOCK = 2**16  # bytes; no request's head is longer
HEAD_SECONDS = 60  # for a request's head; who sends nothing is dropped


def serve_many(door: Door, processes: int, show: bool = False) -> None:
    """Serve at this door by so many processes, until this one is ended; say so when every one answers.

    show: then open the browser. Raises ServerError where the port cannot be had, or a process ends before it
    answers.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(_Front(door, processes).serve(show))


def home(session: str, processes: int) -> int:
    """Return which of so many processes holds the session of this name."""
    return crc32(session.encode()) % processes


def named_session(head: bytes) -> str | None:
    """Return the session that a request's head asks for, None if it names none (or is no request)."""
    request, _, rest = head.decode("latin-1").partition("\r\n")
    try:
        asked = parse_qs(urlsplit(request.split(" ")[1]).query)
        headers = HTTPHeaders.parse(rest)
        if token := asked.get("bokeh-token"):
            return get_session_id(token[0])
        protocols = headers.get("Sec-WebSocket-Protocol", "").split(",")
        if len(protocols) == 2:
            return get_session_id(protocols[1].strip())
        return asked.get("bokeh-session-id", [headers.get("Bokeh-Session-Id")])[0]
    except (ValueError, LookupError, TypeError, HTTPInputError):  # who gets it says what is wrong
        return None


class _Front:
    """The process that listens, and what it knows of those behind it."""

    def __init__(self, door: Door, processes: int):
        self.door, self.processes = door, processes
        self.secret = secrets.token_hex(32)
        self.context = multiprocessing.get_context("spawn")
        self.open = self.context.RawArray("i", processes)  # pages at each: each writes its own number only
        self.live = [0] * processes  # connections with each
        self.ports: list[asyncio.Future[int]] = []
        self.failed: asyncio.Future[None]

    async def serve(self, show: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.failed = self.loop.create_future()
        door = self.door
        try:
            server = await asyncio.start_server(
                self._hand_on, door.address, door.port, ssl=door.context(), limit=BLOCK, start_serving=False
            )
        except OSError as error:
            raise door.taken(error) from error
        self.ports = [self.loop.create_future() for _ in range(self.processes)]
        for number in range(self.processes):
            self._start(number)
        answering = asyncio.gather(*self.ports)
        await asyncio.wait([answering, self.failed], return_when=asyncio.FIRST_COMPLETED)
        if not self.failed.done():
            await server.start_serving()
            print(f"{door.welcome()}\n{self.processes} processes", flush=True)
            if show:
                webbrowser.open(door.url)
        await self.failed

    # -- the processes

    def _start(self, number: int) -> None:
        self.open[number] = 0
        told, tell = self.context.Pipe(duplex=False)
        given = (self.door, self.secret, number, self.open, tell)
        process = self.context.Process(target=_serve_one, args=given, daemon=True)
        with without_script():
            process.start()
        tell.close()  # so that its end is that of the process
        Thread(target=self._follow, args=(number, process, told), daemon=True).start()

    def _follow(self, number: int, process, told: Connection) -> None:
        """In a thread: wait until the process answers, and until it ends."""
        with suppress(EOFError):
            self.loop.call_soon_threadsafe(self.ports[number].set_result, told.recv())
        process.join()
        with suppress(RuntimeError):  # this process ends too
            self.loop.call_soon_threadsafe(self._ended, number, process.exitcode)

    def _ended(self, number: int, code: int) -> None:
        if not self.ports[number].done():
            if self.failed.done():
                return
            reason = f"a process of the server ended as it began (code {code}); what is above says why"
            self.failed.set_exception(ServerError(reason))
            return
        print(f"a process of the server ended (code {code}); another takes its place", flush=True)
        self.ports[number] = self.loop.create_future()
        self._start(number)

    # -- the connections

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection. Of several requests in it the first decides: a socket has one of its own."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            try:
                async with asyncio.timeout(HEAD_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                number = self._number(named_session(head))
                self.live[number] += 1
                try:
                    there = await asyncio.open_connection(HERE[1], await asyncio.shield(self.ports[number]))
                    there[1].write(head)
                    await _both(_copy(reader, there[1]), _copy(there[0], writer))
                    there[1].close()
                finally:
                    self.live[number] -= 1
            finally:
                writer.close()

    def _number(self, session: str | None) -> int:
        """The process that has this session; else that with least to do, of those that answer."""
        if session is not None:
            return home(session, self.processes)
        everyone = range(self.processes)
        ready = [number for number in everyone if self.ports[number].done()]
        return min(ready or everyone, key=lambda number: self.open[number] + self.live[number])


async def _both(*ways) -> None:
    """Until one way ends; then the connection has ended."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while block := await source.read(BLOCK):
            target.write(block)
            await target.drain()


def _serve_one(door: Door, secret: str, number: int, counts, tell: Connection) -> None:
    """One of the processes: make names that lead to it, run the application once, say where, and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that listens
    end_with_parent()
    from protoviz.explorer.internals import name_sessions
    from protoviz.explorer.server import make_server

    name_sessions(lambda name: home(name, len(counts)) == number)
    SEATS.share(counts, number)
    server = make_server(door, secret)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Panel has set its own
    tell.send(server.port)
    tell.close()
    server.start()
    server.io_loop.start()
