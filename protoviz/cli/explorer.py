"""Commands that open a door: the explorer."""

from typing import Annotated

import typer

from protoviz.cli.base import app


@app.command(epilog="Example: `protoviz serve --port 5007`")
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 5006,
    show: Annotated[bool, typer.Option(help="Open the browser.")] = True,
    address: Annotated[
        str, typer.Option(help="Where to listen; 0.0.0.0: for other machines too, with --host.")
    ] = "127.0.0.1",
    host: Annotated[
        list[str] | None,
        typer.Option(help="Name (or name:port) by which browsers may call it; repeat for more."),
    ] = None,
    password: Annotated[
        str, typer.Option(envvar="PROTOVIZ_PASSWORD", help="Visitors enter it; better set the variable.")
    ] = "",
    num_procs: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that share the visitors; each takes 0.6 GB.")
    ] = 1,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="Module of a probe of your own, whose code may run to load it; repeat for more."),
    ] = None,
    ssl_certfile: Annotated[str | None, typer.Option(help="Certificate, for https.")] = None,
    ssl_keyfile: Annotated[str | None, typer.Option(help="Its key.")] = None,
) -> None:
    """Open the explorer, for this machine only unless --address says otherwise (the same as `make app`)."""
    import os

    # Half the cores for a clip, as `app.py` says, shared out; torch reads it as it is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) // 2 // num_procs)))
    if allow:
        os.environ["PROTOVIZ_ALLOW"] = ",".join(allow)
    from protoviz.explorer.door import Door, ServerError
    from protoviz.explorer.front import serve_many  # and the limits: wrong ones are refused now

    try:
        door = Door(port, address, tuple(host or ()), password, ssl_certfile, ssl_keyfile)
        if num_procs > 1:
            serve_many(door, num_procs, show)
        else:
            _serve(door, show)
    except ServerError as error:
        raise typer.BadParameter(str(error)) from error


def _serve(door, show: bool) -> None:
    from protoviz.explorer.server import make_server

    server = make_server(door)
    typer.echo(door.welcome())
    if show:
        server.io_loop.add_callback(server.show, "/app")
    server.start()
    server.io_loop.start()
