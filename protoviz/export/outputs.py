"""What cells gave, as HTML; figures as data that the page's one copy of Bokeh draws."""

import base64
import io
import json
import re
from dataclasses import dataclass, field
from html import escape
from typing import Any

import soundfile

from protoviz.course.what_if import sound_address
from protoviz.export.sources import ExportError

DOCUMENT = re.compile(r"docs_json = (\{.*?\});\s*\n\s*(?:var|const) render_items = (\[.*?\]);", re.DOTALL)
LOADERS = {"application/vnd.holoviews_load.v0+json", "application/vnd.bokehjs_load.v0+json"}
LIVE = {"panel.models.browser.BrowserInfo", "panel.models.comm_manager.CommManager"}  # talk with a kernel
MOVING = {"PanTool", "BoxZoomTool", "ToolProxy"}  # tools of a drag
NETWORK = re.compile(r"(?:\bsrc=|url\(|@import)[\s\"'(]*https?://[^\s\"')]*", re.IGNORECASE)
WAVE = re.compile(r"data:audio/(?:x-)?wav;base64,([A-Za-z0-9+/=]+)")
COLOURED = re.compile(r"\x1b\[[0-9;]*m")  # a terminal's colours


@dataclass
class Outputs:
    """Collects what the figures of a page need."""

    components: set[str] = field(default_factory=set)  # of Bokeh: "bokeh", perhaps "bokeh-tables"

    def html(self, output, where: str) -> str:
        """Return HTML of an output ("" where it only loads scripts). where: notebook and cell, for errors."""
        if output.output_type == "stream":
            return f'<pre class="text">{_text(output.text)}</pre>' if output.name == "stdout" else ""
        if output.output_type == "error":
            raise ExportError(f"{where} ended in {output.ename}: {output.evalue}")
        data = output.data
        if LOADERS & set(data):
            return ""
        if "text/html" in data:
            return self._page_piece(data["text/html"], where)
        for kind in ("image/svg+xml", "image/png", "image/jpeg"):
            if kind in data:
                return _picture(kind, data[kind])
        return f'<pre class="text">{_text(data["text/plain"])}</pre>' if "text/plain" in data else ""

    def _page_piece(self, html: str, where: str) -> str:
        if found := DOCUMENT.search(html):
            return self._figure(*(json.loads(part) for part in found.groups()), where)
        if html.lstrip().startswith("<style>*[data-root-id]"):  # Panel's own, for its widgets
            return ""
        if found := NETWORK.search(html):
            raise ExportError(f"{where} shows something that is loaded from a network: {found[0]}")
        html = WAVE.sub(lambda found: _smaller(found[1]), html)
        html = html.replace("<th></th>", "<td></td>")  # what pandas heads nothing with
        return f'<div class="output">{html}</div>'

    def _figure(self, documents: dict[str, Any], items: list, where: str) -> str:
        """A place for a figure and the data that it is drawn from, without what only a live page needs."""
        kept, height = {}, 0
        for key, document in documents.items():
            names = _names(document["roots"])
            if {root["name"] for root in document["roots"]} <= LIVE:
                continue
            foreign = sorted(name for name in names if name.startswith("panel."))
            if foreign:
                raise ExportError(
                    f"{where} shows a widget ({foreign[0]}), which does nothing without Python: "
                    "show figures only, or what_if_panel"
                )
            self.components |= components(names)
            roots = _offline(document["roots"])
            _leave_the_page_its_wheel(roots)
            height = max([height, *(_height(root) for root in roots)])
            defined = [one for one in document.get("defs", []) if one["name"] in names]
            kept[key] = {**document, "roots": roots, "defs": defined, "config": None}
            kept[key].pop("config")
        items = [item for item in items if item["docid"] in kept]
        if not items:
            return ""
        places = "".join(
            f'<div id="{escape(place)}" data-root-id="{escape(root)}"></div>'
            for item in items
            for root, place in item["roots"].items()
        )
        data = json.dumps({"documents": kept, "items": items}, separators=(",", ":")).replace("<", "\\u003c")
        return (
            f'<div class="figure" style="min-height:{height}px">{places}'
            f'<script type="application/json">{data}</script></div>'
        )


def _offline(value):
    """The same without style sheets that a network would have to bring (and words that refer to them)."""
    gone = {one["id"] for one in _objects(value) if one["name"] == "ImportedStyleSheet"}

    def clean(value):
        if isinstance(value, dict):
            return {key: clean(one) for key, one in value.items()}
        if isinstance(value, list):
            return [clean(one) for one in value if not (isinstance(one, dict) and one.get("id") in gone)]
        return value

    return clean(value)


def _leave_the_page_its_wheel(roots) -> None:
    """Switch off every tool that moves the picture by a bare wheel or a finger before a reader takes it.

    Whoever reads would else be stuck on every figure. Kept: a wheel that waits for a key, and a drag that the
    figure names and that moves nothing (a selection).
    """
    tools = {one["id"]: one for one in _objects(roots)}
    for bar in [one for one in tools.values() if one["name"] == "Toolbar"]:
        told = bar.setdefault("attributes", {})
        wheel, drag = (told.get(f"active_{by}") for by in ("scroll", "drag"))
        wheel, drag = (tools[on["id"]] if isinstance(on, dict) else None for on in (wheel, drag))
        if not (wheel and wheel.get("attributes", {}).get("modifiers", {}).get("entries")):
            told["active_scroll"] = None
        if not drag or drag["name"] in MOVING:
            told["active_drag"] = None


def _objects(value):
    """Every Bokeh model in a document's JSON."""
    if isinstance(value, dict):
        if value.get("type") == "object":
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _objects(one)


def _names(value) -> set[str]:
    return {one["name"] for one in _objects(value)}


def _height(root: dict) -> int:
    """Pixels that a root says it is high; 0 where it does not."""
    return int(root.get("attributes", {}).get("height") or root.get("attributes", {}).get("min_height") or 0)


def components(names: set[str]) -> set[str]:
    """Return the parts of Bokeh's script that models of these names come from."""
    from bokeh.model import Model

    known = {cls.__name__: cls.__module__ for cls in Model.model_class_reverse_map.values()}
    parts = {"bokeh"}
    for name in names:
        module = known.get(name, "")
        if module.startswith("bokeh.models.widgets.tables"):
            parts |= {"bokeh-widgets", "bokeh-tables"}
        elif module.startswith("bokeh.models.widgets"):
            parts.add("bokeh-widgets")
        elif name in ("TeX", "MathML", "Ascii"):
            parts.add("bokeh-mathjax")
    return parts


def _picture(kind: str, data: str) -> str:
    if kind == "image/svg+xml":
        return f'<div class="output">{data}</div>'
    return f'<div class="output"><img alt="" src="data:{kind};base64,{data.strip()}"></div>'


def _smaller(wave: str) -> str:
    """The same samples as FLAC, half as large."""
    sound, rate = soundfile.read(io.BytesIO(base64.b64decode(wave)), dtype="int16")
    return sound_address(sound, rate)


def _text(text: str) -> str:
    return escape(COLOURED.sub("", text).rstrip("\n"))
