"""Which prototypes decide a class, where they looked, what they add to its logit, and what each probe missed.

Letters: c class, j prototype. All arrays belong to one clip.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

MOST_CLASSES = 25  # that a chart lists for being high


def strongest_prototypes(
    row, scores, locations, grid, k: int = 5, boxes: Iterable | None = None
) -> pd.DataFrame:
    """Return the k prototypes that raise one class's logit most, strongest first: one row each.

    row        (j,) contributions of the prototypes to this class: classifier weight x score
    scores     (j,) each prototype's similarity at its max location
    locations  (j,) that cell's number n = t * F + f
    grid       the token map's `CellGrid`
    boxes      true events of this class (onset, offset, low_hz, high_hz); None where the truth is not known

    Columns: rank (1 = strongest), prototype (j), score, contribution, t, f, onset, offset (seconds), low_hz,
    high_hz, hit: the cell shares some area with a box of the class; <NA> where the truth is not known.
    Equal contributions are ranked by prototype number. Only positive ones argue for a class, so fewer than k
    rows may come back. Source: logit = W s + b, split into its summands (paper, section 3.1).
    """
    row = np.asarray(row, dtype=float)
    order = np.argsort(-row, kind="stable")[:k]
    order = order[row[order] > 0]
    places = [grid.place(int(locations[j])) for j in order]
    cells = [grid.box(t, f) for t, f in places]
    known = None if boxes is None else list(boxes)
    frame = pd.DataFrame(
        {
            "rank": np.arange(1, len(order) + 1),
            "prototype": order,
            "score": np.asarray(scores, dtype=float)[order],
            "contribution": row[order],
            "t": [t for t, _ in places],
            "f": [f for _, f in places],
        }
    ).astype({"t": int, "f": int})
    for name in ("onset", "offset", "low_hz", "high_hz"):
        frame[name] = np.array([getattr(cell, name) for cell in cells], dtype=float)
    hits = [pd.NA if known is None else any(touches(cell, box) for box in known) for cell in cells]
    return frame.assign(hit=pd.array(hits, dtype="boolean"))


def prototype_table(strongest: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of `strongest_prototypes` to be read by people: words and units for names, short
    numbers.

    Index: rank. Columns: prototype, score, contribution, from s, to s, from Hz, to Hz, on a true event
    ("yes", "no", "" where the truth is not known).
    """
    return pd.DataFrame(
        {
            "rank": strongest["rank"],
            "prototype": strongest.prototype,
            "score": strongest.score.round(3),
            "contribution": strongest.contribution.round(2),
            "from s": strongest.onset.round(2),
            "to s": strongest.offset.round(2),
            "from Hz": strongest.low_hz.round().astype(int),
            "to Hz": strongest.high_hz.round().astype(int),
            "on a true event": strongest.hit.map({True: "yes", False: "no"}, na_action="ignore").fillna(""),
        }
    ).set_index("rank")


def touches(a, b) -> bool:
    """Return whether two boxes (onset, offset, low_hz, high_hz) share some area, more than an edge."""
    return (
        a.onset < b.offset and b.onset < a.offset and a.low_hz < b.high_hz and b.low_hz < a.high_hz
    )  # fmt: skip


def logit_parts(row, bias: float, strongest: pd.DataFrame) -> pd.DataFrame:
    """Return the summands of one class's logit, in the order in which they are added: they end at the logit
    exactly.

    row (j,) contributions to the class, bias its bias, strongest a frame of `strongest_prototypes`.
    Rows: each strongest prototype; all others together; the bias (left out where it is 0: some heads have
    none); the logit. Columns: part ("prototype" | "others" | "bias" | "logit"), rank and prototype (-1 where
    not one prototype), count (prototypes in the row), value, start and end of the bar (the logit's from 0).
    """
    row = np.asarray(row, dtype=float)
    parts = [
        ("prototype", int(s.rank_), int(s.prototype), 1, float(s.contribution))
        for s in strongest.rename(columns={"rank": "rank_"}).itertuples()
    ]
    rest = len(row) - len(strongest)
    if rest:
        parts.append(("others", -1, -1, rest, float(row.sum() - strongest.contribution.sum())))
    if bias:
        parts.append(("bias", -1, -1, 0, float(bias)))
    frame = pd.DataFrame(parts, columns=["part", "rank", "prototype", "count", "value"])
    frame["end"] = frame.value.cumsum()
    frame["start"] = frame.end - frame.value
    logit = float(row.sum() + bias)
    total = pd.DataFrame([("logit", -1, -1, 0, logit, logit, 0.0)], columns=frame.columns)
    return pd.concat([frame, total], ignore_index=True) if len(frame) else total


def class_scores(
    classes: Sequence[str], logits: Mapping[str, np.ndarray], truth: Collection[str] | None
) -> pd.DataFrame:
    """Return what each probe says of each class in one clip: a tidy frame, one row a probe and class.

    logits: probe -> (c,). truth: the labels of the events in the clip, or None where they are not known.
    Columns: probe, class, logit, probability (sigmoid of the logit), rank (1 = this probe's highest logit;
    equal logits in class order), present (boolean, <NA> where unknown), missed.

    The rule of `missed`, the same for every probe and free of any threshold: a clip holds k different labels;
    a probe that hears them all puts them on its first k ranks; a present class on a lower rank is missed.
    """
    truth = None if truth is None else set(truth)
    frames = []
    for probe, values in logits.items():
        values = np.asarray(values, dtype=float)
        rank = np.empty(len(values), dtype=int)
        rank[np.argsort(-values, kind="stable")] = np.arange(1, len(values) + 1)
        present = [pd.NA if truth is None else name in truth for name in classes]
        frames.append(
            pd.DataFrame(
                {
                    "probe": probe,
                    "class": list(classes),
                    "logit": values,
                    "probability": sigmoid(values),
                    "rank": rank,
                    "present": pd.array(present, dtype="boolean"),
                }
            )
        )
    frame = pd.concat(frames, ignore_index=True)
    limit = 0 if truth is None else len(truth & set(classes))
    return frame.assign(missed=frame.present.fillna(False).astype(bool) & (frame["rank"] > limit))


def what_was_missed(scores: pd.DataFrame) -> dict[str, list[str]]:
    """Return probe -> the classes that it missed, best rank first (see `class_scores`); {} without truth."""
    if scores.present.isna().all():
        return {}
    missed = scores[scores.missed].sort_values("rank")
    return {
        probe: missed.loc[missed.probe == probe, "class"].tolist() for probe in scores.probe.drop_duplicates()
    }


def over_threshold(scores: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return which classes pass a threshold: a frame of `class_scores` with the columns passes and verdict.

    passes: the probability is the threshold or more. verdict: "hit" (present and passes), "silent" (present,
    does not pass), "false alarm" (passes, not present), "rest" (neither); where the truth is not known
    "named" or "rest". Unlike the rank rule of `missed` this one depends on how high the probabilities are,
    not on their order alone.
    """
    passes = (scores.probability >= threshold).to_numpy()
    known = scores.present.notna().to_numpy()
    present = scores.present.fillna(False).to_numpy(dtype=bool)
    cases = [passes & ~known, passes & present, passes, present]
    verdict = np.select(cases, ["named", "hit", "false alarm", "silent"], "rest")
    return scores.assign(passes=passes, verdict=verdict)


def class_order(scores: pd.DataFrame, by: str, probe: str) -> list[str]:
    """Return the classes in the order in which a chart shows them.

    by: "truth" (present ones first, each group by the probability under `probe`), "probability" or "name".
    """
    if by not in ("truth", "probability", "name"):
        raise ValueError(f'classes are ordered by "truth", "probability" or "name", not {by!r}')
    one = scores[scores.probe == probe]
    if by == "name":
        return sorted(one["class"])
    keys = ["absent", "rank"] if by == "truth" else ["rank"]
    return one.assign(absent=~one.present.fillna(False).astype(bool)).sort_values(keys)["class"].tolist()


def listed_classes(
    scores: pd.DataFrame, order: Sequence[str], search: str = "", keep: Collection[str] = ()
) -> list[str]:
    """Return those classes of `order` that a chart lists, in that order: all, where there are no more than
    `MOST_CLASSES`.

    Of more: so many that some probe of `scores` (a frame of `class_scores`) ranks highest, all that are
    present, and those in `keep`. search: part of a name; the classes that have it come first, so many at
    most, whatever the probes say.
    """
    words = search.casefold().replace("_", " ").strip()
    found = [name for name in order if words and words in name.casefold().replace("_", " ")]
    found = found[:MOST_CLASSES]
    listed = set(order)
    if len(listed) > MOST_CLASSES:
        best = scores.groupby("class", sort=False)["rank"].min().sort_values(kind="stable")
        present = scores["class"][scores.present.fillna(False).astype(bool)]
        listed = {*best.index[:MOST_CLASSES], *present, *keep}
    return [*found, *(name for name in order if name in listed and name not in found)]


def sigmoid(values) -> np.ndarray:
    """Return 1 / (1 + exp(-x)), without overflow at either end."""
    values = np.asarray(values, dtype=float)
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1, small) / (1 + small)
