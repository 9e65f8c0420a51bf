"""Events, cells or scanned windows as Raven, Audacity and CSV tables, which `folder` reads again."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from protoviz.files import write_text

PLACE = ("onset", "offset", "low_hz", "high_hz")
RAVEN = ("Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)")
# A form -> how its files' names end, so that programs and `folder` know them beside NAME.wav.
FORMS: Mapping[str, str] = {"raven": ".Table.1.selections.txt", "audacity": ".txt", "csv": ".csv"}


def event_table(rows: pd.DataFrame, form: str, file: str = "") -> str:
    r"""Return the text of a table of label, onset, offset (s), low_hz and high_hz; a form of FORMS.

    Raven's tables and CSV keep every further column of `rows`, and name the sound `file` where one is given.
    Audacity has a second line an event for its band. Tabs and line ends in a label are written as spaces.
    Raises ValueError for another form, or for rows that lack a column.
    """
    if form not in FORMS:
        raise ValueError(f"there is no form {form!r}: choose one of {', '.join(FORMS)}")
    if missing := [name for name in ("label", *PLACE) if name not in rows]:
        needed = ", ".join(("label", *PLACE))
        raise ValueError(f"a table of events needs the columns {needed}; {missing[0]} is not there")
    rows = rows.assign(label=[" ".join(str(label).split()) for label in rows["label"]])
    if form == "audacity":
        return "".join(map(_audacity, rows[["label", *PLACE]].itertuples(index=False)))
    if form == "csv":
        named = rows[["label", *PLACE, *_further(rows)]]
        return (named.assign(file=file) if file else named).to_csv(index=False)
    own = rows[list(PLACE)].rename(columns=dict(zip(PLACE, RAVEN, strict=True)))
    own.insert(0, "Selection", range(1, len(own) + 1))
    own.insert(1, "View", "Spectrogram 1")
    own.insert(2, "Channel", 1)
    if file:
        own["Begin File"] = file
    own = own.assign(Annotation=rows["label"], **{name: rows[name] for name in _further(rows)})
    return own.to_csv(index=False, sep="\t")


def write_events(rows: pd.DataFrame, path: str | Path, form: str, file: str = "") -> Path:
    """Write an `event_table` and return its path."""
    write_text(Path(path), event_table(rows, form, file))
    return Path(path)


def as_events(boxes: pd.DataFrame, label: str | None = None, origin: float = 0.0) -> pd.DataFrame:
    """Return rows of `event_table` of places with onset, offset (s), low_hz and high_hz.

    label: of all of them, where they have none of their own. origin: where in its file the clip starts,
    seconds: what is written counts from the file's start, as the programs that read it do.
    """
    named = boxes if label is None else boxes.assign(label=label)
    return named.assign(onset=boxes["onset"] + origin, offset=boxes["offset"] + origin)


def form_of(path: str | Path) -> str:
    """Return the form of FORMS that a file's name ends like. Raise ValueError for another."""
    ends = sorted(FORMS, key=lambda form: -len(FORMS[form]))
    for form in ends:
        if Path(path).name.endswith(FORMS[form]):
            return form
    raise ValueError(f"{path}: a table of events ends in {', '.join(FORMS.values())}")


def _further(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows if name not in ("label", *PLACE)]


def _audacity(row) -> str:
    label, onset, offset, low, high = row
    return f"{float(onset)!r}\t{float(offset)!r}\t{label}\n\\\t{float(low)!r}\t{float(high)!r}\n"
