"""Arguments in the wrong order are told by name, where the types of a public function tell them apart."""

import types
from collections.abc import Callable
from functools import wraps
from inspect import Signature, signature
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Function = TypeVar("Function", bound=Callable)


class OrderError(TypeError, ValueError):
    """An argument that is what another one should be; the text says the order."""


def in_order(function: Function) -> Function:
    """Return the function, which raises OrderError for arguments that stand in each other's places.

    One is refused where it is not of its own type and is of that of another argument, which has not got one
    either. Types are those of the annotations; one that cannot be looked at (a protocol, Literal, Any) takes
    anything. Arguments given by keyword are in no order, and are not looked at.
    """
    told, known = signature(function), {}

    @wraps(function)
    def checked(*args, **kwargs):
        if not known:
            hints = get_type_hints(function)
            known.update({name: _classes(hints.get(name, Any)) for name in told.parameters})
        _refuse_exchanged(function, told, known, args, kwargs)
        return function(*args, **kwargs)

    return checked


def _refuse_exchanged(function: Callable, told: Signature, known: dict, args: tuple, kwargs: dict) -> None:
    try:
        given = told.bind_partial(*args, **kwargs).arguments
    except TypeError:  # too many, or an unknown one: Python itself says which
        return
    for name, value in list(given.items())[: len(args)]:
        if value is None or isinstance(value, known[name]):
            continue
        others = [other for other in given if known[other] and not isinstance(given[other], known[other])]
        if wanted := [other for other in others if other != name and isinstance(value, known[other])]:
            order = ", ".join(one for one in told.parameters if one not in ("cls", "self"))
            raise OrderError(
                f"argument {name} is a {type(value).__name__}, which is what {wanted[0]} takes: "
                f"the order is {function.__name__}({order})"
            )


def _classes(hint: Any) -> tuple[type, ...]:
    """The classes that an annotation names; none where one of them cannot be looked at."""
    if get_origin(hint) in (Union, types.UnionType):
        parts = [_classes(one) for one in get_args(hint) if one is not type(None)]
        return tuple(one for part in parts for one in part) if all(parts) else ()
    found = get_origin(hint) or hint
    if not isinstance(found, type) or getattr(found, "_is_protocol", False) or found in (Any, object):
        return ()
    return (found, int) if found is float else (found,)
