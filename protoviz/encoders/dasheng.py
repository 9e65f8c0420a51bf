"""Dasheng: a pre-norm ViT on 4-frame patches that span all frequencies, no [cls].

Sources: RicherMans/Dasheng `dasheng/train/models.py`, `pretrained/pretrained.py`, package dasheng 0.0.9,
and the code beside the Hugging Face files. A clip with more patches than positions is cut, as that package
does (the Hugging Face code pads the last part). The larger models are the same code, by their files' sizes:
1280, 32 blocks, 16 heads, and 1536, 40, 24. Inferred: that each lies in one file.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from protoviz.audio import MelConfig, decibel_frames
from protoviz.encoders.base import EncoderError, Encoding
from protoviz.encoders.config import Kind
from protoviz.encoders.layouts import Checkpoint, Layout
from protoviz.encoders.options import LoadOptions, heads_of
from protoviz.encoders.published import Architecture, PublishedEncoder, assembled, mean_encoding
from protoviz.encoders.vit import NORM_EPS, Block, ReceivedAttention, run_blocks

SECONDS = 10.0  # 250 rows; positions reach to 10.08 s
BATCH_NORM_EPS = 1e-5

# The front end is computed, not read; `outputlayer` is a classifier that some ports have, untrained.
_SKIPPED = r"(encoder\.)?front_end\..*|.*\.num_batches_tracked|outputlayer\..*"
_BATCH_NORM = ("init_bn.1.", "init_bn.")
LAYOUTS = (
    Layout("Dasheng, Zenodo {model, config}", "time_pos_embed", (("model",), ()), (_BATCH_NORM,), _SKIPPED),
    Layout(
        "Dasheng, Hugging Face",
        "encoder.time_pos_embed",
        ((),),
        (("encoder.init_bn.1.", "init_bn."), ("encoder.", "")),
        _SKIPPED,
    ),
)
KIND = Kind(("dasheng",), lambda said: said("target_length") // said("patch_size")[-1])


@dataclass(frozen=True)
class DashengConfig:
    """The shape of a Dasheng model, read from its file."""

    width: int
    depth: int
    heads: int
    hidden: int  # width inside the feed-forward part
    patch: int  # frames in one patch, which spans all mel rows
    positions: int
    seconds: float  # of the clip that fills the grid
    mel: MelConfig = field(default_factory=MelConfig)


class MelNorm(nn.Module):
    """Batch norm of each mel row with the statistics of training, in float32."""

    def __init__(self, mels: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(mels)), nn.Parameter(torch.zeros(mels))
        self.register_buffer("running_mean", torch.zeros(mels))
        self.register_buffer("running_var", torch.ones(mels))

    def forward(self, decibels: Tensor) -> Tensor:
        """Return (b frames mels), of the same."""
        scale = self.weight.float() / (self.running_var.float() + BATCH_NORM_EPS).sqrt()
        return (decibels - self.running_mean.float()) * scale + self.bias.float()


class DashengBlock(Block):
    """A pre-norm block that reports the attention each token receives, as there is no [cls]."""

    attention = ReceivedAttention


class PatchEmbed(nn.Module):
    """Tokens (b t d) of features (b frames mels): a convolution over (mels, frames) that spans all mels."""

    def __init__(self, config: DashengConfig):
        super().__init__()
        self.proj = nn.Conv2d(1, config.width, (config.mel.mels, config.patch))

    def forward(self, features: Tensor) -> Tensor:
        frames = self.proj.weight.shape[3]
        patches = features.unflatten(1, (-1, frames)).transpose(2, 3).flatten(2)
        return F.linear(patches, self.proj.weight.flatten(1), self.proj.bias)


class DashengEncoder(PublishedEncoder):
    """Dasheng; `load_encoder("dasheng")`. Its cls is the mean token; its grid has one band."""

    cls_kind = "mean token"

    def __init__(self, config: DashengConfig, name: str):
        super().__init__()
        self.config, self.name, self.seconds = config, name, config.seconds
        self.depth = config.depth
        self.dim, self.sample_rate, self.row_frames = config.width, config.mel.sample_rate, config.patch
        self.window = config.positions
        rows = config.mel.frames(round(config.seconds * config.mel.sample_rate)) // config.patch
        self.grid = (max(1, rows), 1)
        self.init_bn = MelNorm(config.mel.mels)
        self.patch_embed = PatchEmbed(config)
        self.time_pos_embed = nn.Parameter(torch.zeros(1, config.width, 1, config.positions))
        self.freq_pos_embed = nn.Parameter(torch.zeros(1, config.width, 1, 1))
        ratio = config.hidden / config.width
        self.blocks = nn.ModuleList(
            DashengBlock(config.width, config.heads, ratio) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)

    def front_end(self) -> dict:
        """Return every setting between waveform and features, as plain values."""
        shift = 1000 * self.config.mel.shift_samples / self.config.mel.sample_rate
        return asdict(self.config.mel) | {"frame_shift_ms": shift, "seconds": self.config.seconds}

    def shape(self) -> dict:
        """Return the sizes of the transformer and its kind, as plain values."""
        names = ("width", "depth", "heads", "hidden", "patch", "positions")
        return {"kind": type(self).__name__} | {name: getattr(self.config, name) for name in names}

    def rows(self, samples: int) -> tuple[int, int]:
        """Return (rows encoded, rows with sound), which are equal: frames that fill no patch are dropped."""
        rows = self.config.mel.frames(samples) // self.config.patch
        return rows, rows

    def features(self, waveforms) -> Tensor:
        """Return decibels (b frames mels), batch-normed as the file says; 0 behind a shorter clip."""
        return decibel_frames(self.clips(waveforms), self.config.mel, self.init_bn)

    def embed(self, features: Tensor) -> Tensor:
        """Return what enters the first block (b t d), of features (b frames mels) that fill whole patches."""
        tokens = self.patch_embed(features)
        places = self.time_pos_embed + self.freq_pos_embed
        return tokens + places[:, :, 0, : tokens.shape[1]].transpose(1, 2)

    def forward(
        self,
        features: Tensor,
        attention: bool = False,
        mask: Tensor | None = None,
        layers: Sequence[int] = (),
    ) -> Encoding:
        """Return the `Encoding` of features (b frames mels); frames that fill no patch drop out; mask (b n).

        attention: what each token receives, the mean over queries, as there is no [cls]. Raises EncoderError
        for more rows than there are positions: `encode` cuts those.
        """
        features = self._checked(features, self.config.mel.mels)
        chosen = self._chosen(layers)
        rows = features.shape[1] // self.config.patch
        if not 0 < rows <= self.window:
            raise EncoderError(
                f"{self.name} takes {self.config.patch} to {self.window * self.config.patch} frames at once, "
                f"not {features.shape[1]}; encode() cuts longer clips"
            )
        x = self.embed(features[:, : rows * self.config.patch])
        real = None if mask is None or bool(mask.all()) else mask
        run = run_blocks(self.blocks, x, real, attention, set(chosen.values()))
        if mask is None:
            mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        return mean_encoding(run, self.norm(run.x), mask, (rows, 1), chosen)


def build_dasheng(checkpoint: Checkpoint, name: str, options: LoadOptions) -> DashengEncoder:
    """Return the encoder that a checkpoint holds."""
    size = checkpoint.size
    width = size("patch_embed.proj.weight", 0, 768)
    options.rate(16000)
    options.without_statistics(name, "its file holds its own batch norm")
    config = DashengConfig(
        width=width,
        depth=checkpoint.count("blocks."),
        heads=heads_of(checkpoint, options, width),
        hidden=size("blocks.0.mlp.fc1.weight", 0, 4 * width),
        patch=size("patch_embed.proj.weight", 3, 4),
        positions=size("time_pos_embed", 3, 252),
        seconds=SECONDS if options.seconds is None else options.seconds,
        mel=MelConfig(mels=size("patch_embed.proj.weight", 2, 64)),
    )
    return assembled(lambda: DashengEncoder(config, name), checkpoint)


ARCHITECTURE = Architecture({"student": LAYOUTS}, KIND, build_dasheng, (250, 1), DashengEncoder.cls_kind)
