"""What can be known of a grid before its first clip is encoded: what it asks and can never be given."""

from collections.abc import Iterator, Sequence
from importlib import import_module

from protoviz.datasets.clips import SPLITS
from protoviz.encoders.devices import device_named
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.grid import GridError
from protoviz.experiments.rates import SearchConfig


def refuse_hopeless(cells: Cells, tasks: Sequence[Task], cluster: str | None = None) -> None:
    """Raise GridError, which lists every fault, if no run of these tasks could end well.

    Looked at: the splits and classes of each data set, the options of each probe on each encoder's grid and
    width, what `cluster` names (see `run_grid`), and, where the work is done here, the device and what the
    search runs on (RuntimeError). What is merely absent (weights, a copy of a data set, a module) is no such
    fault: its cells are listed as failed, and the others run.
    """
    if cluster not in (None, "local", "slurm") and ":" not in cluster:
        raise GridError(f"cluster {cluster!r}: write local, slurm, or an address such as tcp://HOST:8786")
    if cluster in (None, "local") and tasks:
        device_named(cells.grid.device)
        if isinstance(cells.grid.search, SearchConfig) and any(task.kind == "search" for task in tasks):
            import_module("protoviz.experiments.search")  # which says what it lacks
    if faults := list(dict.fromkeys(_faults(cells, tasks))):
        raise GridError("nothing was run:\n" + "\n".join(faults))


def _faults(cells: Cells, tasks: Sequence[Task]) -> Iterator[str]:
    for task in tasks:
        if not task.probe or cells.fault(task):
            continue
        pair = cells.of(task)
        facts, name = pair.clip_facts, task.dataset
        if missing := [split for split in SPLITS if not facts.splits.get(split)]:
            there = ", ".join(f"{count:,} {split}" for split, count in facts.splits.items())
            yield (
                f"datasets.{name} has no {' and no '.join(missing)} clips (it has {there}): probes are "
                "trained on train, chosen on validation and scored on test; give shares, or a "
                "table that has them"
            )
        elif len(facts.classes) < 2:
            yield f"datasets.{name} has {len(facts.classes)} class: there is nothing to tell apart"
        else:
            try:
                pair.probe(cells.method(task.probe))
            except (ValueError, TypeError) as error:
                yield f"probes.{task.probe} on datasets.{name} by encoders.{task.encoder}: {error}"
