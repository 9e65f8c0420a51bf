"""The explorer as a web server: who may reach it, and what its answers say to a browser."""

import re
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import panel as pn
from bokeh.server.server import Server
from tornado.web import OutputTransform, RequestHandler

APP = Path(__file__).parents[1] / "app.py"
LOGIN = Path(__file__).parent / "parts" / "login.html"
HERE = ("localhost", "127.0.0.1")  # what this machine calls itself
# A page that lost its connection comes back to its session as long as its token holds; Bokeh's: five minutes.
TOKEN_SECONDS = 24 * 3600
KEPT_SECONDS = 60  # a session whose page is gone; who comes later gets the view anew, from its link


class ServerError(ValueError):
    """The explorer cannot be served like this; the message says what to change."""


@dataclass(frozen=True)
class Door:
    """Where the explorer listens, and to whom it opens.

    hosts: names, beside this machine's own, by which browsers may call it ("name", or "name:port" where a
    proxy or a tunnel has another port). password: asked for where it is not empty. certificate, key: files
    for https, both or neither. Raises ServerError where nobody could reach it.
    """

    port: int = 5006
    address: str = HERE[1]
    hosts: tuple[str, ...] = ()
    password: str = ""
    certificate: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        for host in self.hosts:
            if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(:\d+)?", host):
                raise ServerError(f"{host!r} is no host: write name or name:port, without https:// and path")
        if self.address not in HERE and not self.hosts:
            raise ServerError(
                f"at {self.address} other machines may call, and no name is allowed: add --host NAME, the "
                "name or number that browsers will show in their address bar"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The host names that requests may carry, without ports, in small letters."""
        return tuple(dict.fromkeys([*HERE, *(host.split(":")[0].lower() for host in self.hosts)]))

    @property
    def origins(self) -> list[str]:
        """name:port of the pages whose scripts may open a socket."""
        plain = [f"{name}:{port}" for name in self.names for port in (self.port, 80)]
        return [*plain, *(host.lower() for host in self.hosts if ":" in host)]

    @property
    def url(self) -> str:
        """Where a browser of this machine finds it."""
        return f"{'https' if self.certificate else 'http'}://{HERE[1]}:{self.port}/app"

    def reach(self) -> str:
        """Return a sentence on who can reach it."""
        if self.address in HERE:
            who = "this machine only"
        else:
            who = f"every machine that reaches {self.address}, as {', '.join(self.names[len(HERE) :])}"
        return f"open to {who}; {'a password is asked for' if self.password else 'no password'}"


def make_server(door: Door) -> Server:
    """Return the server, listening, not yet started. Raises ServerError where the port cannot be had."""
    secure = {"ssl_certfile": door.certificate, "ssl_keyfile": door.key} if door.certificate else {}
    guarded = (
        {"basic_auth": door.password, "cookie_secret": secrets.token_hex(32), "login_template": str(LOGIN)}
        | {"logout_template": str(LOGIN)}
        if door.password
        else {}
    )
    try:
        server = pn.io.server.get_server(
            {"/app": APP},
            port=door.port,
            address=door.address,
            websocket_origin=door.origins,
            warm=True,
            transforms=[_framed_by(door.names)],
            session_token_expiration=TOKEN_SECONDS,
            unused_session_lifetime_milliseconds=1000 * KEPT_SECONDS,
            **secure,
            **guarded,
        )
    except OSError as error:
        raise ServerError(
            f"cannot listen at {door.address}, port {door.port}: {error.strerror or error}"
        ) from error
    ours = "|".join(map(re.escape, door.names))
    # A page of another host may have its name pointed at this machine: then Host and Origin agree.
    server._tornado.add_handlers(rf"(?!(?:{ours})$).*", [(r".*", _Refused, {"names": door.names})])
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
