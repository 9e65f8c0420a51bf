"""The probes once more, as one writes them down first: a second opinion for shapes without golden files.

Those that are measured stand in benchmarks/naive.py, with what each function takes. Nothing is shared with
the package: projections are applied to every token, maxima are taken over full maps.
"""

import torch
from torch.nn import functional as F

from benchmarks import naive


def _dense(w, pooled):
    return F.linear(pooled, w["classifier.weight"], w["classifier.bias"])


def multimax(w, tokens, cls, height):
    hidden = F.gelu(F.linear(tokens, w["hidden.weight"], w["hidden.bias"]))
    best = F.linear(hidden, w["classifier.weight"]).amax(1)
    return best.unflatten(1, (-1, len(w["offset"]))).sum(1) + w["offset"]


def cgp(w, tokens, cls, height):
    return naive.cgp({"mixture": torch.zeros(1).to(tokens), **w}, tokens[:, None], cls[:, None], height)


def token_gelu_mean(w, tokens, cls, height):
    return _dense(w, F.gelu(F.linear(tokens, w["layer.weight"], w["layer.bias"])).mean(1))


def freq_concat(w, tokens, cls, height):
    return _dense(w, tokens.unflatten(1, (-1, height)).mean(1).flatten(1))


PLAIN = naive.NAIVE | {form.__name__: form for form in (multimax, cgp, token_gelu_mean, freq_concat)}
