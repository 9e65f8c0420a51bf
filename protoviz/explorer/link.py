"""The state as the query of a link, and back: a link reopens the same view.

Own sound is not in a link: whoever opens one made while a file was shown sees the clip before it. Which
study, data set and encoder is said too (`studies.WHICH`); a page reads that before there is a state.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from urllib.parse import parse_qsl, urlencode

import param

from protoviz.analysis.tables import called
from protoviz.explorer.clip import AS_IT_IS
from protoviz.explorer.pages import PAGES, SECTIONS
from protoviz.explorer.session import ExplorerState, state_of
from protoviz.explorer.studies import WHICH

ALWAYS = {"page", "clip", "class"}  # what a link must say even where it is the default today
TITLED = {title.lower(): key for key, title in PAGES.items()}  # what the header calls a page names it too
# What links said before a name carried its page; such links are in notes and slides.
EARLIER = {
    "listen": {"loop": "event", "loop_band": "band", "threshold": "threshold"},
    "attention": {"enc": "left", "enc2": "right", "layer": "layer", "head": "head"}
    | {"stretch": "stretch", "over": "over"},
    "prototypes": {"whatif": "what", "mute": "muted", "solo": "solo", "muted_as": "baseline"}
    | {"cells": "region", "stand_in": "stand_in"},
    "neighbours": {"cloud": "cloud", "near": "rank", "token": "cell"},
    "orthogonality": {"corners": "probe", "form": "form", "stage": "stage", "sorted": "order"},
    "ranks": {"numbers": "numbers", "set": "dataset", "follow": "follow", "poolings": "poolings"}
    | {"table": "table"},
    "polyphony": {"curve": "scale", "of": "encoder", "runs": "table", "mixed": "dataset", "probes": "group"},
}
SCENE = ("scene", "events")  # what links said of a clip when every clip was a scene
TODAY = {old: f"{page}.{new}" for page, names in EARLIER.items() for old, new in names.items()}


@cache
def link_names() -> dict[str, tuple[str, str]]:
    """Return every name that a link may hold -> (page, parameter); page "": what all pages share.

    Raise ValueError where a name is given twice.
    """
    shared = [(name, ("", key)) for name, key in ExplorerState.in_link.items()]
    own = [(f"{page}.{key}", (page, key)) for page in (*PAGES, *SECTIONS) for key in state_of(page).in_link]
    return unique([*shared, *own])


def unique(names: Iterable[tuple[str, tuple[str, str]]]) -> dict[str, tuple[str, str]]:
    """Return the names of a link as a dict. Raise ValueError for one given twice, or that links once had."""
    found: dict[str, tuple[str, str]] = {}
    for name, place in names:
        if name in found or name in TODAY:
            there = found.get(name, TODAY.get(name))
            raise ValueError(f"{name!r} names {there} in a link already: give {place} another name")
        found[name] = place
    return found


def to_link(state: ExplorerState) -> str:
    """Return the query ("?page=listen&clip=scene-7-3...") that reopens what is shown."""
    words = dict(state.workbench.address)
    for name, owner, key in _places(state):
        parameter, value = owner.param[key], getattr(owner, key)
        if name in ALWAYS or value != parameter.default:
            words[name] = _written(value)
    return f"?{urlencode(words, safe=',')}"


def open_link(state: ExplorerState, query: str) -> list[str]:
    """Show what a query names; what it does not name gets its default. Returns the names that were refused.

    A name that is not known, or a value that its parameter does not take, is left out: a link made by another
    version still opens what it can. The server's own names (bokeh-...) are no part of the view.
    """
    asked = {name: word for name, word in parse_qsl(query.lstrip("?")) if not name.startswith("bokeh-")}
    asked = {name: word for name, word in asked.items() if name not in WHICH}
    refused = _take_scene(state, asked)
    refused += [name for name in asked if TODAY.get(name, name) not in link_names()]
    words = {TODAY.get(name, name): (name, word) for name, word in asked.items() if name not in refused}
    for name in words:
        _owner(state, link_names()[name][0])  # a page that is named is there to be told
    places = {name: (owner, key) for name, owner, key in _places(state)}
    changes: dict[int, tuple[param.Parameterized, dict]] = {}
    for name, (owner, key) in places.items():
        parameter = owner.param[key]
        if name not in words:
            if name not in ALWAYS and getattr(owner, key) != parameter.default:
                changes.setdefault(id(owner), (owner, {}))[1][key] = parameter.default
            continue
        given, word = words[name]
        try:
            word = TITLED.get(word.lower(), word) if key == "page" else word
            value = _read(parameter, called(word) if key in ("page", "table") else word)
            parameter._validate(value)
            if key == "clip" and not state.workbench.has(value):
                raise ValueError(value)
        except (ValueError, TypeError):
            refused.append(given)
            continue
        changes.setdefault(id(owner), (owner, {}))[1][key] = value
    root = changes.pop(id(state), (state, {}))[1]
    # First the clip, then how it is heard: each reading chooses class and prototype anew, and a
    # channel of the clip before may be none of this one.
    heard = {key: root.pop(key) for key in AS_IT_IS if key in root}
    clip = {key: root.pop(key) for key in ("clip", "recording") if key in root}
    if clip:
        clip = {"recording": "", **clip}
        clip["source"] = "recording" if clip["recording"] else "clip"
        if any(getattr(state, key) != value for key, value in clip.items()):
            state.param.update(**clip, **AS_IT_IS)
    state.param.update(**heard)
    state.param.update(**root)
    for owner, values in changes.values():
        owner.param.update(**values)
    return refused


def _take_scene(state: ExplorerState, asked: dict[str, str]) -> list[str]:
    """Put the clip in the place of an old link's scene and number of events; return what names none."""
    said = {name: asked.pop(name) for name in SCENE if name in asked}
    bench, refused = state.workbench, []
    place = list(bench.scene_of(state.clip) or ())
    for name, word in said.items():
        if place and word.isdecimal() and len(word) < 11:
            changed = [int(word) if one == name else now for one, now in zip(SCENE, place, strict=True)]
            if bench.has(bench.clip_of(*changed)):
                place = changed
                continue
        refused.append(name)
    if len(refused) < len(said):
        asked.setdefault("clip", bench.clip_of(*place))
    return refused


def _places(state: ExplorerState) -> Iterator[tuple[str, param.Parameterized, str]]:
    """(name in the link, owner, parameter) of everything that a link holds of what is there."""
    for name, (page, key) in link_names().items():
        if not page or page in state.own:
            yield name, _owner(state, page), key


def _owner(state: ExplorerState, page: str) -> param.Parameterized:
    return state.own[page] if page else state


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
