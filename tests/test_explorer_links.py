"""A link reopens the view that it was made of, and opens what it can when it is wrong."""

import re
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import param
import pytest
from bokeh.models import Toolbar
from hypothesis import given, settings
from hypothesis import strategies as st
from page_bench import small_bench, wav

from protoviz.datasets import scene_id
from protoviz.explorer.frame import Frame
from protoviz.explorer.link import TODAY, link_names, open_link, to_link, unique
from protoviz.explorer.pages import PAGES, SECTIONS
from protoviz.explorer.session import ExplorerState, state_of


def words(state):
    return {name: value[0] for name, value in parse_qs(to_link(state)[1:]).items()}


@pytest.fixture(scope="module")
def shared_state():
    return ExplorerState(small_bench())


CHOICES = {
    "clip": st.sampled_from([scene_id(seed, k) for seed in (1, 30, 61) for k in range(1, 9)]),
    "left": st.sampled_from(["linear", "protobin"]),
    "right": st.sampled_from(["linear", "protobin"]),
    "class_name": st.sampled_from(small_bench().classes),
    "prototype": st.integers(-1, 479),
    "order": st.sampled_from(["truth", "probability", "name"]),
    "show_events": st.booleans(),
    "show_similarity": st.booleans(),
}


@settings(max_examples=15)
@given(choices=st.fixed_dictionaries(CHOICES))
def test_a_link_reopens_the_same_view(shared_state, choices):
    state = ExplorerState(small_bench(), clip=choices["clip"])
    state.param.update(**choices)
    assert open_link(shared_state, to_link(state)) == []
    assert {name: getattr(shared_state, name) for name in choices} == choices
    assert to_link(shared_state) == to_link(state)


def test_every_name_in_a_link_is_a_choice_and_carries_its_page():
    state = ExplorerState(small_bench())
    for name, (page, key) in link_names().items():
        owner = state.own[page] if page else state
        assert key in owner.param
        assert ("." in name) == bool(page)
    assert set(TODAY.values()) <= set(link_names())


@pytest.mark.parametrize("name", ["ranks.table", next(iter(TODAY))])
def test_a_name_given_twice_is_refused(name):
    names = [("ranks.table", ("ranks", "table")), (name, ("later", "table"))]
    with pytest.raises(ValueError, match=re.escape(name)):
        unique(names)


def test_a_page_is_asked_for_its_choices_only_when_it_is_shown_or_named():
    """What is made later is followed by the address bar too."""
    frame = Frame(ExplorerState(small_bench()))
    assert set(frame.state.own) == {"listen"}
    assert open_link(frame.state, "?orthogonality.form=real") == []
    assert set(frame.state.own) == {"listen", "orthogonality"}
    assert "orthogonality.form=real" in frame.navigation.address["query"]
    with pytest.raises(KeyError):
        frame.state.own["nowhere"]


@pytest.mark.parametrize(("old", "new"), TODAY.items())
def test_a_link_from_before_names_carried_their_page_opens_the_same(shared_state, old, new):
    def opened(name, value):
        open_link(shared_state, "?page=listen")
        return bool(open_link(shared_state, f"?{urlencode({name: value})}")), to_link(shared_state)

    for value in ("2", "0", "own", "zero", "linear", "protobin", "1,2,3,4", "nothing"):
        assert opened(old, value) == opened(new, value)


def test_a_link_says_what_is_not_as_usual():
    state = ExplorerState(small_bench())
    assert set(words(state)) == {"page", "clip", "class"}
    state.param.update(order="name", show_events=False)
    assert words(state)["order"] == "name"
    assert words(state)["boxes"] == "0"
    assert open_link(state, "?page=listen") == []
    assert (state.order, state.show_events) == ("truth", True)


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("?class=no_such_class&events=2", ["class"]),
        ("?events=99", ["events"]),
        ("?scene=-1", ["scene"]),
        ("?scene=4.5", ["scene"]),
        ("?scene=99999999999999999999", ["scene"]),
        ("?left=__import__('os')", ["left"]),
        ("?left=linear&right=linear&whatif=region&mute=3", []),
        ("?page=nowhere&boxes=maybe", ["page", "boxes"]),
        ("?unheard=of", ["unheard"]),
        ("?file=%2Fetc%2Fpasswd", ["file"]),
        ("?clip=nowhere", ["clip"]),
        ("?%00=%00&&&=&scene", []),
    ],
)
def test_what_a_link_gets_wrong_is_left_out(query, refused):
    state = ExplorerState(small_bench(), clip="scene-30-3")
    found = open_link(state, query)
    assert [name for name in found if name in {"\x00", *refused}] == found
    assert set(refused) <= set(found)
    assert state.polyphony == (2 if "events=2" in query else 3)
    assert (state.page, state.scene[0]) == ("listen", 30)


def test_a_link_leaves_an_own_file_for_its_scene():
    state = ExplorerState(small_bench(), clip="scene-30-3")
    link = to_link(state)
    assert state.open_file("a.wav", wav(state.reading.waveform))
    assert "a.wav" not in to_link(state)
    open_link(state, link)
    assert state.source == "clip"


def test_what_a_session_may_choose_among_is_its_own():
    def on_classes():
        return {
            (kind, name): list(parameter.objects)
            for kind in (ExplorerState, *map(state_of, (*PAGES, *SECTIONS)))
            for name, parameter in kind.param.objects().items()
            if isinstance(parameter, param.Selector)
        }

    before = on_classes()
    state = ExplorerState(small_bench())
    assert state.own["orthogonality"].param.probe.objects == ["protobin"]
    assert on_classes() == before


def test_pages_are_built_when_they_are_shown_and_kept():
    frame = Frame(ExplorerState(small_bench()))
    assert list(frame.views) == ["listen"]
    for key in PAGES:
        frame.state.page = key
        assert frame.view is frame.views[key]
        assert [name for name, place in frame.places.items() if place.styles["visibility"] == "visible"] == [
            key
        ]
        assert frame.navigation.address["query"] == to_link(frame.state)
    listen = frame.views["listen"]
    frame.state.page = "listen"
    assert frame.view is listen


def test_a_hidden_page_draws_when_it_is_shown_again():
    frame = Frame(ExplorerState(small_bench(), clip="scene-30-3"))
    if len(PAGES) == 1:
        pytest.skip("there is one page only")
    listen, other = frame.view, next(key for key in PAGES if key != "listen")
    frame.state.page = other
    before = listen.spectrogram.picture.data["image"][0]
    frame.state.choose_clip("scene-61-6")
    assert listen.spectrogram.picture.data["image"][0] is before
    frame.state.page = "listen"
    assert listen.spectrogram.picture.data["image"][0] is frame.state.reading.picture


NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks" / "py"
GIVEN = [
    (path.stem, query)
    for path in sorted(NOTEBOOKS.glob("*.py"))
    for query in re.findall(r"localhost:5006/app(\?[^`\s]*)", path.read_text())
]


@pytest.mark.parametrize(("notebook", "query"), GIVEN)
def test_the_link_of_a_notebook_opens_what_it_names(shared_state, notebook, query):
    assert open_link(shared_state, query) == []
    asked = parse_qs(query[1:])
    old = tuple(int(asked.pop(name)[0]) for name in ("scene", "events") if name in asked)
    assert shared_state.scene[: len(old)] == old, "a link of when a clip was known by its scene"
    for name, (value,) in asked.items():
        page, key = link_names()[name]
        assert str(getattr(shared_state.own[page] if page else shared_state, key)) == value


def test_every_notebook_has_a_link():
    assert {notebook for notebook, _ in GIVEN} == {path.stem for path in NOTEBOOKS.glob("*.py")}


def test_no_figure_of_any_page_takes_the_bare_wheel():
    frame = Frame(ExplorerState(small_bench()))
    for key in PAGES:
        frame.state.page = key
    bars = list(frame.page.get_root().select({"type": Toolbar}))
    assert len(bars) >= 2 * len(PAGES)
    wheels = [bar.active_scroll for bar in bars if bar.active_scroll not in (None, "auto")]
    assert all(tool.modifiers for tool in wheels), "zoom waits for a key"


@pytest.mark.parametrize("title", PAGES.values())
def test_a_page_is_also_known_by_its_title(shared_state, title):
    assert open_link(shared_state, f"?page={title.lower()}") == []
    assert PAGES[shared_state.page] == title


@pytest.fixture(scope="module")
def shared_frame():
    return Frame(ExplorerState(small_bench()))


CLIP = "clip=scene-30-3&class=rain"
NAMES = sorted({*link_names(), *TODAY} - {"page", "clip"})
ODD = [
    *("*", "-1", "0", "7", "99999", "1e400", "nan", "-inf", "0.5", "0,1,0,1", "9,3,2,5", "-3,-2", "None"),
    *("linear", "protobin", "mean", "zero", "region", "tokens", "![i](http://h/x.png)", "\x00", ""),
]


@settings(max_examples=40)
@given(
    page=st.sampled_from([*PAGES, "nowhere"]),
    words=st.dictionaries(
        st.sampled_from(NAMES) | st.text(max_size=6), st.sampled_from(ODD) | st.text(max_size=8), max_size=8
    ),
)
def test_any_link_opens_a_page(shared_frame, shared_state, page, words):
    query = f"?{urlencode({'page': page, **words})}"
    for state in (shared_frame.state, shared_state):  # one with pages, one without
        open_link(state, f"?{CLIP}")
        refused = open_link(state, query)
    assert set(refused) <= {"page", *words}
    assert shared_frame.places[shared_frame.state.page].styles["visibility"] == "visible"
    assert shared_frame.navigation.address["query"].split("&")[1:] == to_link(shared_state).split("&")[1:]


def test_a_link_of_an_earlier_version_opens_the_page_of_today(shared_state):
    assert open_link(shared_state, "?page=dial&runs=dial&curve=normalised") == []
    assert (shared_state.page, shared_state.own["polyphony"].table) == ("polyphony", "polyphony")
    assert open_link(shared_state, "?page=ranks&table=dial") == []
    assert shared_state.own["ranks"].table == "polyphony"


OWN_RANKS = "?page=ranks&numbers=own&set=mixed&follow=A-MAE&poolings=all&table=poolings"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("?page=ranks&follow=ASiT", OWN_RANKS),
        ("?page=ranks&numbers=own&table=polyphony&set=mixed&follow=mini-eat", OWN_RANKS),
        ("?page=ranks&numbers=own&set=procedural&table=polyphony", "?page=ranks&set=procedural&poolings=all"),
        (
            "?page=polyphony&curve=loudness",
            "?page=polyphony&runs=poolings&curve=loudness&of=mini-eat&probes=main",
        ),
        ("?page=attention&layer=2&head=1", "?page=attention&layer=90&head=90"),
        ("?page=orthogonality&form=real", "?page=orthogonality&form=real&stage=before&prototype=9999"),
        ("?page=prototypes", "?page=prototypes&left=linear&right=linear&muted_as=mean&whatif=region"),
    ],
)
def test_a_page_that_is_drawn_chooses_nothing(shared_frame, shared_state, before, after):
    """Where a choice is not to be had, the page shows another; the link keeps what it asked for."""
    for query in (before, f"{after}&{CLIP}"):
        assert open_link(shared_frame.state, query) == []
    assert open_link(shared_state, query) == []
    assert shared_frame.navigation.address["query"] == to_link(shared_state)


HOSTILE = "![i](http://h.example/x.png)[a](http://h.example) *x* <img src=x> <b>&amp;"


def test_what_a_link_or_a_file_is_called_is_shown_as_it_is_written(shared_frame):
    def shown() -> str:
        """All words of the alert, as the browser gets them; its own text would be Markdown."""
        assert not shared_frame.alert.object
        return unescape("".join(one.object for one in shared_frame.alert))

    shared_frame._open(f"?{urlencode({HOSTILE: 1})}")
    assert shared_frame.alert.visible
    assert HOSTILE in shown()
    assert "<" not in "".join(one.object for one in shared_frame.alert)
    assert not shared_frame.state.open_file(HOSTILE, b"no sound")
    assert HOSTILE in shown()
    assert not shared_frame.state.open_file(HOSTILE, b"")
    assert HOSTILE in shown()
    assert "0 bytes" in shown()
