"""Which study, data set and encoder are shown: compact fields in the header, where there are several."""

from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from protoviz.explorer.studies import Choice, Studies
from protoviz.explorer.text import choices

# Material UI puts a field's label beside what `sx` reaches; on the frame it is at 75 %.
LABEL = ".MuiInputLabel-root { color: white !important; font-size: 18.7px !important; }"
LABELS = {"study": "Study", "data": "Data", "encoder": "Encoder"}
WHITE = {
    "& .MuiInputBase-root, & .MuiSvgIcon-root": {"color": "white !important"},
    "& legend": {"fontSize": "14px !important"},
    "& fieldset": {"borderColor": "rgb(255 255 255 / 60%) !important"},
}


class Which(Viewer):
    """A field for each of LABELS; one with a single choice is not shown. `on_choice(choice)` hears of it."""

    def __init__(self, studies: Studies, on_choice: Callable[[Choice], None]):
        super().__init__()
        self.studies, self._on_choice, self._shown = studies, on_choice, None
        self._drawing = False
        look = {"size": "small", "width": 150, "margin": (8, 0, 4, 10), "sx": WHITE, "stylesheets": [LABEL]}
        self.fields = {key: pmui.Select(label=label, visible=False, **look) for key, label in LABELS.items()}
        for widget in self.fields.values():
            widget.param.watch(self._chosen, "value")
        size = {"flex": "0 1 auto", "width": "max-content", "max-width": "100%"}  # else it never wraps
        self._layout = pn.FlexBox(*self.fields.values(), margin=0, gap="14px 0", styles=size)

    def __panel__(self):
        return self._layout

    def show(self, choice: Choice) -> None:
        """Show what is shown now, and what else could be."""
        self._shown = choice
        faults, pairs = self.studies.faults(), self.studies.pairs(choice.study)
        offered = {
            "study": [name for name in self.studies.places if name not in faults],
            "data": list(dict.fromkeys(data for data, _ in pairs)),
            "encoder": [encoder for data, encoder in pairs if data == choice.data],
        }
        self._drawing = True
        try:
            for (key, widget), value in zip(self.fields.items(), choice, strict=True):
                widget.param.update(options=choices(offered[key]), value=value, visible=len(offered[key]) > 1)
        finally:
            self._drawing = False

    def _chosen(self, event) -> None:
        if self._drawing or event.new is None or self._shown is None:
            return
        key = next(key for key, widget in self.fields.items() if widget is event.obj)
        asked = {**({"study": self._shown.study} if key != "study" else {}), key: event.new}
        if key == "encoder":
            asked["data"] = self._shown.data
        choice, _ = self.studies.choose(asked, self._shown)
        if choice != self._shown:
            self._on_choice(choice)
