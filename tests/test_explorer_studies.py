"""Any study in the explorer: the cells, the pages, what is not at hand, and the way from one to another."""

import asyncio
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import panel as pn
import pytest
from panel.models.markup import HTML
from serving import get
from three_studies import EAT
from typer.testing import CliRunner
from visiting import said

import protoviz
from benchmarks.browser import free_port
from protoviz.cli import app
from protoviz.datasets import scene_id
from protoviz.explorer.frame import Frame, explorer
from protoviz.explorer.pages import PAGES
from protoviz.explorer.serving import tell_environment
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.studies import (
    ALLOW_VARIABLE,
    ENCODERS_VARIABLE,
    VARIABLE,
    Studies,
    asked_in,
    served_studies,
)
from protoviz.explorer.workbench import BenchError
from protoviz.study import open_study, pack_study

NAMES = ("demo", "eat", "own")


@pytest.fixture(scope="module")
def studies(three_studies):
    return Studies([*three_studies, three_studies.data])


def bench_of(studies, name):
    return studies.bench(studies.choose({"study": name})[0])


def frame_of(studies, name):
    choice, _ = studies.choose({"study": name})
    return Frame(ExplorerState(studies.bench(choice)), studies, choice)


@pytest.mark.parametrize("name", NAMES)
def test_every_page_shows_every_study(studies, name):
    frame = frame_of(studies, name)
    for page in PAGES:
        frame.state.page = page
        frame.state.choose_clip(frame.state.workbench.clips["clip"].iloc[-1])
        assert frame.state.message == ""
        assert frame.state.workbench.title_of(frame.state.clip) == frame.state.title
    mixing = frame.views["listen"].clips.fresh.visible
    assert mixing == frame.views["polyphony"].fresh.visible == (name != "own")


def test_what_can_be_done_follows_from_the_study(studies):
    told = {name: bench_of(studies, name).can for name in NAMES}
    assert {name: one.knows for name, one in told.items()} == {
        "demo": "boxes",
        "eat": "labels",
        "own": "boxes",
    }
    assert {name: one.mix for name, one in told.items()} == {"demo": True, "eat": True, "own": False}
    assert not told["own"].encode, "a class of one's own runs only where it is allowed"
    eat = ExplorerState(bench_of(studies, "eat"))
    assert eat.reading.truth == set(eat.workbench.clips["labels"].iloc[len(eat.workbench.clips) // 3])
    assert eat.reading.events == ()
    assert eat.true_boxes() is None, "no hit and no miss where places are not known"
    assert eat.strongest().hit.isna().all()


def test_scenes_are_mixed_of_recordings_with_one_label_whose_sound_travelled(studies):
    state = ExplorerState(bench_of(studies, "eat"))
    state.new_scene()
    assert len(state.reading.events) == 1
    state.mix(3)
    assert {event.label for event in state.reading.events} == state.reading.truth == {"cat", "dog", "rain"}
    assert len(state.strongest()) > 0
    again = ExplorerState(state.workbench)
    again.choose_clip(state.clip)
    assert again.reading is state.reading, "a link's scene is the same for everyone"
    own = ExplorerState(bench_of(studies, "own"))
    own.new_scene()
    assert own.message == own.workbench.lacks("mix")


def test_what_needs_the_encoder_or_the_sound_says_so_and_breaks_nothing(studies):
    frame = frame_of(studies, "own")
    state, lacking = frame.state, frame.state.workbench.lacks("encoder")
    assert "--allow three_studies" in lacking
    assert lacking in state.workbench.remarks
    assert not state.open_file("mine.wav", b"RIFF")
    assert state.message == lacking
    assert not state.reading.audible
    assert state.reading.seconds == pytest.approx(2.0)
    assert state.reading.picture.any(), "its picture travelled"
    state.page = "prototypes"
    frame.view.hear_rank(1)
    assert frame.view.player.played == 0
    own = state.own["prototypes"]
    own.take_box(state.reading.events[0])
    own.take_out()
    assert own.taken_out is None
    assert own.lacking == lacking
    state.page = "attention"
    assert "study add" in said(frame.view)


def test_an_own_encoder_runs_where_it_is_allowed(three_studies):
    bench = Studies([three_studies.own], allow=["three_studies"]).first()
    assert bench.can.encode
    assert bench.remarks == ()
    sound = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    assert set(bench.logits(sound)) == set(bench.probes)


def test_weights_give_an_encoder_for_new_sounds(three_studies, tmp_path):
    folder = tmp_path / "eat"
    shutil.copytree(three_studies.eat, folder)
    text = (folder / "study.toml").read_text(encoding="utf-8")
    (folder / "study.toml").write_text(text.replace(EAT.as_posix(), "gone.safetensors"), encoding="utf-8")
    without, given = (Studies([folder], weights).first() for weights in ({}, {"eat": str(EAT)}))
    assert "--weights eat=FILE" in without.lacks("encoder")
    assert given.can.encode
    clip = without.clips["clip"].iloc[0]
    for name, told in without.reading(clip).explained.items():
        np.testing.assert_array_equal(told.logits, given.reading(clip).explained[name].logits)
        np.testing.assert_allclose(told.logits, given.logits(given.waveform(clip))[name], atol=0.05)


def test_the_header_goes_from_one_study_to_another_and_a_link_says_which(studies):
    frame = frame_of(studies, "eat")
    state = frame.state
    state.param.update(page="prototypes", class_name="rain")
    assert "study=eat" in frame.navigation.address["query"]
    frame.which.fields["study"].value = "demo"
    assert frame.state is not state
    assert (frame.choice.study, frame.state.page, frame.state.class_name) == ("demo", "prototypes", "rain")
    assert "study=" not in frame.navigation.address["query"], "the first one need not be named"
    assert list(frame.views) == ["prototypes"]
    clip = frame.state.clip
    frame._walk(type("Message", (), {"data": {"query": "?page=listen&study=eat"}}))
    assert (frame.choice.study, frame.state.page) == ("eat", "listen")
    frame._walk(type("Message", (), {"data": {"query": f"?page=ranks&clip={clip}"}}))
    assert (frame.choice.study, frame.state.clip) == ("demo", clip)
    frame._walk(type("Message", (), {"data": {"query": "?study=nowhere"}}))
    assert "study" in frame.state.message
    assert [field.visible for field in frame.which.fields.values()] == [True, False, False]


def test_old_links_of_scenes_open_the_same_clip(studies):
    frame = frame_of(studies, "demo")
    frame._open("?scene=7&events=4")
    assert (frame.state.clip, frame.state.message) == (scene_id(7, 4), "")
    listed = frame.state.workbench.clips.iloc[0]
    frame._open(f"?scene={listed.seed}&events={listed.polyphony}")
    assert frame.state.clip == listed["clip"]
    other = frame_of(studies, "eat")
    other._open("?study=eat&scene=7&events=4")
    assert "scene, events" in other.state.message


def test_one_that_cannot_be_shown_is_said_with_its_cure_and_stops_no_other(three_studies, tmp_path):
    unrun, damaged = tmp_path / "unrun", tmp_path / "damaged"
    unrun.mkdir()
    (unrun / "study.toml").write_text('name = "unrun"\n')
    shutil.copytree(three_studies.own, damaged)
    (damaged / "facts.json").write_text("{")
    studies = Studies([unrun, damaged, three_studies.own])
    assert studies.choose(asked_in("?study=unrun")) == (("own", "folder", "Patches"), ["study"])
    told = frame_of(studies, "own")._remark.object
    assert f"protoviz study run {unrun}" in told
    assert f"protoviz study add {damaged}" in told
    with pytest.raises(BenchError, match="study run"):
        Studies([unrun]).first()


def test_a_study_whose_maps_are_damaged_makes_room_for_the_next(three_studies, tmp_path):
    folder = tmp_path / "own"
    shutil.copytree(three_studies.own, folder)
    tokens = next(folder.rglob("tokens.npy"))
    tokens.write_bytes(tokens.read_bytes()[:-8] + bytes(8))
    page = explorer(studies=Studies([folder, three_studies.eat]))
    texts = " ".join(str(pane.object) for pane in page.main[0].select(pn.pane.HTML))
    assert "tokens.npy has changed" in texts
    assert "study add" in texts
    alone = explorer(studies=Studies([folder]))
    assert "tokens.npy has changed" in str(alone.main[0][0].object)


def test_a_packed_study_is_shown_where_neither_data_nor_weights_are(three_studies, tmp_path, monkeypatch):
    monkeypatch.setenv("PROTOVIZ_CACHE", str(tmp_path / "cache"))
    for name in ("eat", "own"):
        pack_study(getattr(three_studies, name), tmp_path / f"{name}.zip")
    found = Studies([tmp_path / "eat.zip", tmp_path / "own.zip"])
    for name in ("eat", "own"):
        frame, here = frame_of(found, name), bench_of(Studies([getattr(three_studies, name)]), name)
        assert not frame.state.workbench.can.encode
        for page in PAGES:
            frame.state.page = page
        clip = frame.state.clip
        for probe, told in frame.state.reading.explained.items():
            np.testing.assert_array_equal(told.logits, here.reading(clip).explained[probe].logits)


def test_a_variable_an_argument_and_python_say_what_is_served(three_studies, monkeypatch):
    for name in (VARIABLE, ENCODERS_VARIABLE, ALLOW_VARIABLE):
        monkeypatch.setenv(name, "")
    assert list(served_studies().places) == ["demo"]
    tell_environment([three_studies.eat, open_study(three_studies.own)], {"eat": EAT}, ["three_studies"])
    told = served_studies()
    assert list(told.places) == ["eat", "own"]
    assert told.weights == {"eat": str(EAT)}
    assert bench_of(told, "own").can.encode
    assert served_studies() is told, "sessions share what they open"
    assert list(served_studies([str(three_studies.own)]).places) == ["own"]


def test_two_servers_of_python_show_each_its_own_and_set_no_variable(three_studies):
    encoders = [next(iter(open_study(one).encoders)) for one in (three_studies.eat, three_studies.own)]

    async def served() -> list[list[str]]:
        before, found = dict(os.environ), []
        for study in (three_studies.eat, open_study(three_studies.own)):
            server = protoviz.serve(study, port=free_port(), show=False, allow=["three_studies"])
            found.append(server)
        assert dict(os.environ) == before
        texts = []
        for server in found:
            assert (await asyncio.to_thread(get, server.port, "/app"))[0] == 200
            (session,) = server.get_sessions("/app")
            notes = {one.text for one in session.document.select({"type": HTML})}
            texts.append([name for name in encoders if any(f"{name}: " in note for note in notes)])
            server.stop()
        return texts

    with ThreadPoolExecutor(1) as apart:  # a loop that ends would leave later tests of this thread none
        assert apart.submit(asyncio.run, served()).result() == [[name] for name in encoders]


@pytest.mark.parametrize("words", [["nowhere"], ["--weights", "eat"]])
def test_a_place_or_weights_that_cannot_be_are_refused_before_anything_is_served(words):
    done = CliRunner().invoke(app, ["serve", "--no-show", *words])
    assert done.exit_code != 0
    assert words[-1] in done.output
