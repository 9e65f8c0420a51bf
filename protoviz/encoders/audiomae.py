"""AudioMAE ("A-MAE"): a pre-norm ViT with [cls] and a fixed position table that comes with the file.

Sources: facebookresearch/AudioMAE `models_mae.py`, `models_vit.py`, `dataset.py`; ports under timm's names
have the same keys. The table was built for a grid of 8 x 64 while tokens run over 64 x 8, so it is never
rebuilt; a shorter input takes its first entries.
"""

from torch import Tensor, nn

from protoviz.encoders.config import Kind
from protoviz.encoders.layouts import Checkpoint, Layout
from protoviz.encoders.published import Architecture, LoadOptions, assembled
from protoviz.encoders.spectrogram_vit import SpectrogramViT, ViTConfig, input_rows, shape_of
from protoviz.encoders.vit import NORM_EPS

MEAN, STD = -4.2677393, 4.5689974  # AudioSet, `main_pretrain.py`

HEAD = ("fc_norm.", "head.")
_DECODER = r"(encoder\.)?(decoder_.*|mask_token)"
LAYOUTS = (
    Layout("AudioMAE, original or under timm's names", "cls_token", (("model",), ()), (), _DECODER, HEAD),
    Layout(
        "AudioMAE, wrapped for Hugging Face", "encoder.cls_token", ((),), (("encoder.", ""),), _DECODER, HEAD
    ),
)


def _table(said) -> int:
    frames, mels = said("img_size")
    return 1 + (frames // 16) * (mels // 16)


KIND = Kind(("audiomae", "vit", "timm"), _table)


class AudioMaeEncoder(SpectrogramViT):
    """AudioMAE; `load_encoder("a-mae")`.

    A pre-trained file ends in a norm. A fine-tuned one has none: tokens and cls are the last block's output,
    as there is nothing else that is defined, and the head takes the mean patch.
    """

    def __init__(self, config: ViTConfig, name: str, normed: bool):
        super().__init__(config, name)
        if normed:
            self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        if config.classes:
            self.fc_norm = nn.LayerNorm(config.width, eps=NORM_EPS)
            self.head = nn.Linear(config.width, config.classes)

    def logits(self, features: Tensor) -> Tensor:
        """(b c) of features (b frames mels), from the mean patch, before the sigmoid; or EncoderError."""
        if not self.config.classes:
            return super().logits(features)
        return self.head(self.fc_norm(self(features).tokens.mean(dim=1)))


def build_audiomae(checkpoint: Checkpoint, name: str, options: LoadOptions) -> AudioMaeEncoder:
    """Return the encoder that a checkpoint holds."""
    shape = shape_of(checkpoint, options)
    published = (shape["table"] - 1) // (128 // shape["patch"])
    config = ViTConfig(
        **shape,
        rows=input_rows(options.seconds, published, shape["patch"]),
        mean=MEAN if options.mean is None else options.mean,
        std=STD if options.std is None else options.std,
        sample_rate=options.rate(16000),
    )
    normed = "norm.weight" in checkpoint.tensors or "fc_norm.weight" not in checkpoint.tensors
    return assembled(lambda: AudioMaeEncoder(config, name, normed), checkpoint)


ARCHITECTURE = Architecture({"student": LAYOUTS}, KIND, build_audiomae)
