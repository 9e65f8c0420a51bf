"""Where the explorer listens and to whom it opens; nothing here loads the explorer itself."""

import os
import re
import ssl
from dataclasses import dataclass

from protoviz.files import visible

HERE = ("localhost", "127.0.0.1")  # what this machine calls itself


class ServerError(ValueError):
    """The explorer cannot be served like this; the message says what to change."""


@dataclass(frozen=True)
class Door:
    """Where the explorer listens, and to whom it opens.

    hosts: names, beside this machine's own, by which browsers may call it ("name", or "name:port" where a
    proxy or a tunnel has another port). password: asked for where it is not empty. certificate, key: PEM
    files for https; the certificate's may hold the key too. Raises ServerError where nobody could reach it,
    or where the files are no certificate.
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
                raise ServerError(f"{host!r} is not a host: write name or name:port, no https:// and no path")
        if self.address not in HERE and not self.hosts:
            raise ServerError(
                f"other machines reach {self.address}, but no name is allowed: add --host NAME, the "
                "name or number that browsers will show in their address bar"
            )
        if self.key and not self.certificate:
            raise ServerError("--ssl-keyfile is the key of a certificate: add --ssl-certfile")
        self._refuse_password()
        self.context()

    def _refuse_password(self) -> None:
        """Raise ServerError for a password that nobody could enter, or that Panel takes for a file."""
        if self.password != visible(self.password.strip()):
            raise ServerError(
                "the password begins or ends with a space, or holds an invisible character; the login "
                "drops these, so nobody could enter: choose another"
            )
        if os.path.isfile(self.password):  # noqa: PTH113 - a Path raises where it is too long for a name
            raise ServerError("the password is the name of a file, which Panel would read: choose another")

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

    def context(self) -> ssl.SSLContext | None:
        """Return what https needs; None without a certificate. Raise ServerError if the files hold none."""
        if not self.certificate:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.certificate, self.key)
        except OSError as error:  # an SSLError is one
            files = " and ".join(filter(None, (self.certificate, self.key)))
            raise ServerError(
                f"{files} cannot be used for https ({error.strerror or error}): --ssl-certfile and "
                "--ssl-keyfile name a certificate and its key, as PEM files"
            ) from error
        return context

    def reach(self) -> str:
        """Return a sentence on who can reach it."""
        if self.address in HERE:
            who = "this machine only"
        else:
            who = f"every machine that reaches {self.address}, as {', '.join(self.names[len(HERE) :])}"
        return f"open to {who}; {'a password is asked for' if self.password else 'no password'}"

    def welcome(self) -> str:
        """Return what is said once it answers: where, and who can reach it."""
        return f"protoviz is at {self.url}  (Ctrl-C ends it)\n{self.reach()}"

    def taken(self, error: OSError) -> ServerError:
        """Return the error to raise where nobody can listen there."""
        why = error.strerror or error
        return ServerError(f"cannot listen at {self.address}, port {self.port} ({why}): try another --port")
