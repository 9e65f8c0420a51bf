"""Selectors whose objects are known only when a session starts."""

from collections.abc import Sequence

import param


def offer(owner: param.Parameterized, name: str, objects: Sequence, default) -> None:
    """Let a selector of this session choose among `objects`, starting at `default`.

    Call it after the owner's `__init__`: before that a parameter is the class's, and so every session's.
    """
    selector = owner.param[name]
    selector.objects, selector.default = list(objects), default
    owner.param.update(**{name: default})
