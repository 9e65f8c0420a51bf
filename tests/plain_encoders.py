"""Published encoders a second time, one line after the other, and the names and shapes of their files.

Written from the code that their docstrings name, for comparison only: one clip, one head at a time, no masks.
"""

import math

import torch
import torch.nn.functional as F


def affine(name, *shape, bias=True):
    return {f"{name}.weight": shape, **({f"{name}.bias": shape[:1]} if bias else {})}


def vit_shapes(width, depth, table):
    """timm's names: patches, [cls], positions, blocks."""
    shapes = {"cls_token": (1, 1, width), "pos_embed": (1, table, width)}
    shapes |= affine("patch_embed.proj", width, 1, 16, 16)
    for block in (f"blocks.{number}" for number in range(depth)):
        shapes |= affine(f"{block}.norm1", width) | affine(f"{block}.norm2", width)
        shapes |= affine(f"{block}.attn.qkv", 3 * width, width) | affine(f"{block}.attn.proj", width, width)
        shapes |= affine(f"{block}.mlp.fc1", 4 * width, width) | affine(f"{block}.mlp.fc2", width, 4 * width)
    return shapes


def bird_mae_shapes(width, depth, rows=32):
    """Hugging Face's file: two norms at the end, of which one belongs to classifiers."""
    return vit_shapes(width, depth, 1 + 8 * rows) | affine("norm", width) | affine("fc_norm", width)


def esp_eat_shapes(width, depth, rows=768):
    """avex saves its own classifier beside EAT, which it takes from Hugging Face."""
    theirs = {
        "cls_token": "extra_tokens",
        "pos_embed": "fixed_positional_encoder.positions",
        "patch_embed.proj.weight": "local_encoder.proj.weight",
        "patch_embed.proj.bias": "local_encoder.proj.bias",
    }
    shapes = vit_shapes(width, depth, 8 * rows) | affine("pre_norm", width)
    named = {f"backbone.model.{theirs.get(key, key)}": shape for key, shape in shapes.items()}
    return named | affine("classifier", 11, width)


def beats_shapes(width, depth, heads, embed=512, kernel=128, groups=16, buckets=320, shared=True):
    """The encoder alone; shared: the table of distances stands under every layer."""
    shapes = affine("patch_embedding", embed, 1, 16, 16, bias=False) | affine("layer_norm", embed)
    shapes |= affine("post_extract_proj", width, embed) | affine("encoder.layer_norm", width)
    conv = "encoder.pos_conv.0"
    shapes |= {f"{conv}.weight_g": (1, 1, kernel), f"{conv}.weight_v": (width, width // groups, kernel)}
    shapes |= {f"{conv}.bias": (width,)}
    for number in range(depth):
        layer = f"encoder.layers.{number}"
        attention = f"{layer}.self_attn"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= affine(f"{attention}.{part}", width, width)
        shapes |= affine(f"{attention}.grep_linear", 8, width // heads)
        shapes |= {f"{attention}.grep_a": (1, heads, 1, 1)}
        if shared or number == 0:
            shapes |= affine(f"{attention}.relative_attention_bias", buckets, heads, bias=False)
        shapes |= affine(f"{attention}_layer_norm", width) | affine(f"{layer}.final_layer_norm", width)
        shapes |= affine(f"{layer}.fc1", 4 * width, width) | affine(f"{layer}.fc2", width, 4 * width)
    return shapes


def openbeats_shapes(width, depth, heads, **more):
    """ESPnet's encoder also holds two constant convolutions, which count padding."""
    pads = {"patch_embedding_pad.weight": (1, 1, 16, 16), "raw2fbank_pad.weight": (1, 1, 400)}
    return beats_shapes(width, depth, heads, **more) | pads


def esp_beats_shapes(width, depth, heads, **more):
    """avex: newer names of weight norm, a filter bank, its parent's head and its own classifier."""
    newer = {
        ".weight_g": ".parametrizations.weight.original0",
        ".weight_v": ".parametrizations.weight.original1",
    }
    shapes = beats_shapes(width, depth, heads, shared=False, **more)
    shapes |= {"fbank.window": (400,), "fbank.mel_fb": (257, 128)} | affine("predictor", 527, width)
    named = {}
    for key, shape in shapes.items():
        for old, new in newer.items():
            key = key.replace(old, new)
        named[f"backbone.{key}"] = shape
    return named | affine("classifier", 11, width)


def seeded(shapes, seed=0):
    """Random tensors of these shapes, norms around 1."""
    made = torch.Generator().manual_seed(seed)
    tensors = {key: 0.2 * torch.randn(shape, generator=made) for key, shape in shapes.items()}
    for key, value in tensors.items():
        if "norm" in key and key.endswith(".weight"):
            value += 1
    table = "encoder.layers.{}.self_attn.relative_attention_bias.weight"
    number = 1
    while table.format(number) in tensors:
        tensors[table.format(number)] = tensors[table.format(0)].clone()
        number += 1
    return tensors


def without(prefix, tensors):
    return {key.removeprefix(prefix): value for key, value in tensors.items()}


def timm_names(prefix, tensors):
    """EAT's tensors, of the Hub's file, by timm's names."""
    names = {"extra_tokens": "cls_token", "fixed_positional_encoder.positions": "pos_embed"}
    return {
        names.get(key, key).replace("local_encoder.", "patch_embed."): value
        for key, value in without(prefix, tensors).items()
    }


def linear(w, name, x):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def layer_norm(w, name, x, eps):
    centred = x - x.mean(-1, keepdim=True)
    spread = (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return centred / spread * w[f"{name}.weight"] + w[f"{name}.bias"]


def gelu(x):
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def mixed(q, k, v, heads, added=None):
    """(n d) of q, k, v (n d), head after head; added: head -> (n n)."""
    out, size = [], q.shape[1] // heads
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        scores = q[:, own] @ k[:, own].T / math.sqrt(size)
        out.append((scores + (0 if added is None else added(head))).softmax(-1) @ v[:, own])
    return torch.cat(out, dim=1)


def patches(features, weight):
    """(n d) of one clip's features (frames mels): along frequency first, then along time."""
    cut = [
        features[t : t + 16, f : f + 16].flatten()
        for t in range(0, features.shape[0], 16)
        for f in range(0, features.shape[1], 16)
    ]
    return torch.stack(cut) @ weight.flatten(1).T


def vit(w, features, heads, post):
    """[cls] and tokens (1+n d) of one clip; post: norms behind the sums, and [cls] has no position."""
    x = patches(features, w["patch_embed.proj.weight"]) + w["patch_embed.proj.bias"]
    places = w["pos_embed"][0]
    if post:
        x = torch.cat([w["cls_token"][0], x + places[: len(x)]])
        x = layer_norm(w, "pre_norm", x, 1e-6)
    else:
        x = torch.cat([w["cls_token"][0] + places[:1], x + places[1 : 1 + len(x)]])
    x = blocks(w, x, heads, post)
    return x if post else layer_norm(w, "norm", x, 1e-6)


def blocks(w, x, heads, post):
    """(n d) behind all blocks; post: norms behind the sums."""
    for block in (f"blocks.{number}" for number in range(sum(key.endswith("mlp.fc1.bias") for key in w))):

        def attended(x, block=block):
            parts = linear(w, f"{block}.attn.qkv", x).chunk(3, dim=1)
            return linear(w, f"{block}.attn.proj", mixed(*parts, heads))

        def mlp(x, block=block):
            return linear(w, f"{block}.mlp.fc2", gelu(linear(w, f"{block}.mlp.fc1", x)))

        if post:
            x = layer_norm(w, f"{block}.norm1", x + attended(x), 1e-6)
            x = layer_norm(w, f"{block}.norm2", x + mlp(x), 1e-6)
        else:
            x = x + attended(layer_norm(w, f"{block}.norm1", x, 1e-6))
            x = x + mlp(layer_norm(w, f"{block}.norm2", x, 1e-6))
    return x


def dasheng(w, features, heads):
    """Tokens (n d) of one clip's batch-normed features (frames 64), by the names of the Hub's file."""
    w = without("encoder.", w)
    cut = [features[t : t + 4].T.flatten() for t in range(0, len(features), 4)]
    x = torch.stack(cut) @ w["patch_embed.proj.weight"].flatten(1).T + w["patch_embed.proj.bias"]
    x = x + w["time_pos_embed"][0, :, 0, : len(x)].T + w["freq_pos_embed"][0, :, 0, 0]
    return layer_norm(w, "norm", blocks(w, x, heads, post=False), 1e-6)


def bucket(distance, buckets, most):
    """Of key - query: half for either side; of these one half holds single distances, the rest grows."""
    half, exact, size = buckets // 2, buckets // 4, abs(distance)
    place = size
    if size >= exact:
        place = exact + int(math.log(size / exact) / math.log(most / exact) * (half - exact))
    return min(place, half - 1) + (half if distance > 0 else 0)


def beats(w, features, heads, depth, buckets, most, groups):
    """Tokens (n d) of one clip."""
    x = layer_norm(w, "layer_norm", patches(features, w["patch_embedding.weight"]), 1e-5)
    x = linear(w, "post_extract_proj", x)
    gain, direction = w["encoder.pos_conv.0.weight_g"], w["encoder.pos_conv.0.weight_v"]
    kernel = direction * gain / direction.square().sum((0, 1), keepdim=True).sqrt()
    bias = w["encoder.pos_conv.0.bias"]
    along = F.conv1d(x.T[None], kernel, bias, padding=kernel.shape[2] // 2, groups=groups)[0, :, :-1].T
    x = layer_norm(w, "encoder.layer_norm", x + gelu(along), 1e-5)
    table = w["encoder.layers.0.self_attn.relative_attention_bias.weight"]
    n, alpha = len(x), (2 * depth) ** 0.25
    places = torch.tensor([[bucket(key - query, buckets, most) for key in range(n)] for query in range(n)])
    for layer in (f"encoder.layers.{number}" for number in range(depth)):
        name = f"{layer}.self_attn"
        q, k, v = (linear(w, f"{name}.{part}", x) for part in ("q_proj", "k_proj", "v_proj"))

        def gated(head, name=name, q=q):
            own = q[:, head * q.shape[1] // heads : (head + 1) * q.shape[1] // heads]
            first, second = linear(w, f"{name}.grep_linear", own).view(-1, 2, 4).sum(2).sigmoid().T
            gate = first * (second * w[f"{name}.grep_a"][0, head] - 1) + 2
            return gate.view(-1, 1) * table[places, head]

        attended = linear(w, f"{name}.out_proj", mixed(q, k, v, heads, gated))
        x = layer_norm(w, f"{name}_layer_norm", alpha * x + attended, 1e-5)
        fed = linear(w, f"{layer}.fc2", gelu(linear(w, f"{layer}.fc1", x)))
        x = layer_norm(w, f"{layer}.final_layer_norm", alpha * x + fed, 1e-5)
    return x
