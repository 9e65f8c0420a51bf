"""Studies in the explorer, from a notebook, a script or the command line."""

import asyncio
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from bokeh.server.server import Server

from protoviz.explorer.door import Door
from protoviz.explorer.server import make_server
from protoviz.explorer.studies import ALLOW_VARIABLE, ENCODERS_VARIABLE, VARIABLE, Studies
from protoviz.study import Study, StudyError


def serve(
    *studies: Study | str | Path,
    weights: Mapping[str, str | Path] | None = None,
    allow: Collection[str] = (),
    port: int = 5006,
    show: bool = True,
) -> Server:
    """Return the server that shows studies in the explorer, the first one first; the demo if none is named.

    In a notebook it goes on beside it, and `.stop()` ends it; in a script the call lasts until Ctrl-C. Only
    this machine reaches it.
    weights: encoder -> its weight file, for sounds that no study keeps. allow: modules whose code may run,
    for encoders and probes of one's own. show: open the browser. Raises StudyError for what is no place of a
    study, ServerError where the port is taken.

    serve("runs/mine", weights={"eat": "EAT-base.safetensors"})
    """
    from protoviz.explorer.frame import explorer  # not above: the front of several processes shows no page

    places = [_place(study) for study in studies] or ["demo"]
    shown = Studies(places, {name: _whole(path) for name, path in (weights or {}).items()}, allow)
    door = Door(port)
    server = make_server(door, app=lambda: explorer(studies=shown))
    with suppress(KeyboardInterrupt):
        start(server, door.welcome(), show)
    return server


def tell_environment(
    studies: Collection[Study | str | Path], weights: Mapping[str, str | Path], allow: Collection[str]
) -> None:
    """Set the variables that say what a command shows, for this process and those that it starts."""
    told = {
        VARIABLE: os.pathsep.join(map(_place, studies)),
        ENCODERS_VARIABLE: os.pathsep.join(f"{name}={_whole(path)}" for name, path in weights.items()),
        ALLOW_VARIABLE: ",".join(allow),
    }
    os.environ.update({name: text for name, text in told.items() if text})


def start(server: Server, welcome: str, show: bool) -> None:
    """Begin to answer; where no loop runs yet, until Ctrl-C."""
    print(welcome, flush=True)
    if show:
        server.io_loop.add_callback(server.show, "/app")
    server.start()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        server.io_loop.start()


def _place(study: Study | str | Path) -> str:
    """Where a study lies, whatever the current folder is later; "demo" is the shipped one."""
    place = study.folder if isinstance(study, Study) else Path(study).expanduser()
    if not place.exists() and str(place) != "demo":
        raise StudyError(f"there is no {place}: name the folder of a study, or a file of protoviz study pack")
    return str(place.resolve()) if place.exists() else str(place)


def _whole(path: str | Path) -> str:
    return str(Path(path).expanduser().resolve())
