"""Larger sizes of published encoders: full tables of keys and shapes, and a block of the true width.

The tables are those of the base models, which the published code made, with the sizes of the published
configurations; where a file's length is known, it is held against them.
"""

import json
import math
import re

import plain_encoders as plain
import pytest
import torch
from safetensors.torch import save_file

from protoviz.encoders import load_encoder
from protoviz.encoders.catalogue import PUBLISHED
from protoviz.encoders.layouts import recognised
from protoviz.encoders.options import LoadOptions

BASE = {"eat": "eat/keys_base_hf", "dasheng": "dasheng/keys_base", "beats": "beats/keys_base"}
# Width, blocks, heads: `pretraining_AS2M_large.yaml` of EAT, `config.json` and `pretrained.py` of Dasheng.
SIZES = {
    "eat-large": (1024, 24, 16),
    "dasheng-0.6b": (1280, 32, 16),
    "dasheng-1.2b": (1536, 40, 24),
}
HEAD = {"fc_norm.weight": [1024], "fc_norm.bias": [1024], "head.weight": [527, 1024], "head.bias": [527]}
LENGTHS = {  # bytes of published files
    "eat-large+": 1_237_667_364,
    "dasheng": 341_807_392,
    "beats": 361_499_833,
    "beats-iter1": 361_499_833,
    "beats-iter2": 361_499_833,
    "beats-iter3": 361_499_833,
}


def table(golden, name, blocks=None):
    """Key -> shape of every tensor in a published file, or in one of fewer blocks."""
    family = re.split(r"[-+]", name)[0]
    listed = json.loads(golden(f"{BASE[family]}.json").read_text())
    base = {key: value[0] for key, value in listed.items() if not key.startswith("front_end.")}
    if family == "dasheng":
        base = {f"encoder.{key}": shape for key, shape in base.items()}
    width, depth, _ = SIZES.get(name.removesuffix("+"), (768, 12, 12))
    sized = {768: width, 3 * 768: 3 * width, 4 * 768: 4 * width}
    shapes = {}
    for key, shape in base.items():
        grown = [sized.get(size, size) for size in shape] if width != 768 else shape
        number = re.search(r"(?<=blocks\.)\d+", key)
        if number is None:
            shapes[key] = grown
        elif number[0] == "0":
            for block in range(blocks or depth):
                shapes[key.replace("blocks.0", f"blocks.{block}", 1)] = grown
    shapes |= {f"model.{key}": shape for key, shape in HEAD.items()} if name == "eat-large+" else {}
    return shapes if family != "beats" else base


@pytest.mark.parametrize("name", [*SIZES, "eat-large+"])
def test_a_full_size_table_is_taken_without_a_weight(golden, name):
    shapes = table(golden, name)
    root = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    architecture = PUBLISHED[name].architecture
    layouts = next(iter(architecture.layouts.values()))
    encoder = architecture.build(recognised(root, layouts, name), name, LoadOptions())
    config, spec = encoder.config, PUBLISHED[name]
    assert (config.width, config.depth, config.heads) == SIZES.get(name.removesuffix("+"))
    assert (encoder.cls_kind, encoder.grid) == (architecture.cls_kind, architecture.grid)
    assert bool(getattr(config, "classes", 0)) == name.endswith("+")
    assert 4e-6 * sum(map(math.prod, shapes.values())) == pytest.approx(spec.source.megabytes, abs=1)


@pytest.mark.parametrize("name", LENGTHS)
def test_the_table_is_as_long_as_the_published_file(golden, name):
    """But for the file's own header, of some kilobytes."""
    left = LENGTHS[name] - 4 * sum(map(math.prod, table(golden, name).values()))
    assert 0 < left < 100_000


@pytest.mark.parametrize("name", SIZES)
def test_a_block_of_the_true_width_gives_what_a_second_implementation_gives(golden, name, tmp_path):
    tensors = plain.seeded(table(golden, name, blocks=1), seed=5)
    for key, value in tensors.items():  # a sum over a thousand values stays near 1
        wide = key.endswith("weight") and value.ndim > 1
        tensors[key] = (value / value[0].numel() ** 0.5 if wide else value).half()
    save_file(tensors, str(tmp_path / "model.safetensors"))
    encoder, heads = load_encoder(name, weights=tmp_path), SIZES[name][2]
    draw = torch.Generator().manual_seed(5)
    features = torch.randn((32, 128 if name == "eat-large" else 64), generator=draw)
    made, exact = encoder(features[None]), {key: value.double() for key, value in tensors.items()}
    if name == "eat-large":
        theirs = plain.vit(plain.timm_names("model.", exact), features.double(), heads, post=True)
        cls, theirs = theirs[0], theirs[1:]
    else:
        theirs = plain.dasheng(exact, features.double(), heads)
        cls = theirs.mean(0)
    torch.testing.assert_close(made.tokens[0].double(), theirs, atol=2e-5, rtol=0)
    torch.testing.assert_close(made.cls[0].double(), cls, atol=2e-5, rtol=0)
    assert theirs.std() > 0.5
