"""AudioMAE ("A-MAE"): a pre-norm ViT with [cls] and a fixed position table that comes with the file.

Sources: facebookresearch/AudioMAE `models_mae.py`, `models_vit.py`, `dataset.py`; ports under timm's names
have the same keys. The table was built for a grid of 8 x 64 while tokens run over 64 x 8, so it is never
rebuilt; a shorter input takes its first entries.

Bird-MAE is the same transformer on five seconds at 32 kHz: DBD-research-group/Bird-MAE `transforms.py`,
`models/mae/encoder.py`, `models/vit/vit.py`, and the configuration and preprocessor beside its Hugging Face
files. Inferred, from another reader of those files: their keys, and that each clip has its own least value.
"""

from torch import Tensor, nn

from protoviz.encoders.config import Kind
from protoviz.encoders.layouts import Checkpoint, Layout
from protoviz.encoders.options import LoadOptions, statistics
from protoviz.encoders.published import Architecture, assembled
from protoviz.encoders.spectrogram_vit import SpectrogramViT, ViTConfig, input_rows, shape_of
from protoviz.encoders.vit import NORM_EPS

MEAN, STD = -4.2677393, 4.5689974  # AudioSet, `main_pretrain.py`
BIRD_MEAN, BIRD_STD, BIRD_RATE = -7.2, 4.43, 32000  # BirdSet, `preprocessor_config.json`
BIRD_SECONDS = 5.0

HEAD = ("fc_norm.", "head.")
_DECODER = r"(encoder\.)?(decoder_.*|mask_token)"
LAYOUTS = (
    Layout("AudioMAE, original or under timm's names", "cls_token", (("model",), ()), (), _DECODER, HEAD),
    Layout(
        "AudioMAE, wrapped for Hugging Face", "encoder.cls_token", ((),), (("encoder.", ""),), _DECODER, HEAD
    ),
)
BIRD_LAYOUTS = (
    # It has two norms behind the blocks: one of pre-training, and one that only classifiers use.
    Layout("Bird-MAE, Hugging Face", "fc_norm.weight", ((),), (), r"fc_norm\..*"),
    Layout(
        "Bird-MAE, pre-training", "encoder.cls_token", (("state_dict",),), (("encoder.", ""),), r"decoder\..*"
    ),
)


def _table(said) -> int:
    frames, mels = said("img_size") or (said("img_size_x"), said("img_size_y"))
    return 1 + (frames // 16) * (mels // 16)


KIND, BIRD_KIND = Kind(("audiomae", "vit", "timm"), _table), Kind(("bird",), _table)


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
        """Return logits (b c) of features (b frames mels), from the mean patch, or raise EncoderError."""
        if not self.config.classes:
            return super().logits(features)
        return self.head(self.fc_norm(self(features).tokens.mean(dim=1)))


class BirdMaeEncoder(AudioMaeEncoder):
    """Bird-MAE; `load_encoder("bird-mae")`, "bird-mae-large", "bird-mae-huge".

    Tokens and cls are those behind the norm, which its authors' prototypes read. A clip is filled up with
    silence to five seconds, and then with its own least value (their training took a batch's).
    """

    least = True

    def __init__(self, config: ViTConfig, name: str, crop: float):
        super().__init__(config, name, True)
        self.crop = round(crop * config.sample_rate)

    def front_end(self) -> dict:
        """Return every setting between waveform and features, as plain values."""
        pad = "sound with zeros, then frames with their least value"
        return super().front_end() | {"pad": pad, "crop": self.crop}


def build_audiomae(checkpoint: Checkpoint, name: str, options: LoadOptions) -> AudioMaeEncoder:
    """Return the encoder that a checkpoint holds."""
    config = _config(checkpoint, options, statistics(checkpoint, options, MEAN, STD), 16000)
    normed = "norm.weight" in checkpoint.tensors or "fc_norm.weight" not in checkpoint.tensors
    return assembled(lambda: AudioMaeEncoder(config, name, normed), checkpoint)


def build_bird_mae(checkpoint: Checkpoint, name: str, options: LoadOptions) -> BirdMaeEncoder:
    """Return the Bird-MAE that a checkpoint holds."""
    scale = statistics(checkpoint, options, BIRD_MEAN, BIRD_STD)
    config = _config(checkpoint, options, scale, BIRD_RATE)
    crop = min(options.seconds or BIRD_SECONDS, BIRD_SECONDS)
    return assembled(lambda: BirdMaeEncoder(config, name, crop), checkpoint)


def _config(checkpoint: Checkpoint, options: LoadOptions, scale: dict[str, float], rate: int) -> ViTConfig:
    shape = shape_of(checkpoint, options)
    published = (shape["table"] - 1) // (128 // shape["patch"])
    rows = input_rows(options.seconds, published, shape["patch"])
    return ViTConfig(**shape, rows=rows, **scale, sample_rate=options.rate(rate))


ARCHITECTURE = Architecture({"student": LAYOUTS}, KIND, build_audiomae)
BIRD = Architecture({"student": BIRD_LAYOUTS}, BIRD_KIND, build_bird_mae, sample_rate=BIRD_RATE)
