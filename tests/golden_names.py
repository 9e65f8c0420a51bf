"""Golden parameter names -> state-dict keys, and how to build the probe of each golden file.

GOLDEN[method] = {golden name (without "param."): state-dict key}
BUILD[method](D, grid, C, J) = keyword arguments for `build_probe`, "name" included.
A method is the stem of its file in golden/probes; where a file belongs to an option of a method or to another
reading of its name, BUILD says which. A golden tensor may need a reshape to the shape of the state-dict
entry.
"""

from pathlib import Path

PROBE_FILES = Path(__file__).parent / "golden" / "probes"
LAYER_FILES = PROBE_FILES / "layers"
ENCODER_FILES = Path(__file__).parent / "golden" / "encoders"

_DENSE = {"W_c": "classifier.weight", "b_c": "classifier.bias"}
_BINARY = {"latent": "latent", **_DENSE}
_CLASS_BOUND = {"prototypes": "vectors", "w": "weight", "b": "bias"}
_VALUES = {"W_v": "value.weight", **_DENSE}

GOLDEN = {
    "linear": _DENSE,
    "linear_bn": _DENSE,
    "mlp": {
        "W_1": "hidden.weight",
        "b_1": "hidden.bias",
        "W_2": "classifier.weight",
        "b_2": "classifier.bias",
    },
    "convpre_gelu_mean": {"W_k": "kernel.weight", "b_k": "kernel.bias", **_DENSE},
    "linpre_gelu_mean": {"W_p": "layer.weight", "b_p": "layer.bias", **_DENSE},
    "linpre_tokenlogit_max": _DENSE,
    "mhca": {"query": "query", "W_k": "key.weight", **_VALUES},
    "ep": {"queries": "query", **_VALUES},
    "simpool": {
        "ln_w": "layer_norm.weight",
        "ln_b": "layer_norm.bias",
        "W_q": "query.weight",
        "W_k": "key.weight",
        **_DENSE,
    },
    "abmilp": {"w_a": "score.weight", "b_a": "score.bias", **_DENSE},
    "abmilp_depth2": {
        "V": "hidden.weight",
        "b_v": "hidden.bias",
        "w_a": "score.weight",
        "b_a": "score.bias",
        **_DENSE,
    },
    "proto": _CLASS_BOUND,
    "proto_birdmae": _CLASS_BOUND,
    "proto_birdmae_focal_upsample": _CLASS_BOUND,
    "proto_agnostic": {"prototypes": "vectors", **_DENSE},
    "protobin": _BINARY,
    "protobin_constnorm": _BINARY,
    "protobin_cliptste": _BINARY,
}


def _build(name, takes_j=False, **hyper):
    def keywords(D, grid, C, J):
        own = {"prototypes_per_class": J} if takes_j else {}
        return {"name": name, "dim": D, "classes": C, "grid": grid, **own, **hyper}

    return keywords


BUILD = {
    "linear": _build("linear"),
    "linear_bn": _build("linear", batch_norm=True),
    "mlp": _build("mlp", hidden=32),
    "convpre_gelu_mean": _build("conv"),
    "linpre_gelu_mean": _build("token_gelu_mean"),
    "linpre_tokenlogit_max": _build("linpre"),
    "mhca": _build("mhca", heads=4, bias=True),
    "ep": _build("ep", queries=4),
    "simpool": _build("simpool"),
    "abmilp": _build("abmilp"),
    "abmilp_depth2": _build("abmilp", depth=2),
    "proto": _build("proto", takes_j=True),
    "proto_birdmae": _build("proto", takes_j=True, cosine="published"),
    "proto_birdmae_focal_upsample": _build(
        "proto", takes_j=True, cosine="published", focal=True, upsample=True
    ),
    "proto_agnostic": _build("protofloat", takes_j=True),
    "protobin": _build("protobin", takes_j=True),
    "protobin_constnorm": _build("protobin", takes_j=True, gradient="constant_norm"),
    "protobin_cliptste": _build("protobin", takes_j=True, gradient="clipped"),
}

# The paper's names for what some files call by another, so that vectors under either name can be run.
SAME_AS = {"conv": "convpre_gelu_mean", "linpre": "linpre_tokenlogit_max", "protofloat": "proto_agnostic"}
GOLDEN |= {name: GOLDEN[stem] for name, stem in SAME_AS.items()}
BUILD |= {name: BUILD[stem] for name, stem in SAME_AS.items()}
GOLDEN["linearc"], BUILD["linearc"] = _DENSE, _build("linearc")  # no file: the definition is not public
WITHOUT_FILE = {*SAME_AS, "linearc"}

# Probes of several layers and of single frames: BUILD_LAYERS[key](D, grid, C, prototypes in all, layers).
_FC = {"fc.weight": "classifier.weight", "fc.bias": "classifier.bias"}
_MIXED = {"block_attention": "mixture", **_FC}
_CGP = {"prototype_vectors": "vectors", **_MIXED}

GOLDEN_LAYERS = {
    "cgp": _CGP,
    "cgp_mean": _CGP,
    "cgp_frames": _CGP,
    "linear_cgp": _MIXED,
    "linear_cgp_mean": _MIXED,
    "linear_cgp_frames": _MIXED,
    "head2toe": _FC,
    "head2toe_mean": _FC,
    "head2toe_frames": _FC,
    "linear_frames": _FC,
    "protobin_frames": {"prototype_vectors": "latent", **_FC},
}


def _build_layers(name, several=True, takes_prototypes=False, **hyper):
    def keywords(dim, grid, classes, prototypes, layers):
        own = {"layers": list(range(1, layers + 1))} if several else {}
        own |= {"prototypes": prototypes} if takes_prototypes else {}
        return {"name": name, "dim": dim, "classes": classes, "grid": grid, **own, **hyper}

    return keywords


_CGP_OPTIONS = {"takes_prototypes": True, "dropout": 0.0}  # as the vectors were made

BUILD_LAYERS = {
    "cgp": _build_layers("cgp", **_CGP_OPTIONS),
    "cgp_mean": _build_layers("cgp", summary="mean", **_CGP_OPTIONS),
    "cgp_frames": _build_layers("cgp_frames", **_CGP_OPTIONS),
    "linear_cgp": _build_layers("linear_cgp"),
    "linear_cgp_mean": _build_layers("linear_cgp", summary="mean"),
    "linear_cgp_frames": _build_layers("linear_frames"),
    "head2toe": _build_layers("head2toe"),
    "head2toe_mean": _build_layers("head2toe", summary="mean"),
    "head2toe_frames": _build_layers("head2toe_frames"),
    "linear_frames": _build_layers("linear_frames", several=False),
    "protobin_frames": _build_layers("protobin_frames", several=False, takes_prototypes=True),
}
