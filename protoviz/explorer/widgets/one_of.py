"""Buttons side by side, of which one is pressed."""

import panel_material_ui as pmui

UNSEEN = ".MuiFormLabel-root { position: absolute; clip-path: inset(50%); }"


class OneOf(pmui.RadioButtonGroup):
    """A choice whose `label` is heard, not seen: what stands on or beside the buttons says it to the eye."""

    def __init__(self, label: str, **params):
        super().__init__(label=label, stylesheets=[UNSEEN], **params)
