"""Names of what is not in this package: code of one's own by its place, `module:Name`, which is accepted
wherever the name of a shipped thing is; what lies on the hub; the packages of an extra.
"""

import importlib
import inspect
import os
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

HUB = "hf:"  # begins the name of what lies on the Hugging Face Hub


def is_place(name: str) -> bool:
    """Return whether a name is module:Name and not one of a registry."""
    return isinstance(name, str) and ":" in name and not is_on_hub(name)


def is_on_hub(name: str) -> bool:
    """Return whether a name is hf:owner/name, of a repository on the Hugging Face Hub."""
    return isinstance(name, str) and name.startswith(HUB)


def install_hint(extra: str) -> str:
    """Return the command that installs the packages of an extra, in a checkout and with a wheel."""
    return f"pip install 'protoviz[{extra}]'"


def allowed(place: str, allow: Iterable[str | type]) -> str | type | None:
    """Return what of `allow` lets the code of module:Name run: its module, a package of it, or the class."""
    module, _, name = place.partition(":")
    for one in allow:
        if isinstance(one, type) and one.__qualname__ == name and module in (one.__module__, "__main__"):
            return one
        if isinstance(one, str) and f"{module}.".startswith(f"{one}."):
            return one
    return None


def find(place: str, kind: type, error: type[Exception], example: str) -> Any:
    """Return what `place`, module:Name, names; its module is imported, so its code runs.

    The module is looked for in the current directory and among what is installed. kind: the class that it
    should be of or derive from, and example a name for one, both for the text of errors. Raises `error` that
    says how far it came and the cure.
    """
    module_name, _, name = place.partition(":")
    if module_name.endswith(".py") or os.sep in module_name or not name:
        stem = module_name.removesuffix(".py").replace(os.sep, ".").strip(".") or "my_module"
        raise error(f"{place!r} is not module:Name; in the folder of the file write {stem}:{name or example}")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return _attribute(_module(module_name, here, error), name, kind, error)
    finally:
        sys.path.remove(here)


def code_digest(found: type) -> list[str]:
    """Return sha256 of the file of a class, which tells results of its code from those of the code as it was.

    Empty where there is no file, as in a notebook.
    """
    try:
        return [sha256(Path(inspect.getfile(found)).read_bytes()).hexdigest()]
    except (OSError, TypeError):
        return []


def _module(name: str, here: str, kind: type[Exception]) -> ModuleType:
    importlib.invalidate_caches()  # the file may be younger than the last look into its folder
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise kind(
                f"there is no module {error.name} in {here} or among what is installed; go to its folder, or "
                "install the package that holds it, on every machine that works on this"
            ) from error
        raise kind(f"{name} imports {error.name}, which is not installed; install that") from error
    except (Exception, SystemExit) as error:  # an author's code may raise anything, a script ends itself
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise kind(f"importing {name} raised {said}; python -m {name} shows where") from error


def _attribute(module: ModuleType, name: str, kind: type, error: type[Exception]) -> Any:
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            own = [
                key
                for key, value in vars(module).items()
                if inspect.isclass(value) and issubclass(value, kind) and value is not kind
            ]
            there = f"it has {', '.join(own)}" if own else f"it has no class derived from {kind.__name__}"
            raise error(f"there is no {module.__name__}:{name}: the module has no {name}; {there}")
        found = getattr(found, part)
    return found
