"""The explorer as a web server: whom it answers, and what its answers say to a browser."""

import asyncio
import re
import secrets
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path

import panel as pn
from bokeh.server.server import Server
from jinja2 import Template
from tornado.process import task_id
from tornado.web import OutputTransform, RequestHandler

from protoviz.explorer.door import HERE, Door
from protoviz.explorer.internals import answer_others

APP = Path(__file__).parents[1] / "app.py"
LOGIN = Path(__file__).with_name("login.html")
# A page that lost its connection comes back to its session as long as its token holds; Bokeh's: five minutes.
TOKEN_SECONDS = 24 * 3600
KEPT_SECONDS = 60  # a session whose page is gone; who comes later gets the view anew, from its link
REFUSAL = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>protoviz</title><p>{{ said }}</p></html>'
)


def make_server(door: Door, secret: str = "", app: Path | Callable[[], object] = APP) -> Server:
    """Return the server, listening, not yet started; its application has run once.

    secret: signs the cookies of who is logged in. Where it is given, this is one of several processes behind
    the door (see `protoviz.explorer.front`): it listens at a free port of this machine, without https. app:
    what makes the page of a session. Raises ServerError where the port cannot be had.
    """
    place = {"port": door.port, "address": door.address}
    if secret:
        place = {"port": 0, "address": HERE[1]}
        place["http_server_kwargs"] = {"protocol": "https" if door.certificate else "http"}
    elif door.certificate:
        place |= {"ssl_certfile": door.certificate, "ssl_keyfile": door.key}
    guarded = (
        {"basic_auth": door.password, "cookie_secret": secret or secrets.token_hex(32)}
        | {"login_template": str(LOGIN), "logout_template": str(LOGIN)}
        if door.password
        else {}
    )
    try:
        server = pn.io.server.get_server(
            {"/app": app},
            websocket_origin=door.origins,
            warm=True,
            transforms=[_framed_by(door.names)],
            session_token_expiration=TOKEN_SECONDS,
            unused_session_lifetime_milliseconds=1000 * KEPT_SECONDS,
            **place,
            **guarded,
        )
    except OSError as error:
        raise door.taken(error) from error
    answer_others(server, door.names, _Refused)
    return server


@cache
def say_reach(*command: str) -> None:
    """Print, once a process, who can reach a `panel serve` of this command line; else nothing."""
    program = Path(command[0])
    if "panel" not in (program.name.removesuffix(".exe"), program.parent.name) or "serve" not in command:
        return
    given = " ".join(command)
    address = re.search(r"--address[= ](\S+)", given)
    where = address[1] if address else "all addresses of this machine"
    secret = (
        "a password is asked for" if re.search(r"--(basic-auth|oauth-provider)", given) else "no password"
    )
    print(f"protoviz listens on {where}; {secret} (`protoviz serve` is for this machine only)", flush=True)


@cache
def refusal() -> str:
    """Return why this process cannot serve the explorer, with the cure; empty if it can."""
    reason = ""
    if task_id() is not None:  # one of the processes of `panel serve --num-procs`
        reason = (
            "panel serve --num-procs gives a page, its scripts and its socket to processes that do not know "
            "of each other, and pages break at random; protoviz serve --num-procs N keeps each page at one"
        )
    try:
        import_module("protoviz.explorer.limits")
    except ValueError as error:
        reason = str(error)
    return reason


def refuse(reason: str) -> None:
    """Make the document that is asked for a page that says this, and needs no script of anybody's.

    Before anything is served, as with `panel serve --warm`: end with it.
    """
    said = f"The explorer cannot be served like this: {reason}"
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise SystemExit(said) from None
    print(said, file=sys.stderr, flush=True)
    pn.state.curdoc.template = Template(REFUSAL, autoescape=True)
    pn.state.curdoc.template_variables["said"] = said


class _Refused(RequestHandler):
    """Answers whatever calls this server by a name that is not its own."""

    def initialize(self, names: tuple[str, ...]) -> None:
        self.names = names

    def prepare(self) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(
            f"This explorer answers to {', '.join(self.names)} only. "
            "Who serves it allows another name by: protoviz serve --host NAME\n"
        )


def _framed_by(names: tuple[str, ...]) -> type[OutputTransform]:
    """The header of every answer: only pages of these hosts (of this machine: notebooks) may frame it."""
    places = " ".join(f"{scheme}://{name}:*" for name in names for scheme in ("http", "https"))

    class Framed(OutputTransform):
        def transform_first_chunk(self, status_code, headers, chunk, finishing):
            headers["Content-Security-Policy"] = f"frame-ancestors 'self' {places}"
            return status_code, headers, chunk

    return Framed
