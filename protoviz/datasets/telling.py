"""What was understood of a data set, in lines for people: counts, classes, ten clips, and what is skipped."""

from collections.abc import Iterator

import pandas as pd

from protoviz.datasets.clips import ClipSet
from protoviz.datasets.groups import torn_groups
from protoviz.datasets.spec import DatasetSpec

SHOWN = 10  # clips, and skipped ones
CLASSES = 50


def tell(spec: DatasetSpec, clips: ClipSet, damaged: pd.DataFrame | None = None) -> Iterator[str]:
    """Yield what a person should look at before she trusts a copy; damaged: what `ClipSet.damaged` found."""
    labels = clips.label_counts()
    task, metric = spec.task_of(clips.single), spec.metric_of(clips.single)
    yield f"{spec.name}: {spec.title}, {task}, {metric}; {spec.licence}"
    yield _counts(clips, labels)
    yield from clips.notes
    yield from _classes(spec, clips, labels)
    for row in clips.table.iloc[:: max(1, -(-len(clips) // SHOWN))].itertuples():
        yield f"  {row.clip} ({row.split}): {'; '.join(row.labels) or 'no class'}"
    yield from _absent(clips, labels)
    yield from _torn(spec, clips)
    skipped = pd.concat([clips.skipped, *([] if damaged is None else [damaged])], ignore_index=True)
    for row in skipped.head(SHOWN).itertuples():
        yield f"  {row.kind}: {row.clip} ({row.split}): {row.reason}"
    if len(skipped) > SHOWN:
        told = f"`protoviz data check {spec.name} --skipped FILE`"
        yield f"  and {len(skipped) - SHOWN:,} more; {told} writes all of them"


def _counts(clips: ClipSet, labels: pd.DataFrame) -> str:
    """A row a split: clips, what was skipped by kind, classes with a clip, labels a clip."""
    table, held = clips.counts(), labels.gt(0).sum()
    clips_of, sums = table["clips"], labels.sum()
    mean = [f"{sums[split] / count:.2f}" if count else "-" for split, count in clips_of.items()]
    table = table.map("{:,}".format)
    table["labels"] = [f"{held[split]} of {len(labels)}" for split in table.index]
    table["labels a clip"] = mean
    return table.rename_axis(None).to_string()


def _classes(spec: DatasetSpec, clips: ClipSet, labels: pd.DataFrame) -> Iterator[str]:
    counts = labels.sum(axis=1)
    yield f"{len(counts):,} classes: {_listed([f'{label} ({n:,})' for label, n in counts.items()], CLASSES)}"
    if len(counts) == 1 and len(clips) == counts.iloc[0]:
        yield "  every clip has the one class: there is nothing to tell apart"
    if spec.classes not in (None, len(clips.classes)):
        yield f"{len(clips.classes)} classes are here; the paper counts {spec.classes}"


def _absent(clips: ClipSet, labels: pd.DataFrame) -> Iterator[str]:
    """What no probe can learn or be scored on."""
    if untaught := list(labels.index[labels["train"] == 0]):
        yield f"no training clip of: {_listed(untaught, SHOWN)}"
    for split, count in clips.counts()["clips"].items():
        if not count:
            yield f"no {split} clip is here"
        elif not labels[split].sum():
            yield f"no {split} clip has a label: nothing can be learned from it or scored on it"


def _listed(names: list[str], most: int) -> str:
    return "; ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _torn(spec: DatasetSpec, clips: ClipSet) -> Iterator[str]:
    """How many sources are known, what `torn_groups` finds, and the pattern to give where it can be given."""
    if "group" in clips.table:
        sizes = clips.table["group"].replace("", None).value_counts()
        yield f"{sizes.sum():,} clips of {len(sizes):,} known sources, at most {sizes.max():,} of one"
    if (torn := torn_groups(clips)) is None:
        return
    parts = [f"{count} of {torn.of[split]} {split} clips" for split, count in torn.clips.items() if count]
    known = "come" if torn.pattern is None else "seem to come"
    yield (
        f"{' and '.join(parts)} {known} from {torn.groups} sources that lie in two splits, "
        f"such as {' and '.join(torn.example[:2])}"
    )
    if torn.pattern and "group" in spec.options:
        told = f"--group '{torn.pattern}' (in a grid: options = {{ group = '{torn.pattern}' }})"
        yield f"  a score on them is too high; this keeps a source in one split: {told}"
