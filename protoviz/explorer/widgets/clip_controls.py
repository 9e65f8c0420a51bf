"""Which clip is shown: the same fields on every page, over the state that every page shares."""

import panel_material_ui as pmui

from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import count, distinct, spoken
from protoviz.explorer.widgets.look import field
from protoviz.figures.style import as_written

Listed = dict[str, dict[str, tuple]]


class ClipControls:
    """The list of clips, the polyphony slider, "New scene", and for a long own file where its window starts.

    A page puts `widgets` on a line. `draw` shows what the state has chosen; a page calls it where the clip
    has changed. Where the state could not follow a choice, the fields go back by themselves.
    """

    def __init__(self, state: ExplorerState):
        self.state = state
        self.listed: Listed = self._listed_clips()
        self.clip = pmui.Select(label="Clip", groups=self.listed, **field(290))
        self.polyphony = pmui.IntSlider(label="Polyphony", start=1, end=8, value=1, **field(200))
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
        shown = {
            "clip": ("clip", state.clip),
            "recording": ("recording", state.recording),
            "file": ("file", state.file),
        }[state.source]
        listed = any(shown in group.values() for group in self.listed.values())
        # What is not in the list gets an entry of its own: a Select without a value would choose its first.
        groups = self.listed if listed else {"shown now": {state.title: shown}, **self.listed}
        self.clip.param.update(groups=groups, value=shown)
        if state.workbench.can.mix:
            self.polyphony.value = state.polyphony
        long = state.source == "file" and state.last_start > 0
        self.start.param.update(end=max(state.last_start, 0.5), value=state.start, visible=long)

    def _listed_clips(self) -> Listed:
        groups: Listed = {}
        bench = self.state.workbench
        titles = distinct(bench.clips.title)
        for row in bench.clips.itertuples():
            group = groups.setdefault(self._group(row), {})
            group[titles[row.Index]] = ("clip", row.clip)
        recordings = self.state.workbench.recordings
        if len(recordings):
            names = zip(recordings.title, recordings.recording, strict=True)
            groups["recordings"] = {title: ("recording", name) for title, name in names}
        return groups

    def _group(self, row) -> str:
        """Under which words a clip is listed: how many events a scene has, else what sounds first."""
        if place := self.state.workbench.scene_of(row.clip):
            return count(place[1], "event")
        return spoken(as_written(next(iter(row.labels), "no label")))

    def _clip_chosen(self, event) -> None:
        if not any(event.new in group.values() for group in self.listed.values()):
            return
        kind, name = event.new
        if kind == "recording":
            self.state.choose_recording(name)
        else:
            self.state.choose_clip(name)

    def _polyphony_chosen(self, event) -> None:
        # A slider that follows the state chooses nothing: an own file keeps being shown.
        if event.new != self.state.polyphony:
            self.state.mix(event.new)
