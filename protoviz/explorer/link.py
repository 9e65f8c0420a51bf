"""The state as the query of a link, and back: a link reopens the same view.

Own sound is not in a link: whoever opens one made while a file was shown sees the scene instead.
"""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode

import param

from protoviz.analysis.tables import called
from protoviz.explorer.clip import AS_IT_IS
from protoviz.explorer.pages import PAGES
from protoviz.explorer.session import ExplorerState

ALWAYS = {"page", "scene", "events", "class"}  # what a link must say even where it is the default today

TITLED = {
    title.lower(): key for key, title in PAGES.items()
}  # a page is also known by what the header calls it


def to_link(state: ExplorerState, **changes) -> str:
    """Return the query ("?page=listen&scene=7...") that reopens what is shown; changes: by name in the
    link.
    """
    words = {}
    for name, owner, key in _places(state):
        parameter, value = owner.param[key], getattr(owner, key)
        if name in changes:
            value = changes[name]
        if name in ALWAYS or value != parameter.default:
            words[name] = _written(value)
    return f"?{urlencode(words, safe=',')}"


def open_link(state: ExplorerState, query: str) -> list[str]:
    """Show what a query names; what it does not name gets its default. Returns the names that were refused.

    A name that is not known, or a value that its parameter does not take, is left out: a link made by another
    version still opens what it can. The server's own names (bokeh-...) are no part of the view.
    """
    words = {name: word for name, word in parse_qsl(query.lstrip("?")) if not name.startswith("bokeh-")}
    places = {name: (owner, key) for name, owner, key in _places(state)}
    refused = [name for name in words if name not in places]
    changes: dict[int, tuple[param.Parameterized, dict]] = {}
    for name, (owner, key) in places.items():
        parameter = owner.param[key]
        if name not in words:
            if name not in ALWAYS and getattr(owner, key) != parameter.default:
                changes.setdefault(id(owner), (owner, {}))[1][key] = parameter.default
            continue
        try:
            word = TITLED.get(words[name].lower(), words[name]) if key == "page" else words[name]
            value = _read(parameter, called(word) if key in ("page", "table") else word)
            parameter._validate(value)
        except (ValueError, TypeError):
            refused.append(name)
            continue
        changes.setdefault(id(owner), (owner, {}))[1][key] = value
    root = changes.pop(id(state), (state, {}))[1]
    # First the clip, then how it is heard: each reading chooses class and prototype anew, and a
    # channel of the clip before may be none of this one.
    heard = {key: root.pop(key) for key in AS_IT_IS if key in root}
    clip = {key: root.pop(key) for key in ("seed", "polyphony", "recording") if key in root}
    if clip:
        clip = {"recording": "", **clip}
        clip["source"] = "recording" if clip["recording"] else "scene"
        if any(getattr(state, key) != value for key, value in clip.items()):
            state.param.update(**clip, **AS_IT_IS)
    state.param.update(**heard)
    state.param.update(**root)
    for owner, values in changes.values():
        owner.param.update(**values)
    return refused


def _places(state: ExplorerState) -> Iterator[tuple[str, param.Parameterized, str]]:
    """(name in the link, owner, parameter) of everything that a link holds."""
    for owner in (state, *state.own.values()):
        for name, key in owner.in_link.items():
            yield name, owner, key


def _written(value) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return ",".join(map(_written, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _read(parameter: param.Parameter, text: str):
    """The value that `_written` made; ValueError for text that is none."""
    if isinstance(parameter, param.Boolean):
        return {"0": False, "1": True}.get(text, text)
    if isinstance(parameter, param.Integer):
        return int(text)
    if isinstance(parameter, param.Number):
        return float(text)
    if isinstance(parameter, (param.List, param.Tuple)):
        items = [float(item) if "." in item or "e" in item else int(item) for item in text.split(",") if item]
        return items if isinstance(parameter, param.List) else tuple(items)
    return text
