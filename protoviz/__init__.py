"""See, hear and measure the pooling bottleneck of frozen audio encoders.

The names that a notebook needs live here. Each is imported when first used: `import protoviz` is instant.
"""

import ast
from importlib import import_module
from pathlib import Path

# Name -> the room that defines it, from the one list that editors and type checkers read.
_STUB = ast.parse(Path(__file__).with_suffix(".pyi").read_text("utf-8"))
_FROM = [node for node in _STUB.body if isinstance(node, ast.ImportFrom)]
_HOMES = {alias.name: node.module for node in _FROM for alias in node.names}
__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str):
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        raise AttributeError(f"module 'protoviz' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # takes longer than all the rest

    try:
        return version("protoviz")
    except PackageNotFoundError:  # a source tree on the path, not installed
        return "0+unknown"
