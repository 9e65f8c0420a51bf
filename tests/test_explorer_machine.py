"""Whatever is chosen in the explorer, in whatever order: what is shown is true, and its link reopens it."""

from functools import cache
from typing import ClassVar
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import param
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from page_bench import small_bench, small_table, wav
from test_explorer_links import NAMES, ODD

from protoviz.audio import Box
from protoviz.datasets import scene_id
from protoviz.explorer.link import open_link, to_link
from protoviz.explorer.pages import PAGES
from protoviz.explorer.recordings import list_recordings
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.workbench import Workbench
from protoviz.probes import build_probe
from protoviz.scenes import SCENE_CLASSES

pytestmark = pytest.mark.usefixtures("bench")

RECORDINGS = ["crow/silent.wav", "rain/mono.wav", "rain/stereo.wav"]
PROBES = ["linear", "protobin", "protofloat"]
ENCODERS = ["mini-random", "mini-eat"]
AFTER_CLIP = {"prototype": -1, "listen.event": -1, "neighbours.cell": -1, "neighbours.rank": 0}
SET = {  # what one may set, and to what
    "page": st.sampled_from(list(PAGES)),
    "left": st.sampled_from(PROBES),
    "right": st.sampled_from(PROBES),
    "order": st.sampled_from(["truth", "probability", "name"]),
    "listen.threshold": st.integers(0, 100).map(lambda percent: percent / 100),
    "attention.left": st.sampled_from(ENCODERS),
    "attention.right": st.sampled_from(ENCODERS),
    "attention.layer": st.integers(0, 9),
    "attention.head": st.integers(0, 9),
    "prototypes.baseline": st.sampled_from(["mean", "zero"]),
    "listen.event": st.integers(-1, 6),
    "neighbours.rank": st.integers(0, 6),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """The small bench with three recordings, and a third probe whose mean scores are known."""
    small, folder = small_bench(), tmp_path_factory.mktemp("recordings")
    sound = small.made("scene-30-3").waveform[:48000]
    for name, samples in zip(
        RECORDINGS, [np.zeros(8000), sound, np.stack([sound, sound[::-1]], 1)], strict=True
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(wav(samples))
    torch.manual_seed(5)
    probe = build_probe("protofloat", small.encoder.dim, len(small.classes), small.encoder.grid)
    probe.metadata = {"mean_scores": np.linspace(0.1, 0.3, probe.count).tolist()}
    probes, table = {**small.probes, "protofloat": probe}, list_recordings(folder, small.classes)
    Chosen.bench = Workbench(
        small.encoder, probes, small.classes, small.clips, recordings=table, tables=small_table
    )
    Chosen.other = ExplorerState(Chosen.bench)
    assert sorted(table.recording) == RECORDINGS


class Chosen(RuleBasedStateMachine):
    """One session. The model: what was chosen last, by "owner.parameter"."""

    bench: ClassVar[Workbench]
    other: ClassVar[ExplorerState]  # opens every link of all sessions, whatever it showed before

    @initialize()
    def begin(self):
        self.state, self.model = ExplorerState(self.bench), {}
        self.links: list[tuple[str, dict]] = []

    # -- the model

    def owner(self, name: str) -> tuple[param.Parameterized, str]:
        own, _, key = name.rpartition(".")
        return (self.state.own[own] if own else self.state), key

    def value(self, name: str):
        return getattr(*self.owner(name))

    def chose(self, probe: str | None, reading, **chosen) -> None:
        """Take what was chosen into the model, and what goes with another clip or probe out of it."""
        if self.state.reading is not reading:
            truth = self.state.reading.truth or ()
            if self.model.get("class_name", "") not in truth:
                self.model.pop("class_name", None)
            self.model |= AFTER_CLIP
        if self.state.placed_probe != probe:
            self.model |= {"prototypes.muted": [], "prototypes.solo": []}
        self.model |= chosen

    # -- what one does

    @rule(choice=st.sampled_from(sorted(SET)).flatmap(lambda name: st.tuples(st.just(name), SET[name])))
    def set(self, choice):
        name, value = choice
        probe, (owner, key) = self.state.placed_probe, self.owner(name)
        setattr(owner, key, value)
        if name in ("left", "right"):
            self.model.pop("neighbours.rank", None)
        self.chose(probe, self.state.reading, **{name: value})

    @rule(class_name=st.sampled_from(SCENE_CLASSES), prototype=st.integers(-1, 479))
    def explain(self, class_name, prototype):
        self.state.param.update(class_name=class_name, prototype=prototype)
        self.model.pop("neighbours.rank", None)
        self.model |= {"class_name": class_name, "prototype": prototype}

    @rule(seed=st.sampled_from([10, 30, 61]), polyphony=st.sampled_from([1, 3, 6]))
    def scene(self, seed, polyphony):
        shown = self.state.placed_probe, self.state.reading
        self.state.choose_clip(scene_id(seed, polyphony))
        place = {"clip": scene_id(seed, polyphony), "recording": "", "source": "clip"}
        self.chose(*shown, **place, channel=-1, normalise=False)

    @rule(name=st.sampled_from(RECORDINGS), channel=st.integers(-1, 1), normalise=st.booleans())
    def recording(self, name, channel, normalise):
        state = self.state
        shown = state.placed_probe, state.reading
        state.choose_recording(name)
        if channel < state.reading.taken.channels:
            state.channel = channel
        else:
            channel, reading = -1, state.reading
            state.channel = 5
            assert state.message
            assert state.reading is reading
        state.normalise = normalise
        place = {"source": "recording", "recording": name}
        self.chose(*shown, **place, channel=channel, normalise=normalise)

    @rule(prototype=st.integers(0, 479), how=st.sampled_from(["mute", "solo", "cell", "listed", "clear"]))
    def mute(self, prototype, how):
        own = self.state.own["prototypes"]
        if own.explained is None:
            return
        muted, solo = ({*getattr(own, name)} for name in ("muted", "solo"))
        if how == "clear":
            own.clear()
            muted = solo = set()
        elif how == "listed":
            own.mute_listed()
            muted |= {*own.strongest().prototype}
        elif how == "cell":
            own.toggle_cell(prototype)
            assert muted ^ {*own.muted} >= {prototype}
            muted = {*own.muted}
        else:
            own.toggle(prototype, alone=how == "solo")
            muted, solo = (muted, solo ^ {prototype}) if how == "solo" else (muted ^ {prototype}, solo)
        self.model |= {"prototypes.muted": sorted(muted), "prototypes.solo": sorted(solo)}

    @rule(onset=st.integers(0, 12), seconds=st.integers(1, 4), low=st.sampled_from([0, 300, 2000, 9000]))
    def take_region(self, onset, seconds, low):
        own = self.state.own["prototypes"]
        own.take_box(Box(onset, onset + seconds, low, 2 * low + 100))
        self.model["prototypes.region"] = own.region

    @rule(words=st.dictionaries(st.sampled_from([*NAMES, "scene"]), st.sampled_from(ODD), max_size=4))
    def crafted_link(self, words):
        assert {*open_link(self.state, f"?{urlencode(words)}")} <= {*words}
        self.model = {name: self.value(name) for name in self.model}

    @rule(steps=st.integers(1, 9))
    def back(self, steps):
        link, model = self.links[-1 - steps % len(self.links)]
        assert open_link(self.state, link) == []
        assert to_link(self.state) == link
        self.model = dict(model)

    # -- what then holds

    @invariant()
    def what_was_chosen_is_shown(self):
        assert {name: self.value(name) for name in self.model} == self.model
        for owner in (self.state, *self.state.own.values()):
            for name, one in owner.param.objects().items():
                if type(one) is param.Selector:
                    assert getattr(owner, name) in one.objects

    @invariant()
    def the_link_reopens_it(self):
        link = to_link(self.state)
        self.links.append((link, dict(self.model)))
        self.same(self.other, link)

    def teardown(self):
        if hasattr(self, "links"):
            self.same(ExplorerState(self.bench), to_link(self.state))

    def same(self, other: ExplorerState, link: str) -> None:
        assert open_link(other, link) == []
        assert to_link(other) == link
        for mine, its in zip(drawn(self.state), drawn(other), strict=True):
            pd.testing.assert_frame_equal(mine, its)

    @invariant()
    def what_is_shown_is_true(self):
        state, own = self.state, self.state.own["prototypes"]
        logits = state.reading.explained[state.right].logits
        by_logit = [state.workbench.classes[c] for c in np.argsort(-logits, kind="stable")]
        absent = {name: name not in (state.reading.truth or ()) for name in by_logit}
        order = {"name": sorted(by_logit), "probability": by_logit, "truth": sorted(by_logit, key=absent.get)}
        assert state.classes_in_order() == order[state.order]
        if state.placed_probe is None:
            return
        probe, cosines = self.bench.probes[state.placed_probe], by_hand(state.reading, state.placed_probe)
        scores, row = cosines.max(axis=1), state.workbench.classes.index(state.class_name)
        for one in state.strongest().itertuples():
            cell = state.workbench.grid.index(one.t, one.f)
            assert cosines[one.prototype, cell] == pytest.approx(scores[one.prototype], abs=1e-6)
        weight, bias = (
            part.detach().double().numpy() for part in (probe.classifier.weight, probe.classifier.bias)
        )
        silent = np.isin(np.arange(probe.count), own.muted)
        alone = [j for j in own.solo if 0 <= j < probe.count]  # a link may name another probe's
        if alone:
            silent |= ~np.isin(np.arange(probe.count), alone)
        means = probe.metadata.get("mean_scores") if own.baseline == "mean" else None
        instead = np.where(silent, 0 if means is None else means, scores)
        np.testing.assert_allclose(own.changes().new_logit, weight @ instead + bias, atol=1e-5)
        found = state.strongest().contribution.to_numpy()
        best = np.sort(weight[row] * scores)[::-1][: len(found)]
        np.testing.assert_allclose(found, best, atol=1e-6)


@pytest.mark.parametrize("heard", [{"channel": 1}, {"normalise": True}, {"channel": 0, "normalise": True}])
def test_a_link_reopens_a_recording_as_it_was_heard_and_explained(heard):
    state, links = ExplorerState(Chosen.bench), []
    for name, heard_so in (("rain/stereo.wav", heard), ("rain/mono.wav", {}), ("rain/stereo.wav", {})):
        state.choose_recording(name)
        state.param.update(**heard_so)
        state.param.update(class_name="siren", prototype=7)
        links.append(to_link(state))
    for link in (*links, *reversed(links)):
        assert open_link(state, link) == []
        assert (to_link(state), state.message) == (link, "")


def drawn(state: ExplorerState) -> list[pd.DataFrame]:
    """What the pages draw of the clip."""
    own, decided = state.own["prototypes"], state.own["listen"].decided()
    more = [] if own.explained is None else [own.changes(), own.effects(), own.strongest()]
    return [decided, state.strongest(), *more]


@cache
def by_hand(reading, name: str) -> np.ndarray:
    """Cosines (j n) of a probe's prototypes and the tokens of a clip, in numpy; padding is -inf."""
    bench = Chosen.bench
    encoding = bench.encoder.encode(reading.waveform).on_grid(tuple(bench.encoder.grid))
    real = encoding.mask[0].numpy()
    probe = bench.probes[name]
    latent = probe.latent if name == "protobin" else probe.vectors
    tokens, vectors = (one.detach().double().numpy() for one in (encoding.tokens[0], latent))
    if name == "protobin":
        vectors = np.where(vectors >= 0, 1.0, -1.0)
    tokens[~real] = 1
    tokens, vectors = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (tokens, vectors))
    return np.where(real, vectors @ tokens.T, -np.inf)


Chosen.TestCase.settings = settings(max_examples=10, stateful_step_count=8, deadline=None)
TestChosen = Chosen.TestCase
