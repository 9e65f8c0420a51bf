"""What a study says of itself: facts.json of encoders and data sets, clips.parquet of clips, README.md."""

from collections.abc import Sequence

import pandas as pd

from protoviz.datasets import DATASETS, ClipSet
from protoviz.encoders import Encoder
from protoviz.study import Study
from protoviz.study.form import CLIP_COLUMNS, DatasetFacts, EncoderFacts


def encoder_facts(use: str, encoder: Encoder, weights: str) -> EncoderFacts:
    """Return what a study says of an encoder. use: a name in ENCODERS or module:Class; weights: a digest."""
    place = encoder.cell_grid()
    sizes = tuple(encoder.grid), encoder.dim, encoder.sample_rate, float(encoder.seconds)
    span = float(place.box(0, 0)[2]), float(place.box(0, place.freqs - 1)[3])  # Hz
    spans = 0.0 if place.seconds == encoder.seconds else place.seconds
    return EncoderFacts(use, weights, *sizes, encoder.cls_kind, *span, spans)


def dataset_facts(use: str, clips: ClipSet, sample_rate: int, digest: str = "") -> DatasetFacts:
    """Return what a study says of a data set. use: a name in DATASETS or module:function; digest: its own."""
    licence = DATASETS[use].licence if use in DATASETS else ""
    return DatasetFacts(use, tuple(clips.classes), len(clips), _knows(clips, sample_rate), licence, digest)


def _knows(clips: ClipSet, rate: int) -> str:
    """Return what is known of the events: "boxes", "times" or "labels", by the first clips that have any."""
    for i in clips.indices()[:200]:
        events = clips.events(int(i))
        if events:
            bands = {(event.low_hz, event.high_hz) for event in events}
            whole = all(low <= 0 and high >= rate / 2 for low, high in bands)
            return "times" if whole else "boxes"
    return "labels"


def clip_table(
    clips: ClipSet, rows: Sequence[int], durations: Sequence[float], sound: bool = False
) -> pd.DataFrame:
    """Return what a study says of some clips (rows of `clips.table`): CLIP_COLUMNS. durations: in seconds."""
    found = clips.table.iloc[list(rows)].reset_index(drop=True)
    parts = ("label", "onset", "offset", "low_hz", "high_hz")
    events = [[{part: getattr(one, part) for part in parts} for one in clips.events(row)] for row in rows]
    licence = found["licence"].fillna("").astype(str) if "licence" in found else ""
    found = found.assign(events=events, licence=licence, sound=sound, duration=list(durations))
    return found[list(CLIP_COLUMNS)]


OPENING = """

Open it:

    import protoviz
    study = protoviz.open_study(".")
    study.results["results"]

`protoviz study check .` says whether its parts fit together.

Cite the paper whose method it shows: Rauch et al., "Unmute the Patch Tokens: Rethinking Probing in
Multi-Label Audio Classification", ICLR 2026, and the encoders and data sets.
"""


def readme(study: Study) -> str:
    """Return the README of a study: what is in it, how to open it, how to cite, licences."""
    lines = [f"# {_plain(study.name)}", "", "A study of frozen audio encoders, made by protoviz.", ""]
    lines += [
        f"- encoder {_plain(name)}: {_plain(one.use)}, {one.sample_rate} Hz"
        for name, one in study.encoders.items()
    ]
    for name, one in study.datasets.items():
        shown = len(study.clips[name]) if name in study.clips else 0
        counts = f"{one.clips:,} clips of {len(one.classes)} classes, {shown} shown"
        licence = f"; licence: {_plain(one.licence)}" if one.licence else ""
        lines.append(f"- data set {_plain(name)}: {counts}{licence}")
    lines += [f"- method {_plain(title)}: {_plain(use)}" for title, use in study.methods.items()]
    return "\n".join(lines) + OPENING


def _plain(text: str) -> str:
    """Return a name as one line of plain Markdown."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>()#+!|" else sign for sign in " ".join(text.split()))
