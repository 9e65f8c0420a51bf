"""What a file says is held against a form: it is of that form, or the message names file, place and cure."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.settings import MOST_BYTES, SettingsError, checked, read_json, read_toml


@dataclass(frozen=True)
class Shape:
    width: Annotated[int, range(1, 513)]
    rate: float = 1.0
    kind: Literal["a", "b"] = "a"
    grid: tuple[int, int] | None = None

    def __post_init__(self):
        if self.width % 2:
            raise ValueError(f"width {self.width} is odd")


class Header(TypedDict):
    shape: Shape
    names: list[str]
    note: NotRequired[str]


GOOD = {"shape": {"width": 8, "grid": [3, 2]}, "names": ["dog"], "more": 1}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def test_a_table_becomes_its_dataclass_and_what_else_is_there_stays():
    found = checked(GOOD, Header, "a.json")
    assert found == {"shape": Shape(8, grid=(3, 2)), "names": ["dog"], "more": 1}


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("width", "8", "shape.width has to be a whole number, not '8'"),
        ("width", True, "shape.width has to be a whole number, not True"),
        ("width", 8.0, "shape.width has to be a whole number"),
        ("width", 1024, "shape.width has to be 1 to 512, not 1024"),
        ("width", 2**70, "shape.width has to be a whole number"),
        ("width", 7, "width 7 is odd"),
        ("rate", float("nan"), "shape.rate has to be a number, not nan"),
        ("rate", 10**400, "shape.rate has to be a number"),
        ("kind", "c", "shape.kind has to be one of 'a', 'b', not 'c'"),
        ("grid", [1, 2, 3], "shape.grid has to be a list of 2: a whole number, a whole number"),
        ("wide", 1, "shape has 'wide'; known are width, rate, kind, grid"),
    ],
)
def test_the_message_names_file_place_and_cure(place, value, said):
    wrong = {**GOOD, "shape": {**GOOD["shape"], place: value}}
    with pytest.raises(KeyError, match=r"a\.json.*save it again") as raised:
        checked(wrong, Header, "a.json", "save it again", KeyError)
    assert said in raised.value.args[0]


def test_what_has_to_be_there_is_named():
    with pytest.raises(SettingsError, match="lacks names"):
        checked({"shape": {"width": 2}}, Header, "a.json")
    with pytest.raises(SettingsError, match=r"note has to be a text, in quotes, not 5"):
        checked({**GOOD, "note": 5}, Header, "a.json")
    with pytest.raises(SettingsError, match="shape lacks width"):
        checked({"shape": {}, "names": []}, Header, "a.json")


@settings(max_examples=60)
@given(JSON, st.sampled_from([Header, Shape, dict[str, float], list[Shape], tuple[int, ...], Any]))
def test_any_value_is_of_the_form_or_refused(value, form):
    try:
        checked(value, form, "a.json")
    except SettingsError:
        return


@settings(max_examples=60)
@given(JSON)
def test_a_part_of_any_other_kind_is_of_the_form_or_refused(value):
    for place in GOOD["shape"]:
        try:
            found = checked({**GOOD, "shape": {**GOOD["shape"], place: value}}, Header, "a.json")
        except SettingsError:
            continue
        assert isinstance(getattr(found["shape"], place), int | tuple | None)


def test_a_file_that_is_no_settings_at_all_is_refused_by_name(tmp_path):
    deep = "[" * 100_000
    bad = {
        b"{": "is no JSON",
        b"\xff": "UTF-8",
        deep.encode(): "nested too deeply",
        b"": "no JSON",
    }
    for data, said in bad.items():
        (tmp_path / "a.json").write_bytes(data)
        with pytest.raises(SettingsError, match=rf"a\.json.*{said}"):
            read_json(tmp_path / "a.json")
    for data in (b"a = ", f"a = {deep}".encode(), b"a = 1\na = 2"):
        (tmp_path / "a.toml").write_bytes(data)
        with pytest.raises(SettingsError, match=r"a\.toml is no TOML"):
            read_toml(tmp_path / "a.toml")
    with pytest.raises(SettingsError, match="no file"):
        read_json(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps({"é": 1}), encoding="utf-8-sig")
    assert read_json(tmp_path / "a.json", dict[str, int]) == {"é": 1}


def test_a_huge_file_is_refused_by_its_size(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(SettingsError, match=r"a\.json has 67,108,865 bytes"):
        read_json(tmp_path / "a.json")


def test_toml_that_takes_minutes_to_read_is_refused_by_its_size(tmp_path):
    (tmp_path / "grid.toml").write_text("a" + ".a" * 200_000 + " = 1")
    with pytest.raises(SettingsError, match="400,005 bytes"):
        read_toml(tmp_path / "grid.toml")
