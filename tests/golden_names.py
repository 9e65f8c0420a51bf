"""Golden parameter names -> state-dict keys, and how to build the probe of each golden file.

GOLDEN[method] = {golden name (without "param."): state-dict key}
BUILD[method](D, grid, C, J) = keyword arguments for `build_probe`, "name" included. A method is the stem of its
file in golden/probes; where a file belongs to an option or a candidate reading of a method, BUILD says which.
"""

_DENSE = {"W_c": "classifier.weight", "b_c": "classifier.bias"}
_BINARY = {"latent": "latent", **_DENSE}

GOLDEN = {
    "linear": _DENSE,
    "linear_bn": _DENSE,
    "protobin": _BINARY,
    "protobin_constnorm": _BINARY,
    "protobin_cliptste": _BINARY,
}


def _build(name, with_j=False, **hyper):
    def keywords(D, grid, C, J):
        own = {"prototypes_per_class": J} if with_j else {}
        return {"name": name, "dim": D, "classes": C, "grid": grid, **own, **hyper}

    return keywords


BUILD = {
    "linear": _build("linear"),
    "linear_bn": _build("linear", batch_norm=True),
    "protobin": _build("protobin", with_j=True),
    "protobin_constnorm": _build("protobin", with_j=True, gradient="constant_norm"),
    "protobin_cliptste": _build("protobin", with_j=True, gradient="clipped"),
}
