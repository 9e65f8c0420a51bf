"""ASiT: a pre-norm ViT with [cls] and a learned position table, trained on 6 s at 32 kHz.

Source: Sara-Ahmed/ASiT `vision_transformer.py`, `data_transformations.py`, `main_ASiT.py`. How the prototype
paper fed 10 s, and at which rate, is not known; here they are 64 x 8 cells, the table's 37 rows interpolated
bilinearly as AST does (ASiT's README follows AST in fine-tuning). `seconds=6` gives pre-training's 37 x 8.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from protoviz.encoders.config import Kind
from protoviz.encoders.layouts import Checkpoint, Layout
from protoviz.encoders.options import LoadOptions, statistics
from protoviz.encoders.published import Architecture, assembled
from protoviz.encoders.spectrogram_vit import ROWS_10S, SpectrogramViT, ViTConfig, input_rows, shape_of
from protoviz.encoders.vit import NORM_EPS

MEAN, STD = -4.2677393, 4.5689974  # AudioSet, the defaults of `main_ASiT.py`
NATIVE_ROWS = 37  # 592 frames
NATIVE_SECONDS = 6  # cut out of the sound for those; six frames of them fill no row and are dropped
RATES = (32000, 16000)  # Hz: its public code's, and that of all other encoders here

_HEADS = r"(module\.)?(head_cls|head_recons)\..*"
LAYOUTS = {
    "teacher": (  # the moving average of the student
        Layout("ASiT, teacher", "backbone.pos_embed", (("teacher",), ()), (("backbone.", ""),), _HEADS),
        Layout(
            "ASiT, teacher of several GPUs",
            "module.backbone.pos_embed",
            (("teacher",), ()),
            (("module.backbone.", ""),),
            _HEADS,
        ),
        Layout("ASiT, the network alone", "pos_embed"),
    ),
    "student": (
        Layout(
            "ASiT, student",
            "module.backbone.pos_embed",
            (("student",),),
            (("module.backbone.", ""),),
            _HEADS,
        ),
        Layout(
            "ASiT, student of one GPU", "backbone.pos_embed", (("student",),), (("backbone.", ""),), _HEADS
        ),
    ),
}
KIND = Kind(("asit", "vit"))


class AsitEncoder(SpectrogramViT):
    """ASiT; `load_encoder("asit")`."""

    def __init__(self, config: ViTConfig, name: str, crop: float):
        super().__init__(config, name)
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        self.native = self.window
        # Past 10 s the table is not stretched further: there are windows.
        self.window = self.native if config.rows <= self.native else min(config.rows, ROWS_10S)
        # Samples that shorter clips are padded to. Pre-training's hold more than its rows do.
        self.crop = round(crop * config.sample_rate)
        if config.rows > self.window:
            self.crop = min(self.crop, self.samples(self.window))

    def front_end(self) -> dict:
        """Return every setting between waveform and features, as plain values."""
        return super().front_end() | {"pad": "sound with zeros, then frames with zeros", "crop": self.crop}

    def shape(self) -> dict:
        """Return the sizes of the transformer and its kind, as plain values."""
        return super().shape() | {"window": self.window}

    def rows(self, samples: int) -> tuple[int, int]:
        """Return (rows encoded, rows with sound); a clip up to the crop is one input, as in pre-training."""
        encoded, sound = super().rows(samples)
        most = self.window if samples <= self.crop else encoded
        return min(encoded, most), min(sound, most)

    def positions(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return positions of [cls] and of patches (1 n d): learned, stretched for other numbers of rows."""
        first, table = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        if rows == self.native or self.window == self.native:
            return first, table[:, : rows * self.config.bands]
        picture = table.unflatten(1, (self.native, self.config.bands)).permute(0, 3, 1, 2)
        size = (self.window, self.config.bands)
        stretched = F.interpolate(picture, size=size, mode="bilinear", align_corners=False)
        return first, stretched.permute(0, 2, 3, 1).flatten(1, 2)[:, : rows * self.config.bands]


def build_asit(checkpoint: Checkpoint, name: str, options: LoadOptions) -> AsitEncoder:
    """Return the encoder that a checkpoint holds."""
    shape = shape_of(checkpoint, options)
    patch = shape["patch"]
    native = (shape["table"] - 1) // (128 // patch)
    seconds = 10 if options.seconds is None else options.seconds
    as_trained = native == NATIVE_ROWS and seconds == NATIVE_SECONDS
    config = ViTConfig(
        **shape,
        rows=native if as_trained else input_rows(seconds, native, patch),
        **statistics(checkpoint, options, MEAN, STD, ("data_mean", "data_std")),
        sample_rate=options.rate(*RATES),
    )
    # Lengths between are ours: a clip that fills its rows.
    return assembled(lambda: AsitEncoder(config, name, seconds), checkpoint)


ARCHITECTURE = Architecture(LAYOUTS, KIND, build_asit, sample_rate=RATES[0])
