"""A list that is searched by typing."""

from collections.abc import Callable

import panel_material_ui as pmui
import param


class SearchField(pmui.AutocompleteInput):
    """A field that lists what holds what was typed, in any case, and everything before that.

    It always has a value: a field that is emptied has chosen nothing yet, and one that is left without a
    choice shows its value again (`opening.html` sees to that). suggest: who lists what fits a text, where
    not all is sent to the browser.
    """

    search_strategy = param.Selector(default="includes", objects=["starts_with", "includes"])
    case_sensitive = param.Boolean(default=False)
    min_characters = param.Integer(default=0)

    def __init__(self, suggest: Callable[[str], list[str]] | None = None, **params):
        super().__init__(lazy_search=suggest is not None, **params)
        self._suggest = suggest

    def _process_property_change(self, msg: dict) -> dict:
        if not msg.get("value", True):  # what is typed meanwhile would be wiped
            msg = {name: value for name, value in msg.items() if name != "value"}
        return super()._process_property_change(msg)

    def _handle_msg(self, msg: dict) -> None:
        """Answer what the browser's side asks for as somebody types."""
        if msg.get("type") == "search":
            options = self._suggest(str(msg.get("query", "")))
            self._send_msg({"type": "search_response", "id": msg.get("id"), "options": options})
