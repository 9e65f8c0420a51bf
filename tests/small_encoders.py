"""Small encoders of every kind: the published layouts in tests/golden, and minis with seeded weights."""

from functools import cache

from golden_names import ENCODER_FILES

from protoviz.encoders import Encoder, load_encoder
from protoviz.encoders.catalogue import PUBLISHED
from protoviz.encoders.mini import MiniConfig, random_mini

FILES = {
    "eat": "eat/model.safetensors",
    "eat+": "eat/checkpoint_fairseq_finetune.pt",
    "sslam": "sslam/model.safetensors",
    "sslam+": "sslam/checkpoint_fairseq_finetune.pt",
    "beats": "beats/checkpoint.pt",
    "beats+": "beats/checkpoint_finetuned.pt",
    "a-mae": "audiomae/timm_model.safetensors",
    "asit": "asit/checkpoint.pth",
    "bat": "bat/model.safetensors",
    "dasheng": "dasheng/model_hf.safetensors",
}
_BY_LAYOUT = {id(PUBLISHED[name].architecture): name for name in reversed(FILES)}
ARCHITECTURES = [*_BY_LAYOUT.values()]  # a name each
MINIS = {
    "mini": MiniConfig(width=32, depth=1, heads=4),
    "mini-bands": MiniConfig(width=32, depth=1, heads=4, patch=4, patch_mels=128, cls=False),
}


def small(name: str, **options) -> Encoder:
    """Return a new small encoder of a name in FILES or MINIS."""
    if name in MINIS:
        return random_mini(3, MINIS[name], name)
    return load_encoder(name, ENCODER_FILES / FILES[name], **options)


kept = cache(small)  # loading it is most of what a test takes
