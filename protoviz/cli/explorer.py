"""Commands that open a door: the explorer."""

from typing import Annotated

import typer

from protoviz.cli.base import app


@app.command(epilog="Example: `protoviz serve runs/mine --weights eat=model.safetensors`")
def serve(
    studies: Annotated[
        list[str] | None,
        typer.Argument(help="Folders of studies, or packed ones; PROTOVIZ_STUDIES if absent, then the demo."),
    ] = None,
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
        typer.Option(help="Module of a probe or encoder of your own, whose code may run; repeat for more."),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FILE: an encoder's weights, for sounds no study keeps; repeat for more."),
    ] = None,
    ssl_certfile: Annotated[str | None, typer.Option(help="Certificate, for https.")] = None,
    ssl_keyfile: Annotated[str | None, typer.Option(help="Its key.")] = None,
) -> None:
    """Open the explorer, for this machine only unless --address says otherwise (the same as `make app`)."""
    import os

    # Half the cores for a clip, as `app.py` says, shared out; torch reads it as it is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) // 2 // num_procs)))
    if wrong := [one for one in weights or () if "=" not in one]:
        raise typer.BadParameter(f"--weights {wrong[0]}: write NAME=FILE, such as eat=EAT-base.safetensors")
    from protoviz.explorer.door import Door, ServerError
    from protoviz.explorer.front import serve_many  # and the limits: wrong ones are refused now
    from protoviz.explorer.serving import tell_environment

    tell_environment(studies or (), dict(one.split("=", 1) for one in weights or ()), allow or ())

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
    from protoviz.explorer.serving import start

    start(make_server(door), door.welcome(), show)
