"""check-encoder: tokens and attention out of place, lost sound, state, devices, layers, fingerprints."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from test_check_encoder import SMALL, Small, by_name, each_is_found

from protoviz.encoders import EncoderError
from protoviz.encoders.check import check_encoder, failures
from protoviz.encoders.mini import MiniEncoder, random_mini


class Moved(Small):
    """Its token map (b t f d) is the sound one's, moved by rows and bands; the rest is filled with copies."""

    rows, bands = 0, 0

    def forward(self, *args, **kwargs):
        made = super().forward(*args, **kwargs)
        times = (torch.arange(made.grid[0]) - self.rows).clamp(0, made.grid[0] - 1)
        freqs = (torch.arange(made.grid[1]) - self.bands).clamp(0, made.grid[1] - 1)
        tokens = made.tokens.unflatten(1, made.grid)[:, times][:, :, freqs].flatten(1, 2)
        return replace(made, tokens=tokens.masked_fill(~made.mask[..., None], 0))


class Late(Moved):
    rows = 1


class Early(Moved):
    rows = -1


class High(Moved):
    bands = 1


class Low(Moved):
    bands = -1


class LateAtEnd(Small):
    def forward(self, *args, **kwargs):
        made = super().forward(*args, **kwargs)
        tokens = made.tokens.clone()
        tokens[:, 40:] = made.tokens[:, 32:-8]
        return replace(made, tokens=tokens.masked_fill(~made.mask[..., None], 0))


class TooLong(Small):
    """It says that a row takes longer than it does."""

    def cell_grid(self, grid=None):
        cells = super().cell_grid(grid)
        return replace(cells, seconds=1.4 * cells.seconds)


class WrongHertz(Small):
    def front_end(self):
        return super().front_end() | {"high_hz": 5000.0}


class Deaf(Small):
    """Some frames never reach the blocks."""

    lost = slice(0)

    def features(self, waveforms):
        features = super().features(waveforms)
        features[:, self.lost] = 0.0
        return features


class LastPart(Deaf):
    lost = slice(100, None)


class LastRow(Deaf):
    lost = slice(112, None)


class FirstPart(Deaf):
    lost = slice(0, 20)


class BetweenWindows(Deaf):
    lost = slice(48, 66)


class LateAttention(Small):
    shift = 1

    def forward(self, *args, **kwargs):
        made = super().forward(*args, **kwargs)
        return replace(
            made, attention=made.attention and [row.roll(self.shift, -1) for row in made.attention]
        )


class AttentionABandHigh(LateAttention):
    shift = 8


class LastFirst(Small):
    def forward(self, *args, **kwargs):
        made = super().forward(*args, **kwargs)
        maps = made.attention and made.attention[::-1]
        return replace(made, attention=maps, cls_to_cls=maps and made.cls_to_cls[::-1])


class OneMap(Small):
    def forward(self, *args, **kwargs):
        made = super().forward(*args, **kwargs)
        if made.attention is None:
            return made
        return replace(made, attention=made.attention[-1:] * 2, cls_to_cls=made.cls_to_cls[-1:] * 2)


class MaskMore(Small):
    def mask(self, samples):
        return super().mask([count + 2560 for count in samples])


class MaskLess(Small):
    def mask(self, samples):
        return super().mask([max(400, count - 2560) for count in samples])


class OtherCls(Small):
    def forward(self, *args, **kwargs):
        made = super().forward(*args, **kwargs)
        return replace(made, cls=made.cls.roll(1, 0))


class ConstantCls(Small):
    """It gives the learned token that enters the first block."""

    def forward(self, *args, **kwargs):
        made = super().forward(*args, **kwargs)
        return replace(made, cls=self.cls_token[0].expand(len(made.tokens), -1))


class LongestFirst(Small):
    """It sorts a batch, and leaves it so."""

    def encode(self, waveforms, *args, **kwargs):
        clips = self.clips(waveforms)
        return super().encode(sorted(clips, key=len, reverse=True), *args, **kwargs)


class PadsBefore(Small):
    def features(self, waveforms):
        full = round(self.seconds * self.sample_rate)
        return super().features([F.pad(clip, (full - len(clip), 0)) for clip in self.clips(waveforms)])


class StretchedCells(Small):
    def cell_grid(self, grid=None):
        cells = super().cell_grid(grid)
        return replace(cells, seconds=self.seconds)


class Shifted(Small):
    """Asked for a layer, it gives the one beside it."""

    by = 1

    def forward(self, features, attention=False, mask=None, layers=()):
        chosen = self._chosen(layers)
        asked = {layer: min(number + self.by, self.depth) for layer, number in chosen.items()}
        made = super().forward(features, attention, mask, list(asked.values()))
        found = {
            name: {layer: getattr(made, name)[number] for layer, number in asked.items()}
            for name in ("layers", "layer_cls")
        }
        return replace(made, **found)


class FromTheFirstBlock(Small):
    """Its first layer is the output of the first block, its last what enters the final norm."""

    def forward(self, features, attention=False, mask=None, layers=()):
        if self.depth in layers:
            raise EncoderError("no such layer")
        chosen = {layer: layer % self.depth for layer in layers}
        made = super().forward(features, attention, mask, range(1, self.depth + 1))
        return replace(
            made,
            layers={layer: 2 * made.layers[number + 1] for layer, number in chosen.items()},
            layer_cls={layer: 2 * made.layer_cls[number + 1] for layer, number in chosen.items()},
        )


class OtherDepth(Small):
    def __init__(self, *args):
        super().__init__(*args)
        self.true, self.depth = self.depth, 7

    def _chosen(self, layers):
        self.depth, told = self.true, self.depth
        try:
            return super()._chosen(layers)
        finally:
            self.depth = told


class NoVectors(Small):
    def forward(self, *args, **kwargs):
        return replace(super().forward(*args, **kwargs), layer_cls={})


class NegativeFromStart(Small):
    def _chosen(self, layers):
        found = super()._chosen(layers)
        return {layer: -layer - 1 if layer < 0 else block for layer, block in found.items()}


class OnCpu(Small):
    def forward(self, features, *args, **kwargs):
        return super().forward(features * torch.ones(self.config.mels), *args, **kwargs)


class MaskOnCpu(Small):
    def mask(self, samples):
        return super().mask(samples).to("cpu")


class HiddenTensor(Small):
    def __init__(self, config, name):
        super().__init__(config, name)
        self.tables = {"scale": torch.full((config.mels,), 2.0)}

    def features(self, waveforms):
        return super().features(waveforms) * self.tables["scale"]


class ThroughNumPy(Small):
    def features(self, waveforms):
        return torch.from_numpy(super().features(waveforms).numpy() * 2).to(self.device)


class Reused(Small):
    def encode(self, *args, **kwargs):
        made = super().encode(*args, **kwargs)
        if not hasattr(self, "_out") or self._out[0].shape != made.tokens.shape:
            self._out = [torch.empty_like(made.tokens)]
        return replace(made, tokens=self._out[0].copy_(made.tokens))


class Learns(Small):
    def __init__(self, config, name):
        super().__init__(config, name)
        self.register_buffer("seen", torch.zeros(()))

    def encode(self, *args, **kwargs):
        self.seen += 1
        return super().encode(*args, **kwargs)


class WritesIntoSound(Small):
    def clips(self, *args):
        clips = super().clips(*args)
        return [clip.mul_(0.5) for clip in clips]


class TakesNothing(Small):
    def encode(self, waveforms, *args, **kwargs):
        if isinstance(waveforms, list):
            waveforms = [clip if len(clip) else torch.zeros(400) for clip in waveforms]
        return super().encode(waveforms, *args, **kwargs)


class NaNWhenShort(Small):
    """It takes a clip without a frame, as if `Encoder.encode` let it."""

    def mask(self, samples):
        return super().mask([max(400, count) for count in samples])

    def log_mels(self, waveforms):
        clips = [F.pad(clip, (0, max(0, 400 - len(clip)))) for clip in self.clips(waveforms)]
        return super().log_mels(clips)

    def features(self, waveforms):
        return super().features(waveforms) / torch.stack([clip.var(correction=0) for clip in waveforms]).view(
            -1, 1, 1
        )


class Gain(MiniEncoder):
    def __init__(self, gain: float = 1.0, seed: int = 3):
        super().__init__(SMALL, "small")
        self.gain = gain
        self.load_state_dict(random_mini(seed, SMALL).state_dict())
        self.eval().requires_grad_(False)

    def features(self, waveforms):
        return super().features(waveforms) * self.gain


class GainNamed(Gain):
    def front_end(self):
        return super().front_end() | {"gain": self.gain}


class BlindToWeights(Small):
    def fingerprint(self):
        return "small"


FAULTS = {
    Late: ("place", "1 row too late"),
    Early: ("place", "1 row too early"),
    High: ("place", "1 band too high"),
    Low: ("place", "1 band too low"),
    LateAtEnd: ("place", "at the end"),
    TooLong: ("place", "seconds"),
    WrongHertz: ("place", "front_end()"),
    LastPart: ("heard", "of 1.28 s does not move"),
    LastRow: ("heard", "1.12 to 1.28 s"),
    FirstPart: ("heard", "0.00 to 0.16 s"),
    BetweenWindows: ("heard", "hop and the rest of windows"),
    LateAttention: ("attention place", "1 band too high; leave out"),
    AttentionABandHigh: ("attention place", "1 row too late"),
    LastFirst: ("attention place", "from the first to the last"),
    OneMap: ("attention", "its own map"),
    MaskMore: ("mask", "and no others"),
    MaskLess: ("mask", "mark"),
    ConstantCls: ("cls", "same for different clips"),
    LongestFirst: ("batch", "order of clips"),
    PadsBefore: ("heard", "padded behind"),
    StretchedCells: ("settings", "cell_grid(grid)"),
    OtherCls: ("batch", "cls of a clip"),
    Shifted: ("layers", "own output"),
    FromTheFirstBlock: ("layers", "block 0"),
    OtherDepth: ("layers", "set depth"),
    NoVectors: ("layers", "layer_cls"),
    NegativeFromStart: ("layers", "from the end"),
    OnCpu: ("device", "device=x.device"),
    MaskOnCpu: ("device", "device=x.device"),
    HiddenTensor: ("device", "register_buffer"),
    ThroughNumPy: ("device", "NumPy"),
    Reused: ("repeat", "new tensors"),
    Learns: ("repeat", "changes the encoder"),
    WritesIntoSound: ("inputs", "copy it"),
    TakesNothing: ("inputs", "an empty clip"),
    NaNWhenShort: ("inputs", "EncoderError"),
    BlindToWeights: ("fingerprint", "weights"),
}


test_each_fault_is_found_by_its_check_which_names_the_cure = each_is_found(FAULTS)


def test_an_option_that_moves_tokens_and_not_the_fingerprint_is_named():
    found = by_name(Gain())["fingerprint"]
    assert found.status == "fail"
    assert "gain=" in found.says
    assert not failures(check_encoder(GainNamed()))
