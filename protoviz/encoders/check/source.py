"""An author's own encoder by its place in code, `my_module:MyEncoder`, or a shipped one by its name."""

import importlib
import inspect
import os
import sys
from pathlib import Path
from types import ModuleType

from protoviz.encoders import ENCODERS, load_encoder
from protoviz.encoders.base import Encoder, EncoderError


def find_encoder(where: str) -> Encoder:
    """The encoder that `where` names: module:Name, or a key of ENCODERS.

    The module is looked for in the current directory and among what is installed. Name: a class or a function
    that is called without arguments, or a ready encoder. Code of the module runs. Raises EncoderError that
    says how far it came and the cure.
    """
    module_name, colon, name = where.partition(":")
    if not colon:
        if where in ENCODERS:
            return load_encoder(where)
        raise EncoderError(f"{where!r} is neither module:Name nor one of {', '.join(ENCODERS)}")
    if module_name.endswith(".py") or os.sep in module_name or not name:
        stem = module_name.removesuffix(".py").replace(os.sep, ".").strip(".") or "my_module"
        raise EncoderError(
            f"{where!r} is not module:Name; in the folder of the file write {stem}:{name or 'MyEncoder'}"
        )
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found = _attribute(_module(module_name, here), name)
        return _made(found, where)
    finally:
        sys.path.remove(here)


def open_encoder(where: str, weights: str | Path | None = None, **options) -> Encoder:
    """The frozen encoder that `where` names (see `find_encoder`), in evaluation mode.

    weights, options: as in `load_encoder`; EncoderError where `where` is module:Name, which takes none.
    """
    if ":" not in where:
        return load_encoder(where, weights, **options)
    if weights or options:
        told = ", ".join([*(["weights"] if weights else []), *options])
        raise EncoderError(
            f"{where} is called without arguments and takes no {told}; write a function that gives the "
            "encoder with them, and name that"
        )
    return find_encoder(where).eval().requires_grad_(False)


def takes_weights(where: str) -> bool:
    """Whether `open_encoder` reads weights for this name: not of module:Name, nor of what is drawn anew."""
    return where in ENCODERS and ENCODERS[where].trained


def _module(name: str, here: str) -> ModuleType:
    importlib.invalidate_caches()  # the file may be younger than the last look into its folder
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise EncoderError(
                f"there is no module {error.name} in {here} or among what is installed; go to its folder, or "
                "install it (pip install -e .)"
            ) from error
        raise EncoderError(f"{name} imports {error.name}, which is not installed; install that") from error
    except (Exception, SystemExit) as error:  # an author's code may raise anything, a script ends itself
        raise EncoderError(f"importing {name} raised {_said(error)}; python -m {name} shows where") from error


def _attribute(module: ModuleType, name: str):
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = [key for key, value in vars(module).items() if _is_class(value) and value is not Encoder]
            there = f"; it has {', '.join(known)}" if known else "; it has no class derived from Encoder"
            raise EncoderError(f"{module.__name__} has no {name}{there}")
        found = getattr(found, part)
    return found


def _is_class(value) -> bool:
    return inspect.isclass(value) and issubclass(value, Encoder)


def _made(found, where: str) -> Encoder:
    if not isinstance(found, Encoder) and callable(found):
        found = _called(found, where)
    if not isinstance(found, Encoder):
        raise EncoderError(
            f"{where} gives a {type(found).__name__}; derive the class from protoviz.encoders.Encoder"
        )
    return found


def _called(make, where: str):
    if inspect.isabstract(make):
        missing = ", ".join(sorted(make.__abstractmethods__))
        raise EncoderError(
            f"{where} lacks methods of Encoder: {missing}; write them (protoviz.encoders.base)"
        )
    try:
        inspect.signature(make).bind()
    except TypeError as error:
        raise EncoderError(
            f"{where} cannot be called without arguments ({error}); write a function that gives the encoder, "
            "and name that"
        ) from error
    try:
        return make()
    except (Exception, SystemExit) as error:
        raise EncoderError(f"making {where} raised {_said(error)}") from error


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
