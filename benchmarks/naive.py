"""The probes as one writes them down first, for autograd; and the bare products that none can do without.

`NAIVE[name](weights, tokens, cls, height)` gives logits (b c) from a probe's parameters by name, float32
tokens (b n d), [cls] (b d) and the height of the grid; heads as in the built probe.
`NAIVE_LAYERS` is the same of probes that read several layers.
`FLOOR[name](probe, tokens, cls)` multiplies the matrices of the forward pass, in their cheapest order, and
nothing else.
"""

import math
from collections.abc import Callable

import torch
from torch.nn import functional as F

from protoviz.probes import Probe
from protoviz.probes.best_token import PRODUCTS, choose

HEADS = 12  # of mhca
TILE = (2048, 1024)  # token rows and prototypes of one product of the prototypes' floor


def _dense(w, pooled):
    return F.linear(pooled, w["classifier.weight"], w.get("classifier.bias"))


def linear(w, tokens, cls, height):
    return _dense(w, cls)


def mlp(w, tokens, cls, height):
    return _dense(w, F.gelu(F.linear(cls, w["hidden.weight"], w["hidden.bias"])))


def linearc(w, tokens, cls, height):
    return _dense(w, torch.cat([cls, tokens.mean(1)], 1))


def conv(w, tokens, cls, height):
    image = tokens.unflatten(1, (-1, height)).permute(0, 3, 1, 2)
    return _dense(w, F.gelu(F.conv2d(image, w["kernel.weight"], w["kernel.bias"], padding=1)).mean((2, 3)))


def linpre(w, tokens, cls, height):
    return _dense(w, tokens).amax(1)


def mhca(w, tokens, cls, height):
    keys = F.linear(tokens, w["key.weight"]).unflatten(2, (HEADS, -1))
    values = F.linear(tokens, w["value.weight"]).unflatten(2, (HEADS, -1))
    query = w["query"][0].unflatten(0, (HEADS, -1))
    attention = torch.einsum("bnhk,hk->bhn", keys / math.sqrt(keys.shape[-1]), query).softmax(-1)
    return _dense(w, torch.einsum("bhn,bnhk->bhk", attention, values).flatten(1))


def ep(w, tokens, cls, height):
    queries = w["query"]
    values = F.linear(tokens, w["value.weight"]).unflatten(2, (len(queries), -1))
    attention = (tokens @ queries.T / math.sqrt(tokens.shape[2])).softmax(1)
    return _dense(w, torch.einsum("bnm,bnmk->bmk", attention, values).flatten(1))


def simpool(w, tokens, cls, height):
    normal = F.layer_norm(tokens, tokens.shape[2:], w["layer_norm.weight"], w["layer_norm.bias"], 1e-6)
    query = F.linear(tokens.mean(1, keepdim=True), w["query.weight"])
    keys = F.linear(normal, w["key.weight"])
    attention = (query @ keys.transpose(1, 2) / math.sqrt(tokens.shape[2])).softmax(-1)
    return _dense(w, (attention @ normal)[:, 0])


def abmilp(w, tokens, cls, height):
    attention = F.linear(tokens, w["score.weight"], w["score.bias"]).softmax(1)
    return _dense(w, (attention * tokens).sum(1))


def _scores(prototypes, tokens):
    z, p = F.normalize(tokens, dim=-1), F.normalize(prototypes, dim=-1)
    return torch.einsum("bnd,jd->bnj", z, p).amax(1)


def proto(w, tokens, cls, height):
    scores = _scores(w["vectors"], tokens).unflatten(1, w["weight"].shape)
    return (scores * torch.relu(w["weight"])).sum(2) + w["bias"]


def protobin(w, tokens, cls, height):
    latent = w["latent"]
    signs = torch.where(latent >= 0, 1.0, -1.0)
    return _dense(w, _scores((signs - latent).detach() + latent, tokens))


def protofloat(w, tokens, cls, height):
    return _dense(w, _scores(w["vectors"], tokens))


def cgp(w, tokens, cls, height):
    """Of tokens (b l n d) and [cls] (b l d)."""
    share = w["mixture"].softmax(0)
    tokens, cls = (torch.einsum("l,bl...->b...", share, F.normalize(z, dim=-1)) for z in (tokens, cls))
    p = F.normalize(w["vectors"], dim=-1)
    scores = torch.einsum("bnd,jd->bnj", tokens, p)
    return _dense(w, torch.stack([scores.amin(1), cls @ p.T, scores.amax(1)], -1).flatten(1))


NAIVE: dict[str, Callable] = {
    form.__name__: form
    for form in (
        linear,
        mlp,
        linearc,
        conv,
        linpre,
        mhca,
        ep,
        simpool,
        abmilp,
        proto,
        protobin,
        protofloat,
    )
}
NAIVE_LAYERS: dict[str, Callable] = {"cgp": cgp}


def _classifier(probe: Probe, tokens, cls) -> None:
    pooled = cls if probe.name != "linearc" else torch.cat([cls, cls], 1)
    if probe.name == "mlp":
        pooled = pooled @ probe.hidden.weight.T
    torch.mm(pooled, probe.classifier.weight.T)


def _convolution(probe: Probe, tokens, cls) -> None:
    image = tokens.unflatten(1, (-1, probe.grid[1])).permute(0, 3, 1, 2)
    F.conv2d(image, probe.kernel.weight, padding=1)


def _tokens(probe: Probe, tokens, cls) -> None:
    torch.mm(tokens.flatten(0, 1), probe.classifier.weight.T)


def _attention(heads: int) -> Callable:
    """Scores of every token by query vectors of full width, and the weighted means of tokens."""

    def products(probe: Probe, tokens, cls) -> None:
        scores = tokens @ cls[:1].expand(heads, -1).T
        torch.bmm(scores.transpose(1, 2), tokens)

    return products


def _prototypes(probe: Probe, tokens, cls) -> None:
    product = PRODUCTS[choose(probe.dim, "float32")]
    for rows in tokens.flatten(0, 1).split(TILE[0]):
        for part in probe.prototypes().split(TILE[1]):
            product(rows, part)


FLOOR: dict[str, Callable] = {
    **dict.fromkeys(("linear", "mlp", "linearc"), _classifier),
    "conv": _convolution,
    "linpre": _tokens,
    "mhca": _attention(HEADS),
    "ep": _attention(32),
    "simpool": _attention(1),
    "abmilp": _attention(1),
    **dict.fromkeys(("proto", "protobin", "protofloat", "cgp"), _prototypes),
}
