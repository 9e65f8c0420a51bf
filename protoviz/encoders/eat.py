"""EAT and SSLAM: one architecture, post-norm, fixed positions, [cls] without a position.

Sources: cwx-worst-one/EAT `models/`, ta012/SSLAM `SSLAM_Inference/models/` (the same files), and the code
beside the Hugging Face files. Large models are the same code, by their files' sizes (1024 wide, 24 blocks,
16 heads: `config/pretraining_AS2M_large.yaml`). EarthSpecies wraps it: earthspecies/avex `models/eat_hf.py`,
`api/configs/official_models/`. Inferred: that its files hold what this code saves.
"""

from torch import Tensor, nn

from protoviz.encoders.config import Kind, is_number
from protoviz.encoders.layouts import Checkpoint, Layout
from protoviz.encoders.options import LONGEST, LoadOptions, statistics
from protoviz.encoders.published import Architecture, assembled
from protoviz.encoders.spectrogram_vit import ROWS_10S, SpectrogramViT, ViTConfig, input_rows, shape_of
from protoviz.encoders.vit import NORM_EPS, Block
from protoviz.encoders.weights import WeightsError

MEAN, STD = -4.268, 4.569  # AudioSet, `feature_extract.py`; the authors use others for other data sets
HEAD = ("fc_norm.", "head.")
HUGGING_FACE_EPS = 1e-5  # of fc_norm there; 1e-6 in fairseq's code

_IMAGE = "modality_encoders.IMAGE."
_PARTS = (
    (_IMAGE + "extra_tokens", "cls_token"),
    (_IMAGE + "local_encoder.", "patch_embed."),
    (_IMAGE + "fixed_positional_encoder.positions", "pos_embed"),
    (_IMAGE + "context_encoder.norm.", "pre_norm."),
)
# What only pre-training used: the CNN decoder, and the heads of losses that the options of its code name.
_TRAINING = r"(model\.)?(modality_encoders\.IMAGE\.decoder|recon_proj|cls_proj|shared_decoder)\..*|center"
_HF_PARTS = (
    ("extra_tokens", "cls_token"),
    ("local_encoder.", "patch_embed."),
    ("fixed_positional_encoder.positions", "pos_embed"),
    ("pre_norm.", "pre_norm."),
    ("blocks.", "blocks."),
    ("fc_norm.", "fc_norm."),
    ("head.", "head."),
)


def _behind(prefix: str, parts: tuple) -> tuple:
    return tuple((prefix + theirs, ours) for theirs, ours in parts)


PRETRAINED = Layout(
    "EAT and SSLAM, fairseq, pre-trained", _IMAGE + "extra_tokens", (("model",), ()), _PARTS, _TRAINING
)
FINETUNED = Layout(
    "EAT and SSLAM, fairseq, fine-tuned",
    "model." + _IMAGE + "extra_tokens",
    (("model",), ()),
    (*_behind("model.", _PARTS), ("model.blocks.", "blocks.")),
    _TRAINING,
    HEAD,
)
HUGGING_FACE = Layout(
    "EAT and SSLAM, Hugging Face", "model.extra_tokens", ((), ("model",)), _behind("model.", _HF_PARTS)
)
TEACHER = Layout(
    "EAT and SSLAM, fairseq, the teacher of pre-training",
    _IMAGE + "extra_tokens",
    (("model", "_ema"),),
    _PARTS,
    _TRAINING,
)
# The student first: the released feature extraction takes it. The teacher is its moving average.
LAYOUTS = {"student": (PRETRAINED, FINETUNED, HUGGING_FACE), "teacher": (TEACHER,)}


def _table(said) -> int:
    return said("max_length") * (said("mel_bins") // said("patch_size"))


KIND = Kind(("eat", "sslam"), _table)


class PostNormBlock(Block):
    """One post-norm transformer block: norm1(x + attn(x)), then norm2(x + mlp(x))."""

    def forward(
        self, x: Tensor, real: Tensor | None = None, row: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Return the block's output (b n d), and with `row` the softmax row (b h n) of token 0."""
        attended, first = self.attn(x, real, row)
        x = self.norm1(x + attended)
        return self.norm2(x + self.mlp(x)), first


class EatEncoder(SpectrogramViT):
    """EAT or SSLAM; `load_encoder("eat")`, "eat+", "sslam", "sslam+"."""

    block = PostNormBlock
    cls_places = 0

    def __init__(self, config: ViTConfig, name: str, head_eps: float = NORM_EPS):
        super().__init__(config, name)
        self.pre_norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        if config.classes:
            self.fc_norm = nn.LayerNorm(config.width, eps=head_eps)
            self.head = nn.Linear(config.width, config.classes)

    def embed(self, features: Tensor) -> Tensor:
        """Return what enters the first block (b 1+n d), normed: [cls] (without a position) and patches."""
        return self.pre_norm(super().embed(features))

    def logits(self, features: Tensor) -> Tensor:
        """Return (b c) of features (b frames mels), from [cls], before the sigmoid; or EncoderError."""
        if not self.config.classes:
            return super().logits(features)
        return self.head(self.fc_norm(self(features).cls))


def build_eat(checkpoint: Checkpoint, name: str, options: LoadOptions) -> EatEncoder:
    """Return the encoder that a checkpoint holds."""
    frames = checkpoint.number("target_length") or _frames(checkpoint.setting("img_size"))
    if options.seconds is None and not 1 <= frames <= 100 * LONGEST:
        raise WeightsError(f"{checkpoint.source} says an input of {frames} frames of 10 ms; pass seconds=")
    shape = shape_of(checkpoint, options)
    config = ViTConfig(
        **shape,
        rows=input_rows(options.seconds, max(1, int(frames) // shape["patch"]), shape["patch"]),
        **statistics(checkpoint, options, MEAN, STD),
        sample_rate=options.rate(16000),
    )
    eps = HUGGING_FACE_EPS if checkpoint.layout.title == HUGGING_FACE.title else NORM_EPS
    return assembled(lambda: EatEncoder(config, name, eps), checkpoint)


def _frames(picture) -> int:
    """Frames of the input by the size of the picture that a configuration names, else those of 10 s."""
    sized = isinstance(picture, (list, tuple)) and picture and is_number(picture[0])
    return int(picture[0]) if sized else ROWS_10S * 16


ARCHITECTURE = Architecture(LAYOUTS, KIND, build_eat)
