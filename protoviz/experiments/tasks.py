"""The tasks of a grid, and what each of them waits for."""

from collections.abc import Iterator
from dataclasses import dataclass

from protoviz.analysis.tables import TUNED
from protoviz.experiments.grid import Grid
from protoviz.files import slug


@dataclass(frozen=True)
class Task:
    """One piece of work, as plain names.

    needs: keys of tasks that have to be done before it; after: of those that have to be over, done or not.
    """

    kind: str
    dataset: str
    encoder: str
    probe: str = ""
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where its files lie below the grid's cells/."""
        return "/".join(slug(name) for name in (self.dataset, self.encoder, self.probe) if name)

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.place}"

    @property
    def names(self) -> dict[str, str]:
        """Its data set, encoder and method, as tables have them."""
        return {"dataset": self.dataset, "encoder": self.encoder, "method": self.probe}

    def __str__(self) -> str:
        what = {"train": "final runs of", "tune": "search and run of"}.get(self.kind, self.kind)
        cell = f"{self.dataset} x {self.encoder}"
        return f"{what} {cell}" + (f" x {self.probe}" if self.probe else "")


def tasks_of(grid: Grid) -> Iterator[Task]:
    """Yield all tasks of a grid, each behind those that it needs or comes after."""
    for dataset in grid.datasets:
        encodes = [Task("encode", dataset.name, encoder.name) for encoder in grid.encoders]
        yield from encodes
        for encode in encodes:
            after = tuple(other.key for other in encodes if other is not encode)
            for probe in grid.probes:
                names = dataset.name, encode.encoder, probe.title
                search = Task("search", *names, needs=(encode.key,), after=after)
                train = Task("train", *names, needs=(encode.key, search.key), after=after)
                yield from (search, train)
                if grid.scores:
                    yield Task("score", *names, needs=(encode.key, train.key), after=after)
            if grid.fine_tune:
                yield Task("tune", dataset.name, encode.encoder, TUNED, needs=(encode.key,), after=after)
            if any(entry.scorer.of_encoders for entry in grid.scores):
                yield Task("score", dataset.name, encode.encoder, needs=(encode.key,), after=after)
