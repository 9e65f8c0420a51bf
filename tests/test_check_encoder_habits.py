"""check-encoder: what authors do out of habit is found, and what is only unusual is not failed."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from test_check_encoder import Small, by_name, each_is_found, first_fault, small
from torch import nn

from protoviz.encoders import EncoderError, Encoding
from protoviz.encoders.own import own_encoder


class SeedsAll(Small):
    """It draws the same dither for each clip by seeding everybody's random numbers."""

    def features(self, waveforms):
        torch.manual_seed(0)
        features = super().features(waveforms)
        return features + 1e-3 * torch.randn_like(features)


class KeptByPlace(Small):
    """It keeps encodings by where the samples lie in memory."""

    def encode(self, waveforms, *args, **kwargs):
        key = (*(clip.data_ptr() for clip in self.clips(waveforms)), *args, *map(str, kwargs.items()))
        kept = self.__dict__.setdefault("kept", {})
        if key not in kept:
            kept[key] = super().encode(waveforms, *args, **kwargs)
        return kept[key]


class DeafToRate(Small):
    def encode(self, waveforms, attention=False, layers=(), sample_rate=None):
        return super().encode(waveforms, attention, layers)


class NoRate(Small):
    def encode(self, waveforms, attention=False, layers=()):
        return super().encode(waveforms, attention, layers)


class Trims(Small):
    """It cuts off silence at the begin, as librosa's trim does."""

    def features(self, waveforms):
        clips = self.clips(waveforms)
        first = [int((clip.abs() > 1e-4).int().argmax()) for clip in clips]
        return super().features(
            [clip[min(at, len(clip) - 400) :] for at, clip in zip(first, clips, strict=True)]
        )


class StackedMaps(Small):
    def forward(self, *args, **kwargs):
        made = super().forward(*args, **kwargs)
        return replace(made, attention=made.attention and torch.stack(made.attention))


class EvenMaps(Small):
    """Its maps are even over the cells that hold sound."""

    def forward(self, *args, **kwargs):
        made = super().forward(*args, **kwargs)
        if made.attention is None:
            return made
        share = made.mask[:, None] / (1.01 * made.mask.sum(1))[:, None, None]
        maps = [share.expand_as(row) * scale for row, scale in zip(made.attention, (1, 1.005), strict=True)]
        return replace(made, attention=maps, cls_to_cls=[1 - row.sum(-1) for row in maps])


class MapsWithoutMask(Small):
    """The tokens know the mask; maps are those of a second run, which does not."""

    def forward(self, features, attention=False, mask=None, layers=()):
        made = super().forward(features, False, mask, layers)
        if not attention:
            return made
        maps = super().forward(features, True)
        return replace(made, attention=maps.attention, cls_to_cls=maps.cls_to_cls)


class Detached(Small):
    def forward(self, features, *args, **kwargs):
        return super().forward(features.detach(), *args, **kwargs)


class FourRows(Small):
    """A map so short that most clips fill it; what is padded is attended to."""

    def __init__(self, config, name):
        super().__init__(replace(config, frames=64), name)

    def forward(self, features, attention=False, mask=None, layers=()):
        made = super().forward(features, attention, None, layers)
        return replace(made, mask=mask, tokens=made.tokens * mask[..., None])


class Ends(Small):
    def forward(self, *args, **kwargs):
        raise SystemExit("no GPU here")


class OnItsGpu(Small):
    def forward(self, features, *args, **kwargs):
        raise AssertionError("Torch not compiled with CUDA enabled")


class ListGrid(Small):
    def forward(self, *args, **kwargs):
        made = super().forward(*args, **kwargs)
        return replace(made, grid=list(made.grid))


FAULTS = {
    SeedsAll: ("repeat", "random numbers of torch"),
    KeptByPlace: ("repeat", "from one clip to the next"),
    DeafToRate: ("inputs", "{'sample_rate': 32000}"),
    NoRate: ("inputs", "sample_rate"),
    Trims: ("place", "after silence"),
    StackedMaps: ("shapes", "give a list"),
    EvenMaps: ("attention place", "same whatever sounds"),
    MapsWithoutMask: ("padding", "attention"),
    Detached: ("gradient", "detach()"),
    FourRows: ("padding", "give the mask"),
    Ends: ("shapes", "SystemExit: no GPU here (test_check_encoder_habits.py line"),
    OnItsGpu: ("shapes", "raise AssertionError("),
    ListGrid: ("shapes", "[8, 8]; give a tuple"),
}


test_each_habit_is_found_by_its_check_which_names_the_cure = each_is_found(FAULTS)


# Unusual, and sound


class ThroughNumPy(Small):
    """A front end in NumPy, brought back to where the weights lie."""

    def features(self, waveforms):
        return torch.from_numpy(super().features(waveforms).cpu().numpy().copy()).to(self.device)


class Recurrent(Small):
    """One token a row, which has heard all rows before; the lengths of a batch lie on the CPU."""

    two_ways, lengths_on = False, "cpu"

    def __init__(self, config, name):
        super().__init__(config, name)
        self.grid, self.cls_kind = (self.grid[0], 1), "mean token"
        self.gru = nn.GRU(
            config.patch * config.mels,
            config.width // (1 + self.two_ways),
            batch_first=True,
            bidirectional=self.two_ways,
        )

    def forward(self, features, attention=False, mask=None, layers=()):
        rows = features.unflatten(1, (self.grid[0], -1)).flatten(2)
        counts = mask.sum(1).to(self.lengths_on or self.device)
        packed = nn.utils.rnn.pack_padded_sequence(rows, counts, batch_first=True, enforce_sorted=False)
        heard, _ = nn.utils.rnn.pad_packed_sequence(
            self.gru(packed)[0], batch_first=True, total_length=self.grid[0]
        )
        tokens = heard.masked_fill(~mask[..., None], 0)
        return Encoding(tokens, tokens.sum(1) / mask.sum(1, keepdim=True), self.grid, mask)


class BothWays(Recurrent):
    two_ways = True


class LengthsOnGpu(Recurrent):
    lengths_on = None


class OwnSize(Small):
    """It scales each clip by its own statistics."""

    def features(self, waveforms):
        mels = self.log_mels(waveforms)
        return (mels - mels.mean((1, 2), keepdim=True)) / (mels.std((1, 2), keepdim=True) + 0.1)


class Sparse(Small):
    """Half of its values are zero; it gives no layers."""

    def forward(self, features, attention=False, mask=None, layers=()):
        made = super().forward(features, attention, mask)
        return replace(made, tokens=F.relu(made.tokens))


MAPLESS = {"attention", "attention place", "layers"}
UNUSUAL = {
    ThroughNumPy: {"gradient"},
    Recurrent: MAPLESS,
    BothWays: MAPLESS,
    OwnSize: set(),
    Sparse: {"layers"},
}


@pytest.mark.parametrize("kind", UNUSUAL, ids=lambda kind: kind.__name__)
def test_what_is_unusual_and_sound_is_not_failed(kind):
    found = by_name(small(kind))
    assert {name for name, result in found.items() if result.status == "skip"} == UNUSUAL[kind], found
    assert not [result for result in found.values() if result.status == "fail"]


def test_lengths_of_a_packed_batch_on_the_gpu_are_named():
    fault = first_fault(small(LengthsOnGpu))
    assert (fault.name, "wants them on the CPU" in fault.says) == ("device", True), fault


def test_a_script_that_ends_itself_is_an_error_of_its_name(tmp_path, monkeypatch):
    (tmp_path / "own_script_that_ends.py").write_text("import sys\nsys.exit('usage: --data FOLDER')\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderError, match=r"own_script_that_ends.*usage: --data FOLDER"):
        own_encoder("own_script_that_ends:Mine")
