"""What a file says, checked before it is used: JSON, TOML and headers, held against the types of their parts.

A form is a type annotation: `dict[str, float]`, `tuple[int, int] | None`, `Annotated[int, range(1, 513)]`, a
TypedDict (its keys are there, whatever else is) or a dataclass (which is built; other keys are refused).
"""

import inspect
import json
import re
import tomllib
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

MOST_BYTES = 64 << 20  # of a file of settings; the largest known one, a list of a data set's clips, has 20 MB
MOST_TOML = 256 << 10  # written by hand, and slow to read: keys of many parts take the square of their number
WHOLE = range(-(2**63), 2**63)  # numbers that arrays and tensors can count
LARGEST = 1e308
LONGEST = 80  # letters of a message, as far as a file has a say in it
_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text, in quotes",
    dict: "a table",
    type(None): "nothing",
}


class SettingsError(ValueError):
    """A file that does not say what it should; the text names it, the place in it, and the cure."""


class _Misfit(ValueError):
    """What does not fit, in words; the place in the file is put before it on the way out."""


def read_json(path: Path, form: Any = Any, cure: str = "", error: type[Exception] = SettingsError) -> Any:
    """Return what a JSON file holds, of that form (see `checked`). Raise `error` for anything else."""
    return parsed(json.loads, _text(path, cure, error), form, str(path), cure, error)


def read_toml(path: Path, form: Any = Any, cure: str = "", error: type[Exception] = SettingsError) -> Any:
    """Return what a TOML file holds, of that form (see `checked`). Raise `error` for anything else."""
    return parsed(tomllib.loads, _text(path, cure, error, MOST_TOML), form, str(path), cure, error)


def parsed(
    parse: Callable[[str], Any],
    text: str,
    form: Any,
    where: str,
    cure: str = "",
    error: type[Exception] = SettingsError,
) -> Any:
    """Return what a text holds by `json.loads` or `tomllib.loads`, of that form (see `checked`)."""
    try:
        value = parse(text)
    except (ValueError, RecursionError) as fault:
        kind = "TOML" if parse is tomllib.loads else "JSON"
        what = str(fault)[:LONGEST] if isinstance(fault, ValueError) else "it is nested too deeply"
        raise error(_sentence(f"{where} is no {kind}: {what}", cure)) from fault
    return checked(value, form, where, cure, error)


def checked(value: Any, form: Any, where: str, cure: str = "", error: type[Exception] = SettingsError) -> Any:
    """Return the value, of that form: lists are tuples where the form has those, and a table is its
    dataclass.

    where: the file, or the place in it, which begins the message; cure: what ends it. Numbers are finite and
    no larger than arrays can count. `error` says which part is not what it should be, and what that is.
    """
    try:
        return _of_form(value, form)
    except _Misfit as fault:
        what = str(fault)
        begin = where if what.startswith((" ", ":")) else f"{where}: "
        raise error(_sentence(begin + what.removeprefix("."), cure)) from fault


_PARSING = Lock()  # of Python code: Python up to 3.11.7 fails where two threads do so at once


class Default(NamedTuple):
    """What a setting is where nobody says otherwise, and why."""

    value: Any
    reason: str


def defaults(of: Callable, why: Mapping[str, str] | None = None) -> dict[str, Default]:
    """Return the defaults of a dataclass, or of a function's arguments, by name.

    The reason is the comment beside it in the code, which a file that is written for people so repeats; else
    what `why` says of the name, or "".
    """
    told = inspect.signature(of).parameters.values()
    try:
        with _PARSING:
            source = inspect.getsource(getattr(of, "func", of))
    except (OSError, TypeError):  # no source, as in a notebook, or nothing of ours
        source = ""
    reasons = {**(why or {}), **dict(re.findall(r"^ +(\w+): [^#\n]*  # (.+)$", source, re.MULTILINE))}
    return {
        one.name: Default(one.default, reasons.get(one.name, ""))
        for one in told
        if one.default is not one.empty
    }


def _sentence(what: str, cure: str) -> str:
    return f"{what}; {cure}" if cure else what


def _text(path: Path, cure: str, error: type[Exception], most: int = MOST_BYTES) -> str:
    try:
        if not path.is_file():
            raise error(_sentence(f"there is no file {path}", cure))
        if (size := path.stat().st_size) > most:
            raise error(_sentence(f"{path} has {size:,} bytes, and settings at most {most:,}", cure))
        return path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise error(_sentence(f"{path} cannot be read: {fault.strerror}", cure)) from fault
    except UnicodeDecodeError as fault:
        raise error(
            _sentence(f"{path} is not UTF-8 text ({fault.reason})", cure or "save it as UTF-8")
        ) from fault


def _of_form(value: Any, form: Any) -> Any:
    """The value in its form; _Misfit where it has another. An annotation without values (Any) takes all."""
    kind, inner = get_origin(form) or form, get_args(form)
    if kind is Annotated:
        return _within(_of_form(value, inner[0]), inner[1])
    if kind in (Union, types.UnionType):
        return _one_of(value, form, inner)
    if kind is Literal:
        return (
            value if any(value == one and type(value) is type(one) for one in inner) else _refuse(value, form)
        )
    if is_dataclass(kind) or is_typeddict(kind):
        return _table(value, kind)
    if kind is dict:
        table = _plain(value, dict)
        return {key: _at(f".{key}", one, inner[1]) for key, one in table.items()} if inner else table
    if kind in (tuple, list, Sequence):
        return _row(value, form, kind, inner)
    if kind is float:
        real = abs(value) < LARGEST if isinstance(value, float) else _is_whole(value)
        return value if real else _refuse(value, form)
    return _plain(value, kind) if kind in _WORDS else value


def _plain(value: Any, kind: type) -> Any:
    known = _is_whole(value) if kind is int else isinstance(value, kind)
    return value if known else _refuse(value, kind)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in WHOLE


def _one_of(value: Any, form: Any, inner: tuple) -> Any:
    for one in inner:
        try:
            return _of_form(value, one)
        except _Misfit as fault:
            deeper = fault if is_dataclass(one) or is_typeddict(one) else None
            if deeper and isinstance(value, dict):
                raise
    return _refuse(value, form)


def _within(value: Any, span: range) -> Any:
    return value if value in span else _refuse(value, f"{span.start:,} to {span.stop - 1:,}")


def _row(value: Any, form: Any, kind: type, inner: tuple) -> Any:
    if not isinstance(value, (list, tuple)):
        _refuse(value, form)
    if kind is tuple and inner and inner[-1] is not ...:
        if len(value) != len(inner):
            _refuse(value, form)
        forms = inner
    else:
        forms = [inner[0] if inner else Any] * len(value)
    found = [_at(f"[{n}]", one, its) for n, (one, its) in enumerate(zip(value, forms, strict=True))]
    return tuple(found) if kind is tuple else found


def _table(value: Any, kind: type) -> Any:
    """The dataclass of a table, or the table of a TypedDict, each value in its form."""
    hints, needed = _hints(kind)
    table = _plain(value, dict)
    if is_dataclass(kind) and (strange := [key for key in table if key not in hints]):
        raise _Misfit(f" has {', '.join(map(_shown, strange[:4]))}; known are {', '.join(hints)}")
    if absent := [name for name in needed if name not in table]:
        raise _Misfit(f" lacks {', '.join(absent)}")
    found = {key: _at(f".{key}", one, hints.get(key, Any)) for key, one in table.items()}
    if not is_dataclass(kind):
        return found
    try:
        return kind(**found)
    except (TypeError, ValueError, ArithmeticError) as fault:
        raise _Misfit(f": {fault}") from fault


@lru_cache(maxsize=64)
def _hints(kind: type) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(name -> form, names that have to be there) of a dataclass or a TypedDict."""
    hints = get_type_hints(kind, include_extras=True)
    if not is_dataclass(kind):
        marks = (Required, NotRequired)
        hints = {key: get_args(one)[0] if get_origin(one) in marks else one for key, one in hints.items()}
        return hints, tuple(sorted(kind.__required_keys__))
    made = [one for one in fields(kind) if one.init]
    needed = [one.name for one in made if one.default is MISSING and one.default_factory is MISSING]
    return {one.name: hints[one.name] for one in made}, tuple(needed)


def _at(place: str, value: Any, form: Any) -> Any:
    """The value in its form; _Misfit begins with its place."""
    try:
        return _of_form(value, form)
    except _Misfit as fault:
        raise _Misfit(f"{place[:LONGEST]}{fault}") from fault


def _refuse(value: Any, form: Any) -> Any:
    wanted = form if isinstance(form, str) else _words(form)
    raise _Misfit(f" has to be {wanted}, not {_shown(value)}")


def _shown(value: Any) -> str:
    """A value in a message: short, and of a list or a table only what it is."""
    if isinstance(value, (str, int, float, type(None))):
        text = repr(value[:LONGEST] if isinstance(value, str) else value)
        return text if len(text) <= LONGEST + 2 else f"{text[:LONGEST]}..."
    return (
        f"a {type(value).__name__} of {len(value)}" if isinstance(value, (list, tuple, dict)) else repr(value)
    )


def _words(form: Any) -> str:
    """A form in words."""
    kind, inner = get_origin(form) or form, [one for one in get_args(form) if one is not ...]
    if kind is Annotated:
        return _words(inner[0])
    if kind in (Union, types.UnionType):
        return " or ".join(_words(one) for one in inner if one is not type(None))
    if kind is Literal:
        return f"one of {', '.join(map(repr, inner))}"
    if kind is tuple and len(inner) > 1:
        return f"a list of {len(inner)}: {', '.join(map(_words, inner))}"
    if kind in (tuple, list, Sequence):
        return f"a list [...], each {_words(inner[0])}" if inner else "a list [...]"
    return "a table" if is_dataclass(kind) or is_typeddict(kind) else _WORDS.get(kind, str(form))
