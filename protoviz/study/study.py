"""An opened study: everything is read when it is asked for, and tables without torch."""

from collections.abc import Callable, Collection
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from protoviz import kept
from protoviz.files import digest_of, slug
from protoviz.paths import data_folder
from protoviz.study.form import (
    ADDED,
    ARRAYS,
    CLIP_COLUMNS,
    CLIPS,
    FACTS,
    NEEDED,
    SETTINGS,
    DatasetFacts,
    EncoderFacts,
    Facts,
    StudyError,
    add_command,
    clips_folder,
    named,
    planned,
    probe_file,
    read_facts,
    run_command,
)
from protoviz.study.pack import unpacked
from protoviz.study.tables import Tables

if TYPE_CHECKING:
    from torch import Tensor

    from protoviz.probes import Explanation, Probe
    from protoviz.scenes import Event


def open_study(place: str | Path) -> "Study":
    """Return the study in a folder, or in a file of `protoviz study pack`; "demo" is the one that is shipped.

    Nothing but facts.json is read, and nothing in it is executed. A file is unpacked once, into the folder
    of what can be made again (PROTOVIZ_CACHE). A folder with study.toml alone is one that is still to be run:
    `check_study` says what is missing. Raises StudyError for what is no study.

    >>> open_study("demo").methods["protobin + BatchNorm"]
    'protobin'
    """
    place = Path(place).expanduser()
    if len(place.parts) == 1 and not place.exists() and (data_folder() / place / FACTS).is_file():
        place = data_folder() / place
    folder = unpacked(place) if place.is_file() else place
    unrun = (folder / SETTINGS).is_file() and not (folder / FACTS).is_file()
    return Study(folder, planned(folder) if unrun else read_facts(folder))


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
        if not self.encoders:
            return f"Study({str(self.folder)!r}: not run yet, {run_command(self.folder)} runs it)"
        parts = (("encoder", self.encoders), ("data set", self.datasets), ("method", self.methods))
        counts = ", ".join(f"{len(held)} {kind}{'s' * (len(held) != 1)}" for kind, held in parts)
        return f"Study({str(self.folder)!r}: {counts})"

    @cached_property
    def clips(self) -> dict[str, "ShownClips"]:
        """The clips that the study shows, by data set; those without any are absent."""
        found = {name: clips_folder(self.folder, name) for name in self.datasets}
        return {
            name: ShownClips(place, name, self.facts, self._whole)
            for name, place in found.items()
            if (place / CLIPS).is_file()
        }

    def _whole(self, path: Path) -> Path:
        """Return a file that has the digest in facts.json. Raise StudyError for another."""
        if path not in self._checked:
            name = path.relative_to(self.folder).as_posix()
            if digest_of(path) != self.facts.digests.get(name):
                raise StudyError(f"{path} has changed; {add_command(self.folder)} makes it again")
            self._checked.add(path)
        return path

    @property
    def probes(self) -> list[tuple[str, str, str]]:
        """(data set, encoder, method) of each trained probe that is there."""
        cells = [(d, e, m) for d in self.datasets for e in self.encoders for m in self.methods]
        return [cell for cell in cells if probe_file(self.folder, *cell).is_file()]

    def lacks(self, kind: str, *cell: str) -> bool:
        """Return whether a probe (data set, encoder, method) has not all tables of a kind of ADDED."""
        if kind == "polyphony" and "results" in self.results:
            told = self.results.part("results", *cell)
            if "polyphony" in told and (told["polyphony"] > 0).any():
                return False
        return not all(self.results.current(name, *cell) for name in ADDED[kind])

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
                f"{add_command(self.folder)} takes those that are trained"
            )
        return load_probe(path, allow=allow) if allow else load_probe(path)

    def explain(
        self,
        method: str,
        clip: str,
        encoder: str | None = None,
        dataset: str | None = None,
        allow: Collection[str] = (),
    ) -> "Explanation":
        """Return what a trained probe says of a shown clip, as arrays with b = 1.

        Raises StudyError if the clip or its maps are not kept, or the probe reads several layers.
        """
        dataset, encoder = named(self.clips, dataset, "data set"), named(self.encoders, encoder, "encoder")
        clips, probe = self.clips[dataset], self.probe(method, encoder, dataset, allow)
        if probe.layers is not None:
            raise StudyError(f"{method} reads layers {probe.layers}, and a study keeps the last layer alone")
        return probe.explain(*clips.maps(clip, encoder)).numpy()


class ShownClips:
    """The clips of one data set that a study shows, in the order of `table`.

    encoders: those whose maps are kept here, or made when they are asked for: of scenes, by an encoder that
    travels with the package. Arrays are mapped from their files and read-only; their shapes are those of
    ARRAYS. A file is held against its digest when it is first used.
    """

    def __init__(self, folder: Path, dataset: str, facts: Facts, whole: Callable[[Path], Path]):
        self.folder, self.dataset, self._whole, self._facts = folder, dataset, whole, facts
        self.encoders = tuple(name for name in facts.encoders if self.keeps(name) or self._makes(name))
        self._made = lru_cache(maxsize=2)(self._made)

    def keeps(self, encoder: str) -> bool:
        """Return whether maps of an encoder lie in the study."""
        return (self.folder / slug(encoder)).is_dir()

    def _makes(self, encoder: str) -> bool:
        """Whether maps of an encoder can be made of nothing but the package."""
        use = self._facts.encoders[encoder].use
        return self._facts.datasets[self.dataset].made and use.startswith("mini-") and ":" not in use

    def _made(self, encoder: str) -> dict[str, np.ndarray]:
        from protoviz.study.making import made_arrays, shipped_encoder

        found = made_arrays(shipped_encoder(encoder, self._facts.encoders[encoder]), self.table)
        for array in found.values():
            array.flags.writeable = False
        return found

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
            raise StudyError(f"the study shows no clip {clip!r} of {self.dataset}: see `.table`")
        return int(found[0])

    def array(self, name: str, encoder: str | None = None) -> np.ndarray | None:
        """Return one of ARRAYS of an encoder (or of the only one); None if the study does not keep it.

        Raises StudyError if the file does not fit the table.
        """
        if name not in ARRAYS:
            raise StudyError(f"a study keeps no {name!r}; it keeps {', '.join(ARRAYS)}")
        encoder = named(dict.fromkeys(self.encoders), encoder, "encoder")
        path = self.folder / slug(encoder) / f"{name}.npy"
        if not self.keeps(encoder):
            return self._made(encoder).get(name)
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
            raise StudyError(f"{path} does not hold {len(self)} clips; `protoviz study add` makes it again")
        return found

    def maps(self, clip: str, encoder: str | None = None) -> "tuple[Tensor, Tensor, Tensor]":
        """Return tokens (1 n d), cls (1 d) and mask (1 n) of a clip, as a probe takes them."""
        import torch

        row = self.row(clip)
        kept_maps = [np.array(self.array(name, encoder)[row : row + 1]) for name in NEEDED]
        tokens, cls, mask = map(torch.from_numpy, kept_maps)
        return tokens.float(), cls.float(), mask

    def events(self, clip: str) -> "list[Event]":
        """Return the true events of a clip, by onset; none where they are not known."""
        from protoviz.scenes import Event

        return [Event(**event) for event in self.table["events"].iloc[self.row(clip)]]

    def sound(self, clip: str) -> tuple[np.ndarray, int] | None:
        """Return (waveform (s,) float32, Hz) of a clip; None if its sound did not travel and is not made."""
        import soundfile

        row = self.row(clip)
        path = self.folder / "sound" / f"{row}.flac"
        if not path.is_file():
            if not self._facts.datasets[self.dataset].made:
                return None
            from protoviz.study.making import made_sound

            return made_sound(self.table, row)
        try:
            return soundfile.read(self._whole(path), dtype="float32")
        except RuntimeError as error:
            raise StudyError(f"{path} is damaged ({error}); `protoviz study add` makes it again") from error
