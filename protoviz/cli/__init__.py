"""The command line: a door to the library's functions. It parses, calls and prints; it computes nothing.

One module a subject; importing it registers its commands. Everything heavy is imported inside the command
that needs it, so that `protoviz --help` is instant.
"""

from protoviz.cli import (  # noqa: F401
    benchmark,
    cache,
    data,
    encoders,
    explorer,
    export,
    notebooks,
    polyphony,
    report,
    results,
    study,
    taking,
)
from protoviz.cli.base import app

__all__ = ["app"]
