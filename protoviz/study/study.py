"""An opened study: everything is read when it is asked for, and tables without torch."""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from protoviz import kept
from protoviz.files import digest_of, slug
from protoviz.study.form import (
    ARRAYS,
    CLIP_COLUMNS,
    CLIPS,
    NEEDED,
    DatasetFacts,
    EncoderFacts,
    Facts,
    StudyError,
    clips_folder,
    named,
    probe_file,
    read_facts,
)
from protoviz.study.pack import unpacked

if TYPE_CHECKING:
    from protoviz.probes import Probe


def open_study(place: str | Path) -> "Study":
    """Return the study in a folder, or in a file of `protoviz study pack`.

    Nothing but facts.json is read, and nothing in it is executed. A file is unpacked once, into the folder
    of what can be made again (PROTOVIZ_CACHE). Raises StudyError for what is no study.
    """
    place = Path(place).expanduser()
    folder = unpacked(place) if place.is_file() else place
    return Study(folder, read_facts(folder))


class Study:
    """Some encoders on some data sets, ready to be looked at without the data and the weights.

    encoders  name -> EncoderFacts
    datasets  name -> DatasetFacts
    methods   title -> the probe's name
    clips     data set -> ShownClips
    results   the tables, by name
    """

    def __init__(self, folder: Path, facts: Facts):
        self.folder, self.facts = folder, facts
        self.name: str = facts.name
        self.encoders: dict[str, EncoderFacts] = facts.encoders
        self.datasets: dict[str, DatasetFacts] = facts.datasets
        self.methods: dict[str, str] = facts.methods
        self.results = Tables(folder)
        self._checked: set[Path] = set()  # files below clips/ whose digests were right

    def __repr__(self) -> str:
        parts = (("encoder", self.encoders), ("data set", self.datasets), ("method", self.methods))
        counts = ", ".join(f"{len(held)} {kind}{'s' * (len(held) != 1)}" for kind, held in parts)
        return f"Study({str(self.folder)!r}: {counts})"

    @cached_property
    def clips(self) -> dict[str, "ShownClips"]:
        """The clips that the study shows, by data set; those without any are absent."""
        found = {name: clips_folder(self.folder, name) for name in self.datasets}
        return {
            name: ShownClips(place, name, tuple(self.encoders), self._whole)
            for name, place in found.items()
            if (place / CLIPS).is_file()
        }

    def _whole(self, path: Path) -> Path:
        """Return a file that has the digest in facts.json. Raise StudyError for another."""
        if path not in self._checked:
            name = path.relative_to(self.folder).as_posix()
            if digest_of(path) != self.facts.digests.get(name):
                raise StudyError(
                    f"{path} is not what was written; `protoviz study add {self.folder}` makes it again"
                )
            self._checked.add(path)
        return path

    @property
    def probes(self) -> list[tuple[str, str, str]]:
        """(data set, encoder, method) of each trained probe that is there."""
        cells = [(d, e, m) for d in self.datasets for e in self.encoders for m in self.methods]
        return [cell for cell in cells if probe_file(self.folder, *cell).is_file()]

    def probe(
        self,
        method: str,
        encoder: str | None = None,
        dataset: str | None = None,
        allow: Collection[str] = (),
    ) -> "Probe":
        """Return a trained probe; encoder and data set may be left out if there is one only.

        allow: modules that may be imported for a probe of `module:Class`. Raises StudyError if there is no
        such probe, ProbeError if its file is damaged or its module is not allowed.
        """
        from protoviz.probes import load_probe

        dataset, encoder = named(self.datasets, dataset, "data set"), named(self.encoders, encoder, "encoder")
        path = probe_file(self.folder, dataset, encoder, named(self.methods, method, "method"))
        if not path.is_file():
            raise StudyError(
                f"{self.folder} has no probe of {method} on {dataset} by {encoder}: "
                f"`protoviz study add {self.folder}` takes those that are trained"
            )
        return load_probe(path, allow=allow) if allow else load_probe(path)


class Tables(Mapping):
    """The tables of a study by name, read when asked for: `study.results["results"]`."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._read = lru_cache(maxsize=None)(kept.read_frame)

    @property
    def files(self) -> dict[str, Path]:
        """Name -> file."""
        found = [
            *sorted(self._folder.glob("*.parquet")),
            *sorted((self._folder / "results").glob("*.parquet")),
        ]
        return {path.stem: path for path in found}

    def __getitem__(self, name: str) -> pd.DataFrame:
        files = self.files
        if name not in files:
            raise StudyError(f"{self._folder} has no table {name!r}; it has {', '.join(files) or 'none'}")
        return self._read(files[name]).copy()

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def __contains__(self, name: object) -> bool:
        return name in self.files

    def to_csv(self, folder: str | Path) -> list[Path]:
        """Write every table as CSV into a folder, and return the files."""
        paths = []
        for name, frame in self.items():
            path = Path(folder) / f"{name}.csv"
            kept.write_bytes(path, frame.to_csv(index=False).encode())
            paths.append(path)
        return paths


class ShownClips:
    """The clips of one data set that a study shows, in the order of `table`.

    Arrays are mapped from their files and read-only; their shapes are those of ARRAYS. A file is held against
    its digest when it is first used.
    """

    def __init__(self, folder: Path, dataset: str, encoders: tuple[str, ...], whole: Callable[[Path], Path]):
        self.folder, self.dataset, self._whole = folder, dataset, whole
        self.encoders = tuple(name for name in encoders if (folder / slug(name)).is_dir())

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a clip: CLIP_COLUMNS; events is a list of label, onset, offset, low_hz, high_hz."""
        try:
            table = kept.read_frame(self.folder / CLIPS)
        except kept.DamagedFileError as error:
            raise StudyError(f"{error.said}; `protoviz study add` makes it again") from error
        if missing := [name for name in CLIP_COLUMNS if name not in table]:
            raise StudyError(
                f"{self.folder / CLIPS} lacks {', '.join(missing)}; `protoviz study add` makes it again"
            )
        return table

    def row(self, clip: str) -> int:
        """Return the row of a clip by its id. Raise StudyError for one that is not shown."""
        found = np.flatnonzero((self.table["clip"] == clip).to_numpy())
        if not len(found):
            raise StudyError(f"the study shows no clip {clip!r} of {self.dataset}")
        return int(found[0])

    def array(self, name: str, encoder: str | None = None) -> np.ndarray | None:
        """Return one of ARRAYS of an encoder (or of the only one); None if the study does not keep it.

        Raises StudyError if the file does not fit the table.
        """
        if name not in ARRAYS:
            raise StudyError(f"a study keeps no {name!r}; it keeps {', '.join(ARRAYS)}")
        encoder = named(dict.fromkeys(self.encoders), encoder, "encoder")
        path = self.folder / slug(encoder) / f"{name}.npy"
        if not path.is_file():
            if name in NEEDED:
                raise StudyError(f"{path} is missing; `protoviz study add` makes it again")
            return None
        try:
            found = np.load(self._whole(path), mmap_mode="r", allow_pickle=False)
        except StudyError:
            raise
        except (ValueError, OSError, EOFError, SyntaxError) as error:
            raise StudyError(f"{path} is damaged ({error}); `protoviz study add` makes it again") from error
        if found.ndim != len(ARRAYS[name].split()) or len(found) != len(self):
            raise StudyError(f"{path} has the shape {found.shape}, and the table {len(self)} clips")
        return found

    def sound(self, clip: str) -> tuple[np.ndarray, int] | None:
        """Return (waveform (s,) float32, Hz) of a clip; None if its sound did not travel."""
        import soundfile

        row = self.row(clip)
        path = self.folder / "sound" / f"{row}.flac"
        if not path.is_file():
            return None
        try:
            return soundfile.read(self._whole(path), dtype="float32")
        except RuntimeError as error:
            raise StudyError(f"{path} is damaged ({error}); `protoviz study add` makes it again") from error
