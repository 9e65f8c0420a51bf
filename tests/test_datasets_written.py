"""What is written as a Raven or Audacity table is what the readers of such tables find in it."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.datasets.folder import FORMS, event_table, read_table, write_events

WORD = (
    st.text("abcdefgh XYZ-_.(),;'", min_size=1, max_size=20)
    .map(str.strip)
    .filter(lambda text: any(letter.isalpha() for letter in text))
)
EVENT = st.tuples(
    WORD.map(lambda text: f"n{text}"),
    st.floats(0, 10).map(lambda x: round(x, 4)),
    st.floats(0.001, 2).map(lambda x: round(x, 4)),
    st.floats(0, 3000).map(lambda x: round(x, 2)),
    st.floats(1, 4000).map(lambda x: round(x, 2)),
)


def frame(events):
    rows = [(name, on, on + long, low, low + high) for name, on, long, low, high in events]
    return pd.DataFrame(rows, columns=["label", "onset", "offset", "low_hz", "high_hz"])


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15)
@given(events=st.lists(EVENT, min_size=1, max_size=6, unique_by=lambda event: event[:2]))
def test_events_come_back_as_they_were_written(form, events, tmp_path_factory):
    rows = frame(events)
    folder = tmp_path_factory.mktemp("written")
    path = write_events(rows, folder / f"clip{FORMS[form]}", form, "clip.wav")
    table = read_table(path, lambda cell: cell == "clip.wav")
    found = [statement.event for statement in table.rows]
    assert [event.label for event in found] == [" ".join(label.split()) for label in rows.label]
    for column in ("onset", "offset", "low_hz", "high_hz"):
        assert [getattr(event, column) for event in found] == pytest.approx(rows[column].tolist(), abs=1e-9)


def test_further_columns_stay_beside():
    rows = frame([("bell", 1.0, 0.5, 100.0, 200.0)]).assign(rank=1, prototype=17)
    header, row = event_table(rows, "raven").strip().split("\n")
    assert dict(zip(header.split("\t"), row.split("\t"), strict=True))["prototype"] == "17"


def test_another_form_and_a_missing_column_are_named():
    rows = frame([("bell", 1.0, 0.5, 100.0, 200.0)])
    with pytest.raises(ValueError, match="raven"):
        event_table(rows, "praat")
    with pytest.raises(ValueError, match="low_hz is not there"):
        event_table(rows.drop(columns="low_hz"), "raven")
