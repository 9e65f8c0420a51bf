"""Students without a browser: each a page and its socket, with clicks as a browser was seen to send them.

A process of its own, as `python -m benchmarks.attendance ADDRESS STUDENTS SECONDS EVERY ROWS`: it says "here"
once every page is open, and at last what they met. It costs a machine little, so that a whole class fits
beside the server; what a browser draws is measured in a real one among them (see `students`).
"""

import asyncio
import json
import random
import re
import sys
import time
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import uuid4

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

PATIENCE = 600  # seconds for a page


class Seat:
    """One student's open page: `await Seat.taken(address)`."""

    def __init__(self, socket: WebSocketClientConnection):
        self.socket = socket
        self.figure = ""
        self._asked: dict[str, asyncio.Future[str]] = {}
        self._reading = asyncio.ensure_future(self._read())  # always, as a browser does

    @classmethod
    async def taken(cls, address: str) -> "Seat":
        """A page that is open and ready; `figure` is the name of the figure of its classes, if any."""
        page = await AsyncHTTPClient().fetch(address, request_timeout=PATIENCE)
        token, place = re.search(r'"token":"([^"]+)"', page.body.decode())[1], urlsplit(address)
        origin = {"Origin": f"http://{place.netloc}"}
        request = HTTPRequest(f"ws://{place.netloc}{place.path}/ws", headers=origin, request_timeout=PATIENCE)
        seat = cls(await websocket_connect(request, subprotocols=["bokeh", token], max_message_size=2**28))
        await seat.answer("ACK")
        document = json.loads(await seat.ask("PULL-DOC-REQ"))
        seat.figure = next((id for id, name in _names(document) if name == "classes"), "")
        await seat.happens("document_ready")
        return seat

    async def happens(self, event: str, **values) -> None:
        """Send an event of the page, and wait until the server has acted on it and sent what follows."""
        data = {"type": "event", "name": event, "values": {"type": "map", "entries": [*values.items()]}}
        sent = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": data}
        await self.ask("PATCH-DOC", {"events": [sent]})

    async def ask(self, kind: str, content: dict | None = None) -> str:
        """Send a message; returns what its answer holds."""
        name = uuid4().hex
        answer = asyncio.ensure_future(self.answer(name))
        await asyncio.sleep(0)  # so that it waits before there is one
        for part in ({"msgid": name, "msgtype": kind}, {}, content or {}):
            await self.socket.write_message(json.dumps(part))
        return await answer

    async def answer(self, name: str) -> str:
        """Wait for what this names. Raises WebSocketClosedError where the socket is lost."""
        answer = self._asked[name] = asyncio.get_running_loop().create_future()
        await asyncio.wait([answer, self._reading], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise WebSocketClosedError
        return answer.result()

    async def _read(self) -> None:
        """Until the socket closes."""
        with suppress(WebSocketClosedError):
            while True:
                header, _, content = [await self._part() for _ in range(3)]
                told = json.loads(header)
                for _ in range(2 * told.get("num_buffers", 0)):
                    await self._part()
                name = told.get("reqid", told["msgtype"])
                if name in self._asked:
                    self._asked.pop(name).set_result(content)

    async def _part(self) -> str | bytes:
        part = await self.socket.read_message()
        if part is None:
            raise WebSocketClosedError
        return part


async def attend(address: str, students: int, seconds: float, every: float, rows: int) -> dict:
    """So many students open a page one after the other; then each clicks another class every so many seconds.

    {"ms": from each click to the server's last word on it, "lost": how many lost their socket}
    """
    seats = [await Seat.taken(address) for _ in range(students)]
    print("here", flush=True)
    met = {"ms": [], "lost": 0}
    end = time.monotonic() + seconds

    async def stay(seat: Seat, click: int) -> None:
        draw = random.Random(click)
        await asyncio.sleep(draw.uniform(0, every))
        while time.monotonic() < end:
            click, begun = click + 1, time.monotonic()
            try:
                await seat.happens("tap", model={"id": seat.figure}, x=0.3, y=(7 * click + 12) % rows)
            except WebSocketClosedError:
                met["lost"] += 1
                return
            met["ms"].append(1000 * (time.monotonic() - begun))
            await asyncio.sleep(every * draw.uniform(0.75, 1.25))
        seat.socket.close()

    await asyncio.gather(*(stay(seat, number) for number, seat in enumerate(seats)))
    return met


def _names(part):
    """(id, name) of every model in a document's JSON that has one."""
    if isinstance(part, dict):
        if "name" in (part.get("attributes") or {}):
            yield part["id"], part["attributes"]["name"]
        part = part.values()
    elif not isinstance(part, list):
        return
    for inner in part:
        yield from _names(inner)


if __name__ == "__main__":
    place, count, *numbers, last = sys.argv[1:]
    print(json.dumps(asyncio.run(attend(place, int(count), *map(float, numbers), int(last)))))
