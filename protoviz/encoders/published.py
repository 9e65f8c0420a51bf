"""What the published encoders have in common: clips of any length in windows, fine-tuned heads."""

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from protoviz.audio import CellGrid, FilterBank, log_mel
from protoviz.encoders.base import Encoder, EncoderError, Encoding, asked_layers, graph_for
from protoviz.encoders.config import Kind, deep, plain
from protoviz.encoders.layouts import Checkpoint, Layout, fit, read_checkpoint
from protoviz.encoders.options import LONGEST, LoadOptions
from protoviz.encoders.vit import BlockRun
from protoviz.encoders.windows import joined, spread

PLACEHOLDER = re.compile(r"LABEL_\d+")  # written for want of a name


class PublishedEncoder(Encoder):
    """A published encoder; a clip of up to a minute fills as many rows of cells as it needs.

    A subclass sets, beside what `Encoder` asks for, the attributes below and writes the abstract methods.
    `encode` of a batch gives the grid of its longest clip (`Encoding.on_grid` brings it to `grid`), and each
    clip the tokens that it has on its own. A clip with more rows than there are positions is encoded in
    windows of `window` rows, each as a clip of its own: cls is then the mean of the windows' cls, and
    attention is weighted likewise, each by the sound it holds.
    """

    row_frames: int  # frames in one row of cells
    window: int | None  # rows that there are positions for; None: no end
    labels: tuple[str, ...] | None = None  # of the fine-tuned head, where the file names each
    left_out: tuple[str, ...] = ()  # keys of the file that only its training used
    beside: tuple[str, ...] = ()  # keys of the file outside this network: of a loss, of a probe, ...

    @abstractmethod
    def rows(self, samples: int) -> tuple[int, int]:
        """Return (rows encoded, rows with sound) of a clip so many samples long; 0 if too short."""

    def logits(self, features: Tensor) -> Tensor:
        """Return logits (b c) of features (b frames mels) from the file's own fine-tuned head.

        Raises EncoderError where the file has no head.
        """
        raise EncoderError(
            f"the weights of {self.name} have no fine-tuned head; load a fine-tuned checkpoint "
            "(in the registry those have a +), or train a probe on the tokens"
        )

    @property
    def longest(self) -> float:
        """Seconds of the longest clip that `encode` takes."""
        return max(LONGEST, self.seconds)

    def mask(self, samples: Sequence[int]) -> Tensor:
        """Return a mask (b n) bool on the grid of the longest of these clips: True for cells with sound."""
        rows = torch.tensor([self.rows(count) for count in samples])
        return self._cells(rows[:, 1], int(rows[:, 0].max()))

    def clips(self, waveforms, sample_rate: float | None = None) -> list[Tensor]:
        """Return the checked clips, each (s,) float32 on the encoder's device; see `Encoder.clips`."""
        clips = super().clips(waveforms, sample_rate)
        for i, clip in enumerate(clips):
            if self.rows(len(clip))[1] == 0:
                raise EncoderError(
                    f"clip {i} is {len(clip) / self.sample_rate:.3f} s, too short for one cell of "
                    f"{self.name}; pad it (fit_length) or drop it"
                )
        return clips

    def cell_grid(self, grid: tuple[int, int] | None = None) -> CellGrid:
        """Return where each token lies in seconds and hertz; grid: an `Encoding`'s, None: the encoder's own.

        Its length is that of its rows: with BEATs 9.92 s of a clip of 10 s, whose last frames fill no cell.
        """
        times, freqs = grid or self.grid
        front = self.front_end()
        seconds = times * self.row_frames * front["frame_shift_ms"] / 1000
        return CellGrid(times, freqs, seconds, self.sample_rate, front["low_hz"], front["high_hz"])

    def encode(
        self,
        waveforms,
        attention: bool = False,
        layers: Sequence[int] | None = None,
        sample_rate: float | None = None,
    ) -> Encoding:
        """Return the `Encoding` of waveforms, each of up to a minute: see `Encoder.encode`.

        A clip of several windows has the tokens, masks and attention that `encode` gives the windows as clips
        of their own, side by side. A window is the sound that its frames hear, which is 15 ms more than its
        rows last; in Dasheng, whose frames hear to both sides, it is its share of the clip's frames, as
        published.
        """
        clips, layers = self.clips(waveforms, sample_rate), asked_layers(layers)
        with graph_for(clips):
            rows = torch.tensor([self.rows(len(clip)) for clip in clips])
            sound, total = rows[:, 1], int(rows[:, 0].max())
            parts = [self._part(*window, attention, layers) for window in self.windows(clips)]
            sizes = torch.tensor([part.grid[0] for part in parts])
            shares = (sound - (sizes.cumsum(0) - sizes)[:, None]).clamp_min(0).minimum(sizes[:, None])
            return joined(parts, (shares / shares.sum(0)).to(parts[0].cls), self._cells(sound, total))

    def windows(self, clips: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield for each window of checked clips: which clips reach it, their features, their rows.

        (b,) bool; (h frames mels) of those h that do; (h,) rows of each that are encoded. Here the features
        of the whole clips are cut.
        """
        rows = torch.tensor([self.rows(len(clip))[0] for clip in clips])
        total, features = int(rows.max()), self.features(clips)
        size = self.window or total
        for first in range(0, total, size):
            held, last = rows > first, min(first + size, total)
            frames = features[held.to(features.device), first * self.row_frames : last * self.row_frames]
            yield held, frames, (rows[held] - first).clamp(max=size)

    def _part(
        self, held: Tensor, features: Tensor, rows: Tensor, attention: bool, layers: Sequence[int]
    ) -> Encoding:
        """The encoding of one window for the whole batch; zeros for clips that do not reach it."""
        mask = self._cells(rows, int(rows.max()))
        part = self(features, attention=attention, mask=mask, layers=layers)
        return part if held.all() else spread(part, held.to(features.device))

    def _cells(self, rows: Tensor, total: int) -> Tensor:
        """(b n) bool: True in the first `rows` (b,) of so many rows."""
        places = torch.arange(total) < rows[:, None]
        return places.repeat_interleave(self.grid[1], dim=1).to(self.device)


@dataclass(frozen=True, eq=False)
class Architecture:
    """How the files of one architecture are read, and what its encoders make of ten seconds."""

    layouts: Mapping[str, tuple[Layout, ...]]  # of each network that a file may hold; the first: the default
    kind: Kind
    build: Callable[[Checkpoint, str, LoadOptions], PublishedEncoder]
    grid: tuple[int, int] = (64, 8)
    cls_kind: str = "cls"
    sample_rate: int = 16000

    def read(self, path: Path, options: LoadOptions) -> Checkpoint:
        """Return what a file holds of the network that `options.network` names, whatever its layout."""
        return read_checkpoint(path, self.layouts[options.choice(*self.layouts)], self.kind)


Model = TypeVar("Model", bound=nn.Module)


def assembled(make: Callable[[], Model], checkpoint: Checkpoint) -> Model:
    """Return the frozen model that `make` makes, with the checkpoint's weights; no others are ever made."""
    with torch.device("meta"):
        model = make()
    model.left_out, model.beside = checkpoint.left_out, checkpoint.beside
    if isinstance(head := getattr(model, "head", None), nn.Linear):
        model.labels = labels_of(checkpoint, head.out_features)
    return fit(model, checkpoint)


def labels_of(checkpoint: Checkpoint, classes: int) -> tuple[str, ...] | None:
    """Return the names of a head's classes, in its order; None if a file does not name each of so many.

    Read from `label_dict`, `id2label` or `label2id`: numbers with their names, names with their numbers (as
    text the numbers count as numbers), or a list. What a program writes for want of a name (LABEL_0) is none.
    """
    named = deep(checkpoint.settings, "label_dict", "id2label", "label2id", accept=_may_name)
    pairs = list(named.items() if isinstance(named, Mapping) else enumerate(named or ()))
    for numbered in (pairs, [pair[::-1] for pair in pairs]):
        try:
            by_number = {int(plain(number)): plain(label) for number, label in numbered}
        except (TypeError, ValueError, OverflowError):
            continue
        labels = tuple(str(by_number.get(number, "")) for number in range(classes))
        known = all(isinstance(label, (str, int)) for label in by_number.values()) and all(labels)
        once = len(by_number) == len(numbered) == classes
        return labels if once and known and not all(map(PLACEHOLDER.fullmatch, labels)) else None
    return None


def _may_name(value) -> bool:
    return isinstance(value, (Mapping, list, tuple)) and len(value) > 0


def kaldi_mels(clips: Sequence[Tensor], bank: FilterBank, frames: int, least: bool = False) -> Tensor:
    """Return log-mel frames (b frames mels) float32 of clips of any lengths.

    After the last frame of each comes 0, or (least) its own least value.
    """
    mels = log_mel(nn.utils.rnn.pad_sequence(list(clips), batch_first=True), bank)[:, :frames]
    mels = F.pad(mels, (0, 0, 0, frames - mels.shape[1]))
    counts = torch.tensor([bank.frames(len(clip)) for clip in clips], device=mels.device)
    silent = (torch.arange(frames, device=mels.device) >= counts[:, None])[..., None]
    if not least:
        return mels.masked_fill(silent, 0)
    return mels.where(~silent, mels.masked_fill(silent, torch.inf).amin(dim=(1, 2), keepdim=True))


def cls_encoding(run: BlockRun, x: Tensor, mask: Tensor, grid: tuple[int, int], chosen: dict) -> Encoding:
    """Return the `Encoding` of a run whose token 0 is [cls]; x (b 1+n d): final-normed, mask (b n)."""
    states = _states(run, x, chosen)
    return Encoding(
        tokens=_tokens(x[:, 1:], mask),
        cls=x[:, 0].float(),
        grid=grid,
        mask=mask,
        attention=[row[:, :, 1:] for row in run.rows] or None,
        cls_to_cls=[row[:, :, 0] for row in run.rows] or None,
        layers={layer: _tokens(state[:, 1:], mask) for layer, state in states.items()},
        layer_cls={layer: state[:, 0].float() for layer, state in states.items()},
    )


def mean_encoding(run: BlockRun, x: Tensor, mask: Tensor, grid: tuple[int, int], chosen: dict) -> Encoding:
    """Return the `Encoding` of a run without [cls]: cls is the mean of real tokens; x (b n d), mask (b n)."""
    tokens = _tokens(x, mask)
    layers = {layer: _tokens(state, mask) for layer, state in _states(run, x, chosen).items()}
    return Encoding(
        tokens=tokens,
        cls=_mean(tokens, mask),
        grid=grid,
        mask=mask,
        attention=run.rows or None,
        cls_to_cls=[row.new_zeros(row.shape[:2]) for row in run.rows] or None,
        layers=layers,
        layer_cls={layer: _mean(values, mask) for layer, values in layers.items()},
    )


def _states(run: BlockRun, x: Tensor, chosen: dict[int, int]) -> dict[int, Tensor]:
    """The states that were asked for; the last layer is x, what comes out of the final norm."""
    return {asked: x if number == run.depth else run.states[number] for asked, number in chosen.items()}


def _tokens(state: Tensor, mask: Tensor) -> Tensor:
    return state.masked_fill(~mask[..., None], 0).float()


def _mean(tokens: Tensor, mask: Tensor) -> Tensor:
    return tokens.sum(1) / mask.sum(1, keepdim=True).clamp_min(1)
