"""The one menu of a page through which what it shows is taken away."""

from collections.abc import Callable, Iterable
from pathlib import Path

import param
from panel.custom import JSComponent

from protoviz.explorer.offers import File, Offer


class TakeAway(JSComponent):
    """A button that opens a menu of `offers()`; a file is made when it is chosen, and saved by the browser.

    Figures are saved as PNG and SVG by the browser that shows them: no server draws them anew, and a visitor
    needs no other program. `refuse(text)` is told why a file could not be made.
    """

    menu = param.List(default=[], doc="Lines: words, buttons [[key, sign]], id and stem of a figure.")
    opened = param.Integer(default=0, doc="Raised by Python: show the menu.")
    name_of_file = param.String(doc="What the file is called.")
    file = param.Bytes(default=b"", doc="A file to save; emptied once it is.")
    made = param.Integer(default=0, doc="Raised by Python: save the file.")

    _esm = Path(__file__).with_name("take_away.js")

    def __init__(self, offers: Callable[[], Iterable[Offer]], refuse: Callable[[str], None], **params):
        super().__init__(margin=0, **params)
        self._offers, self._refuse = offers, refuse
        self._makers: dict[str, Callable[[], File]] = {}
        self.on_msg(self._told)

    def _told(self, message) -> None:
        said = message.data
        if "open" in said:
            self.open()
        elif "take" in said:
            self.take(str(said["take"]))
        elif "saved" in said:
            self.file = b""

    def open(self) -> None:
        """Show what the page offers now."""
        self._makers = {}
        self.param.update(menu=[self._line(offer) for offer in self._offers()], opened=self.opened + 1)

    def _line(self, offer: Offer) -> dict:
        buttons = []
        for sign, make in offer.files.items():
            key = str(len(self._makers))
            self._makers[key] = make
            buttons.append([key, sign])
        figure = "" if offer.figure is None else offer.figure.id
        return {"words": offer.words, "buttons": buttons, "figure": figure, "stem": offer.stem}

    def take(self, key: str) -> None:
        """Make the file of a button, and let the browser save it."""
        if key not in self._makers:
            return
        try:
            name, content = self._makers[key]()
        except (ValueError, OSError) as error:
            self._refuse(str(error))
            return
        self.param.update(name_of_file=name, file=content, made=self.made + 1)
