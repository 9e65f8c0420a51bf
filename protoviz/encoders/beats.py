"""BEATs: post-norm with deep-norm scaling, positions by a convolution and a gated relative bias, no [cls].

Source: microsoft/unilm `beats/BEATs.py`, `backbone.py`, `modules.py`. Positions do not end, so a clip of any
length is one pass. Iterations 1 to 3+ have the same code, settings and shapes (TioSisai/timbral
`models/helpers/beats.py`, which holds all fifteen files to them). The same code with other settings are
OpenBEATs (package openbeats 0.1.1, `beats_encoder.py`, `utils.py`; espnet
`espnet2/beats/generate_beats_checkpoint.py`) and the BEATs of EarthSpecies (earthspecies/avex
`models/beats_model.py`, `api/configs/official_models/`). Inferred: that the files of those two hold what this
code saves.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from protoviz.audio import FilterBank
from protoviz.encoders.base import EncoderError, Encoding
from protoviz.encoders.config import Kind, deep, is_number, of_width
from protoviz.encoders.layouts import Checkpoint, Layout, settings_near
from protoviz.encoders.options import LoadOptions, heads_of, statistics
from protoviz.encoders.published import Architecture, PublishedEncoder, assembled, kaldi_mels, mean_encoding
from protoviz.encoders.relative_attention import RelativeAttention, distance_buckets
from protoviz.encoders.vit import BlockRun, patchify

MEAN, STD = 15.41663, 6.55582  # of log-mel values of AudioSet, `BEATs.preprocess`
SCALE = 2.0**15  # the sound is fed as if in 16-bit steps
SECONDS = 10.0  # the length of AudioSet's clips; 62 rows
PUBLISHED_DISTANCE = {320: 800}  # buckets -> distance of iteration 3+, for files without settings

_CONV = "encoder.pos_conv.0."
_RENAMES = (
    (_CONV + "parametrizations.weight.original0", "pos_conv.weight_g"),
    (_CONV + "parametrizations.weight.original1", "pos_conv.weight_v"),
    (_CONV, "pos_conv."),
    ("encoder.layers.0.self_attn.relative_attention_bias.weight", "relative_bias"),
    ("encoder.layers.", "layers."),
    ("encoder.layer_norm.", "input_norm."),
    ("layer_norm.", "patch_norm."),
    ("patch_embedding.", "patch_embed."),
    ("post_extract_proj.", "project."),
    ("predictor.", "head."),
)
HEAD = ("predictor.",)
# Repeated under every layer, though layer 0's is the only one used; constants of avex and of OpenBEATs.
_SKIPPED = (
    r"encoder\.layers\.[1-9]\d*\.self_attn\.relative_attention_bias\.weight|fbank\..*"
    r"|(patch_embedding|raw2fbank)_pad\.weight"
)
LAYOUTS = (
    Layout("BEATs, {cfg, model}", "patch_embedding.weight", (("model",), ()), _RENAMES, _SKIPPED, HEAD),
    # Trained on by EarthSpecies, so that the head of its parent, which is still there, fits no more.
    Layout(
        "BEATs behind `backbone.`",
        "backbone.patch_embedding.weight",
        (("model",), ()),
        tuple(("backbone." + theirs, ours) for theirs, ours in _RENAMES),
        rf"backbone\.({_SKIPPED}|predictor\..*)",
    ),
)
KIND = Kind(("beats",))


@dataclass(frozen=True)
class BeatsConfig:
    """The shape and the front end of a BEATs model, read from its file."""

    width: int
    depth: int
    heads: int
    hidden: int  # width inside the feed-forward part
    patch: int  # frames and mel rows
    embed: int  # width of a patch before it is projected
    kernel: int  # of the convolution that gives positions
    groups: int  # of the same
    buckets: int  # of relative distances; 0: no such bias
    max_distance: int  # from which all distances share a bucket
    gated: bool  # the bias is gated by each query
    deep_norm: bool
    seconds: float  # of the clip that fills the grid
    mean: float = MEAN
    std: float = STD
    classes: int = 0  # of the fine-tuned head; 0: none
    mels: int = 128  # all of them

    @property
    def bank(self) -> FilterBank:
        """The filter bank: Kaldi's own, Povey window, 25 ms every 10 ms, 20 to 8000 Hz."""
        return FilterBank(mels=self.mels, window="povey")

    def rows(self, samples: int) -> int:
        """Return rows of whole patches in a clip so many samples long; frames behind the last are dropped."""
        return self.bank.frames(samples) // self.patch


class BeatsLayer(nn.Module):
    """One post-norm layer: norm(alpha x + attn(x)), then norm(alpha x + mlp(x)); alpha is deep norm's."""

    def __init__(self, config: BeatsConfig):
        super().__init__()
        self.alpha = (2 * config.depth) ** 0.25 if config.deep_norm else 1.0
        self.self_attn = RelativeAttention(config.width, config.heads, config.gated)
        self.self_attn_layer_norm = nn.LayerNorm(config.width)
        self.fc1 = nn.Linear(config.width, config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.width)
        self.final_layer_norm = nn.LayerNorm(config.width)

    def forward(
        self, x: Tensor, bias: Tensor | None, real: Tensor | None, row: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return the layer's output (b n d), and with `row` the attention each token receives (b h n)."""
        attended, received = self.self_attn(x, bias, real, row)
        x = self.self_attn_layer_norm(self.alpha * x + attended)
        return self.final_layer_norm(self.alpha * x + self.fc2(F.gelu(self.fc1(x)))), received


class BeatsEncoder(PublishedEncoder):
    """BEATs; `load_encoder("beats")`, "beats+". Its cls is the mean token."""

    cls_kind = "mean token"
    window = None

    def __init__(self, config: BeatsConfig, name: str):
        super().__init__()
        self.config, self.name, self.seconds = config, name, config.seconds
        self.depth = config.depth
        self.dim, self.sample_rate, self.row_frames = config.width, config.bank.sample_rate, config.patch
        rows = config.rows(round(config.seconds * config.bank.sample_rate))
        self.grid = (max(1, rows), config.mels // config.patch)
        self.patch_embed = nn.Conv2d(1, config.embed, config.patch, config.patch, bias=False)
        self.patch_norm = nn.LayerNorm(config.embed)
        apart = config.embed != config.width
        self.project = nn.Linear(config.embed, config.width) if apart else nn.Identity()
        padding = config.kernel // 2
        self.pos_conv = nn.Conv1d(
            config.width, config.width, config.kernel, padding=padding, groups=config.groups
        )
        self.input_norm = nn.LayerNorm(config.width)
        if config.buckets:
            self.relative_bias = nn.Parameter(torch.zeros(config.buckets, config.heads))
        self.layers = nn.ModuleList(BeatsLayer(config) for _ in range(config.depth))
        if config.classes:
            self.head = nn.Linear(config.width, config.classes)

    def front_end(self) -> dict:
        """Return every setting between waveform and features, as plain values."""
        config, bank = self.config, self.config.bank
        steps = {"scale": SCALE, "remove_mean": False, "pad": "none"}
        scale = {"mean": config.mean, "std": config.std, "seconds": config.seconds}
        return {**asdict(bank), "high_hz": bank.top_hz, **steps, **scale}

    def shape(self) -> dict:
        """Return the sizes of the transformer and its kind, as plain values."""
        front = ("mean", "std", "seconds")
        sizes = {name: value for name, value in asdict(self.config).items() if name not in front}
        return {"kind": type(self).__name__, **sizes}

    def rows(self, samples: int) -> tuple[int, int]:
        """Return (rows encoded, rows with sound), which are equal: frames that fill no row are dropped."""
        rows = self.config.rows(samples)
        return rows, rows

    def features(self, waveforms) -> Tensor:
        """Return (log-mel - mean) / (2 std) (b frames mels) of 16-bit samples; 0 behind a shorter clip."""
        clips, bank = self.clips(waveforms), self.config.bank
        counts = torch.tensor([bank.frames(len(clip)) for clip in clips], device=self.device)
        mels = kaldi_mels([clip * SCALE for clip in clips], bank, int(counts.max()))
        heard = torch.arange(mels.shape[1], device=self.device) < counts[:, None]
        scaled = (mels - self.config.mean) / (2 * self.config.std)
        return scaled.masked_fill(~heard[..., None], 0)

    def embed(self, features: Tensor, mask: Tensor | None) -> Tensor:
        """Return what enters the first layer (b n d), of features that fill whole rows; mask (b n)."""
        patches = patchify(features, self.config.patch)
        x = self.project(self.patch_norm(F.linear(patches, self.patch_embed.weight.flatten(1))))
        if mask is not None:  # the convolution must not see what stands behind a shorter clip
            x = x.masked_fill(~mask[..., None], 0)
        # An even kernel gives one place too many, the last
        places = self._convolved(x.transpose(1, 2))[..., : x.shape[1]]
        return self.input_norm(x + F.gelu(places).transpose(1, 2))

    def _convolved(self, x: Tensor) -> Tensor:
        conv = self.pos_conv
        if conv.weight.shape[1] >= 16:
            return conv(x)
        # oneDNN's bfloat16 on AMX sums groups of fewer than 16 channels wrongly
        whole = (x.float(), conv.weight.float(), conv.bias.float())
        return F.conv1d(*whole, padding=conv.padding, groups=conv.groups).to(x.dtype)

    def forward(
        self,
        features: Tensor,
        attention: bool = False,
        mask: Tensor | None = None,
        layers: Sequence[int] = (),
    ) -> Encoding:
        """Return the `Encoding` of features (b frames mels); frames that fill no row are dropped; mask (b n).

        attention: what each patch receives, the mean over queries, as there is no [cls].
        """
        features = self._checked(features, self.config.mels)
        chosen = self._chosen(layers)
        rows = features.shape[1] // self.config.patch
        if rows == 0:
            raise EncoderError(f"{self.name} takes at least {self.config.patch} frames")
        real = None if mask is None or bool(mask.all()) else mask
        x = self.embed(features[:, : rows * self.config.patch], real)
        run = self._run(x, real, attention, set(chosen.values()))
        if mask is None:
            mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        return mean_encoding(run, run.x, mask, (rows, self.grid[1]), chosen)

    def _run(self, x: Tensor, real: Tensor | None, row: bool, layers: set[int]) -> BlockRun:
        """The walk of x (b n d) through the layers."""
        run, bias, config = BlockRun(x, self.depth, states={0: x} if 0 in layers else {}), None, self.config
        if config.buckets:
            places = distance_buckets(x.shape[1], config.buckets, config.max_distance)
            bias = self.relative_bias[places.to(x.device)].T
        for number, layer in enumerate(self.layers, 1):
            run.x, received = layer(run.x, bias, real, row)
            if received is not None:
                run.rows.append(received)
            if number in layers:
                run.states[number] = run.x
        return run

    def logits(self, features: Tensor) -> Tensor:
        """Return logits (b c) of features (b frames mels), the mean over tokens, or raise EncoderError."""
        if not self.config.classes:
            return super().logits(features)
        return self.head(self(features).tokens).mean(dim=1)


def build_beats(checkpoint: Checkpoint, name: str, options: LoadOptions) -> BeatsEncoder:
    """Return the encoder that a checkpoint holds."""
    checkpoint = replace(checkpoint, tensors=folded(checkpoint.tensors))
    return assembled(lambda: BeatsEncoder(_config(checkpoint, options), name), checkpoint)


def folded(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with the convolution's weight norm (gain g, direction v) multiplied out."""
    parts = ("pos_conv.weight_g", "pos_conv.weight_v")
    gain, direction = (tensors.get(part) for part in parts)
    if gain is None or direction is None or direction.ndim != 3 or gain.shape != (1, 1, direction.shape[2]):
        return tensors  # which `fit` refuses by name, unless they are folded already
    gain, direction = gain.float(), direction.float()
    weight = direction * (gain / direction.norm(dim=(0, 1), keepdim=True))
    return {key: value for key, value in tensors.items() if key not in parts} | {"pos_conv.weight": weight}


def _config(checkpoint: Checkpoint, options: LoadOptions) -> BeatsConfig:
    size, said = checkpoint.size, checkpoint.setting
    width = size("layers.0.fc2.weight", 0, size("input_norm.weight", 0, 768))
    buckets = size("relative_bias", 0, 0)
    options.rate(16000)
    if said("layer_norm_first", default=False) or said("activation_fn", default="gelu") != "gelu":
        raise EncoderError(
            f"{checkpoint.source} asks for layer_norm_first or another activation than gelu; no published "
            "BEATs does, and this encoder cannot"
        )
    return BeatsConfig(
        width=width,
        depth=checkpoint.count("layers."),
        heads=options.heads or size("relative_bias", 1, 0) or heads_of(checkpoint, options, width),
        hidden=size("layers.0.fc1.weight", 0, 4 * width),
        patch=size("patch_embed.weight", 2, 16),
        embed=size("patch_embed.weight", 0, 512),
        kernel=size("pos_conv.weight", 2, 128),
        groups=max(1, math.gcd(width, width // size("pos_conv.weight", 1, max(1, width // 16)))),
        buckets=buckets,
        max_distance=_max_distance(checkpoint, buckets, width),
        gated="layers.0.self_attn.grep_a" in checkpoint.tensors,
        deep_norm=said("deep_norm", default=True),
        seconds=SECONDS if options.seconds is None else options.seconds,
        **statistics(checkpoint, options, MEAN, STD, ("fbank_mean", "fbank_std")),
        classes=size("head.weight", 0, 0),
    )


def _max_distance(checkpoint: Checkpoint, buckets: int, width: int) -> int:
    """The one size that no tensor shows: from the file, its original beside it, or as published."""
    found = checkpoint.number("max_distance", within=of_width(width))
    if found is None and buckets not in (0, *PUBLISHED_DISTANCE):
        alike = {"num_buckets": buckets, "encoder_embed_dim": width}
        near = settings_near(Path(checkpoint.source), "cfg", alike, "max_distance")
        found = deep(near, "max_distance", accept=is_number)
        if found is None:
            raise EncoderError(
                f"{checkpoint.source} does not say how far its {buckets} buckets of distances reach; put its "
                'settings beside it as config.json (the original\'s `cfg`, with "max_distance")'
            )
    distance = PUBLISHED_DISTANCE.get(buckets, 0) if found is None else int(found)
    if buckets and distance <= buckets // 4:  # so many buckets hold one distance each
        raise EncoderError(f"{checkpoint.source}: {buckets} buckets cannot end at max_distance={found}")
    return distance


ARCHITECTURE = Architecture({"student": LAYOUTS}, KIND, build_beats, (62, 8), BeatsEncoder.cls_kind)
