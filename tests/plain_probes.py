"""The probes once more, written plainly for one clip at a time: a second opinion for shapes without golden
files.

Each function takes the probe's state dict, the real tokens (n d) of one clip and its [cls] (d), and gives
logits (c). Nothing is shared with the package: projections are applied to every token, maxima are taken over
full maps.
"""

import math

import torch
from torch.nn import functional as F


def _dense(s, pooled):
    return s["classifier.weight"] @ pooled + s.get("classifier.bias", 0)


def linear(s, z, cls, grid):
    return _dense(s, cls)


def mlp(s, z, cls, grid):
    return _dense(s, F.gelu(s["hidden.weight"] @ cls + s["hidden.bias"]))


def linearc(s, z, cls, grid):
    return _dense(s, torch.cat([cls, z.mean(0)]))


def conv(s, z, cls, grid):
    image = z.T.reshape(1, z.shape[1], -1, grid[1])
    out = F.conv2d(F.pad(image, (1, 1, 1, 1)), s["kernel.weight"], s["kernel.bias"])
    return _dense(s, F.gelu(out).mean((0, 2, 3)))


def linpre(s, z, cls, grid):
    return torch.stack([_dense(s, token) for token in z]).amax(0)


def multimax(s, z, cls, grid):
    hidden = F.gelu(z @ s["hidden.weight"].T + s["hidden.bias"])
    best = torch.stack([s["classifier.weight"] @ one for one in hidden]).amax(0)
    return best.reshape(-1, len(s["offset"])).sum(0) + s["offset"]


def cgp(s, z, cls, grid):
    features = []
    for p in F.normalize(s["vectors"], dim=1):
        found = torch.stack([p @ token / token.norm() for token in z])
        features += [found.amin(), p @ cls / cls.norm(), found.amax()]
    return _dense(s, torch.stack(features))


def token_gelu_mean(s, z, cls, grid):
    return _dense(s, torch.stack([F.gelu(s["layer.weight"] @ t + s["layer.bias"]) for t in z]).mean(0))


def freq_concat(s, z, cls, grid):
    rows = [z[f :: grid[1]].mean(0) for f in range(grid[1])]
    return _dense(s, torch.cat(rows))


def mhca(s, z, cls, grid, heads):
    keys, values = z @ s["key.weight"].T, z @ s["value.weight"].T
    parts = []
    for u, k, v in zip(s["query"][0].chunk(heads), keys.chunk(heads, 1), values.chunk(heads, 1), strict=True):
        parts.append((k @ u / math.sqrt(len(u))).softmax(0) @ v)
    return _dense(s, torch.cat(parts))


def ep(s, z, cls, grid):
    values = z @ s["value.weight"].T
    slices = values.chunk(len(s["query"]), 1)
    parts = [(z @ u / math.sqrt(len(u))).softmax(0) @ v for u, v in zip(s["query"], slices, strict=True)]
    return _dense(s, torch.cat(parts))


def simpool(s, z, cls, grid):
    y = F.layer_norm(z, z.shape[1:], s["layer_norm.weight"], s["layer_norm.bias"], 1e-6)
    scores = (y @ s["key.weight"].T) @ (s["query.weight"] @ z.mean(0)) / math.sqrt(z.shape[1])
    return _dense(s, scores.softmax(0) @ y)


def abmilp(s, z, cls, grid):
    scores = z @ s["score.weight"][0] + s["score.bias"]
    return _dense(s, scores.softmax(0) @ z)


def _scores(prototypes, z):
    return torch.stack([F.cosine_similarity(z, p[None], dim=1).amax() for p in prototypes])


def protofloat(s, z, cls, grid):
    return _dense(s, _scores(s["vectors"], z))


def protobin(s, z, cls, grid):
    signs = torch.sign(s["latent"].detach() + 1e-300)  # +1 at zero
    return _dense(s, _scores(signs + s["latent"] - s["latent"].detach(), z))


def proto(s, z, cls, grid):
    scores = _scores(s["vectors"], z).reshape(s["weight"].shape)
    return (s["weight"].clamp(min=0) * scores).sum(1) + s["bias"]


PLAIN = {
    f.__name__: f
    for f in (
        linear,
        mlp,
        linearc,
        conv,
        linpre,
        multimax,
        cgp,
        token_gelu_mean,
        freq_concat,
        mhca,
        ep,
        simpool,
        abmilp,
    )
} | {"proto": proto, "protobin": protobin, "protofloat": protofloat}
