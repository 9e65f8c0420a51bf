"""Which clip is shown: the same fields on every page, over the state that every page shares."""

import panel_material_ui as pmui

from protoviz.explorer.clip_index import Choice, ClipIndex
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.widgets.look import field
from protoviz.explorer.widgets.search_field import SearchField

TYPED = "a label, an id or a split"


class ClipControls:
    """A field that finds clips, polyphony, "New scene", and for a long own file where its window starts.

    A page puts `widgets` on a line. `draw` shows what the state has chosen; a page calls it where the clip
    has changed. Where the state could not follow a choice, the fields go back by themselves.
    """

    def __init__(self, state: ExplorerState):
        self.state = state
        self.index = state.workbench.shared(ClipIndex)
        self.clip = SearchField(self.suggest, label="Clip", placeholder=TYPED, **field(330))
        self.polyphony = pmui.IntSlider(
            label="Polyphony", start=1, end=max(state.workbench.most, 2), value=1, **field(200)
        )
        self.fresh = pmui.Button(label="New scene", icon="casino", variant="outlined", **field(150))
        self.polyphony.visible = self.fresh.visible = state.workbench.can.mix
        self.start = pmui.FloatSlider(
            label="Window starts at, s", start=0, end=1, step=0.5, visible=False, **field(240)
        )
        self.widgets = (self.clip, self.polyphony, self.fresh, self.start)
        self.clip.param.watch(self._clip_chosen, "value")
        self.polyphony.param.watch(self._polyphony_chosen, "value")
        self.start.param.watch(lambda event: state.param.update(start=event.new), "value")
        self.fresh.on_click(lambda _: state.new_scene())
        state.param.watch(lambda *_: self.draw(), "message")
        state.works["clip"].param.watch(lambda *_: self.draw(), "running")

    def draw(self) -> None:
        """Show the state's clip."""
        state = self.state
        choice, words = self._shown()
        self.clip.param.update(options={words: choice}, value=choice)
        if state.workbench.can.mix:
            self.polyphony.value = max(state.polyphony, 1)
        long = state.source == "file" and state.last_start > 0
        self.start.param.update(end=max(state.last_start, 0.5), value=state.start, visible=long)

    def _shown(self) -> tuple[Choice, str]:
        """What the state shows, and the field's words for it."""
        state = self.state
        choice = {
            "clip": ("clip", state.clip),
            "recording": ("recording", state.recording),
            "file": ("file", state.title),  # another window is another choice
        }[state.source]
        return choice, self.index.words_of(choice) or state.title

    def suggest(self, typed: str) -> list[str]:
        """Offer the clips that fit what was typed, and return their words.

        Where nothing was typed, what follows in the list.
        """
        choice, words = self._shown()
        found = self.index.after(choice) if typed in ("", words) else self.index.find(typed)
        self.clip.options = {words: choice, **found}
        return list(found)

    def _clip_chosen(self, event) -> None:
        # A field that follows the state chooses nothing.
        kind, name = ("", "") if event.new == self._shown()[0] else event.new
        if kind == "recording":
            self.state.choose_recording(name)
        elif kind == "clip":
            self.state.choose_clip(name)

    def _polyphony_chosen(self, event) -> None:
        # A slider that follows the state chooses nothing: an own file keeps being shown.
        if event.new != max(self.state.polyphony, 1):
            self.state.mix(event.new)
