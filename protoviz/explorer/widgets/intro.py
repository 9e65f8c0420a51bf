"""How a page opens: what its picture shows, one question to answer with it, "?" for formula and source."""

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from protoviz.explorer.widgets.look import CARD, text


class Intro(Viewer):
    """A sentence, a question, and a help text that a "?" opens; HTML, escaped by who wrote it."""

    def __init__(self, sentence: str, question: str, help: str):
        super().__init__()
        self._sentence, self._question = text(sentence), text(f"<b>{question}</b>")
        self._help = pn.Column(text(help), visible=False, **CARD)
        button = pmui.IconButton(
            icon="help_outline", description="Formula and source", size="large", margin=0, label="help"
        )
        button.on_click(lambda _: self._help.param.update(visible=not self._help.visible))
        words = pn.Column(self._sentence, self._question, sizing_mode="stretch_width", margin=0)
        words.styles = {"flex": "1 1 300px", "width": "auto"}
        styles = {"gap": "4px 10px", "flex-wrap": "wrap", "justify-content": "flex-end"}
        self._top = pn.Row(words, button, sizing_mode="stretch_width", margin=0, styles=styles)
        self._layout = pn.Column(self._top, self._help, sizing_mode="stretch_width", margin=0)

    def __panel__(self):
        return self._layout

    def add(self, item: pn.viewable.Viewable) -> None:
        """Put something quiet before the "?"."""
        item.align = "center"
        self._top.insert(1, item)

    def say(self, sentence: str | None = None, question: str | None = None) -> None:
        """Show another sentence or question, where the page's picture has changed what they are about."""
        if sentence is not None:
            self._sentence.object = sentence
        if question is not None:
            self._question.object = f"<b>{question}</b>"
