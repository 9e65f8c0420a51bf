"""What every probe shares: checked inputs, one classifier, and an explanation of each logit."""

from contextlib import contextmanager
from dataclasses import replace
from inspect import Parameter, signature
from typing import Any, ClassVar, Literal, get_type_hints

import torch
from torch import nn
from torch.nn import functional as F

from protoviz.probes.explanation import Explanation
from protoviz.probes.inputs import Centre, ProbeError, hidden, mean_token, require_finite, without
from protoviz.probes.layers import Layers, checked_layers, mix
from protoviz.probes.rates import Rates, Space

Grid = tuple[int, int] | None  # (t, f) cells of a token map; None: a mere row of tokens
Family = Literal["cls", "token map", "attentive", "prototype"]  # what a probe pools: one colour each
# Of a method: defined by the paper, by public code of later work, or a name or description read by us.
Source = Literal["paper", "published", "reading", "ours"]


# Options that mean the same in every class, and why their defaults are what they are.
WHY = {"batch_norm": "not stated in the paper; a title that ends in + BatchNorm has it"}
# What may follow a + in a title, with the options that it stands for.
VARIANTS: dict[str, dict[str, Any]] = {
    "BatchNorm": {"batch_norm": True},
    "clip centre": {"centre": "clip"},
    "train centre": {"centre": "train"},
}


class ScoreNorm(nn.BatchNorm1d):
    """Batch normalisation without weights: (x - mean) / sqrt(variance + 1e-6), as the MAE protocol puts it.

    Input and output (b k). A training batch of one clip has no variance, so it takes the running statistics.
    """

    def __init__(self, width: int):
        super().__init__(width, affine=False, eps=1e-6)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        if self.training and len(pooled) < 2:
            return F.batch_norm(pooled, self.running_mean, self.running_var, eps=self.eps)
        return super().forward(pooled)


class Probe(nn.Module):
    """A pooling and its classifier: `probe(tokens, cls, mask)` -> logits (b c).

    A subclass gives `pool` (tokens -> descriptor (b k)) and, where the last layer is not one dense layer,
    `classify` (descriptor -> logits). `explain` tells where a logit comes from. What else is true of a method
    are the attributes below: tables, figures, searches and estimates ask its class.
    """

    name: ClassVar[str] = ""  # also what tables and figures call it
    alias: ClassVar[str] = ""  # a second name, which says what it does where the paper's does not
    family: ClassVar[Family] = "token map"  # whose colour it has in every picture
    source: ClassVar[Source] = "ours"
    compared: ClassVar[bool] = True  # in comparisons of all probes; False: a reading beside another one
    main: ClassVar[bool] = False  # among the few of a picture without room for all
    variants: ClassVar[dict[str, dict[str, Any]]] = VARIANTS
    reads: ClassVar[frozenset[str]] = frozenset({"tokens"})  # of "tokens" and "cls"; the other is ignored
    fixed: bool = False  # True: `pool` has no weights, so its result can be computed once per clip
    frame_wise: ClassVar[bool] = False  # True: logits are (b t c), one answer for each frame of the map
    several: ClassVar[bool] = False  # True: `pool` takes layers side by side (b l n d), not their mixture
    unit: ClassVar[bool] = False  # True: a mixture is that of tokens of norm 1
    rates: ClassVar[Rates] = Rates((1e-3, 3e-3, 1e-2, 3e-2, 1e-1))  # as far as the best lies inside
    few_rates: ClassVar[Rates] = Rates((3e-3, 1e-2, 3e-2, 1e-1))  # around those that a search chose
    space: ClassVar[Space] = Space()

    def __init__(self, dim: int, classes: int, grid: Grid = None, **hyper: Any):
        super().__init__()
        if min(dim, classes, *(grid or (1, 1))) < 1:
            raise ProbeError(f"dim, classes and grid have to be positive, not {dim}, {classes}, {grid}")
        self.dim, self.classes = int(dim), int(classes)
        self.grid = None if grid is None else (int(grid[0]), int(grid[1]))
        self.hyper = hyper
        self.layers: Layers = None
        self.centre: Centre = None
        self.mixture: nn.Parameter | None = None  # (l), before a softmax: how much of each layer is mixed
        self.metadata: dict[str, Any] = {}  # what was saved beside the weights, e.g. the class names

    def read_layers(self, layers: Layers) -> None:
        """Let the probe read these layers of an encoder, numbered as in `Encoding`; None: its last.

        Several are mixed: sum_l a_l z_l, a the softmax of a learned vector, which starts even and is not
        decayed. Tokens are then (b l n d) and [cls] (b l d).
        """
        self.layers = checked_layers(layers)
        if isinstance(layers, list) and not self.several:
            self.mixture = nn.Parameter(torch.zeros(len(layers)))
            self.fixed = False

    def centre_tokens(self, centre: Centre) -> None:
        """Let the probe take off each token what all share, before it does anything else with it.

        "clip": the mean of the clip's own real tokens. "train": that of all real tokens of the training
        clips, which `fit` finds in one pass and the probe keeps as `common`, (d) or (l d) of several layers.
        None, the default, is the paper's form. [cls] stays as it is.
        Poor tokens lie along one direction, and cosines with them differ by little: there either kind lifts
        both what a probe reads and where its prototypes lie. It costs with tokens that differ by themselves,
        because the mean tells of the clip, and `protobin` without a BatchNorm loses mAP to find better
        places. A mean of tokens centred by their clip is zero, so `linearc` is then left with [cls].
        Call it after `read_layers`. Raises ProbeError for another value, and where only [cls] is read.
        """
        if centre not in (None, "clip", "train"):
            raise ProbeError(f"centre {centre!r} is unknown: choose clip or train, or leave it out")
        if centre and "tokens" not in self.reads:
            raise ProbeError(f"{self.name} reads [cls] and no tokens: leave centre out")
        self.centre = centre
        if centre == "train":
            several = (len(self.layers),) if isinstance(self.layers, list) else ()
            self.register_buffer("common", torch.zeros(*several, self.dim))

    @property
    def layer_weights(self) -> torch.Tensor | None:
        """(l) the share of each layer in the mixture, or None where there is none."""
        return None if self.mixture is None else self.mixture.softmax(0)

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Return its options' annotations by name: what `build_probe` takes beside dim, classes, grid."""
        centre = {"centre": Centre} if "tokens" in cls.reads else {}
        return {"layers": Layers} | centre | cls.own_options()

    @classmethod
    def own_options(cls) -> dict[str, Any]:
        """Return the same without `layers` and `centre`, which are the base's."""
        hints, named = get_type_hints(cls.__init__), (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        own = [name for name, one in signature(cls).parameters.items() if one.kind in named]
        return {name: hints.get(name, Any) for name in own if name not in ("dim", "classes", "grid")}

    @classmethod
    def products(cls, tokens: int, dim: int, classes: int, **options: Any) -> float:
        """Return the multiplications that a clip costs, in their cheapest order (benchmarks/naive.py).

        A class that does not say has those of a dense layer on every token, a rough guess.
        """
        return float(tokens * dim * classes)

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments with which `build_probe` gives the same probe, untrained."""
        from protoviz.probes.methods import name_of  # which imports every class

        return {
            "name": name_of(type(self)),
            "dim": self.dim,
            "classes": self.classes,
            "grid": self.grid,
            **({} if self.layers is None else {"layers": self.layers}),
            **({} if self.centre is None else {"centre": self.centre}),
            **self.hyper,
        }

    def _add_classifier(self, width: int, batch_norm: bool, bias: bool = True) -> None:
        """The usual end: an optional normalisation and one dense layer."""
        self.norm = self._normalisation(width, batch_norm)
        self.classifier = nn.Linear(width, self.classes, bias=bias)

    @staticmethod
    def _normalisation(width: int, batch_norm: bool) -> nn.Module:
        return ScoreNorm(width) if batch_norm else nn.Identity()

    def _needs_grid(self) -> None:
        if self.grid is None:
            raise ProbeError(f"{self.name} needs to know how tokens lie: build it with grid=(t, f)")

    # -- from tokens to logits

    def forward(
        self, tokens: torch.Tensor, cls: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return logits (b c) of tokens (b n d), any float type; cls (b d); mask (b n), True = a real token.

        A probe of several layers takes (b l n d) and (b l d), one that answers frame by frame gives (b t c).
        Without `cls` the mean of the real tokens stands in for it, as in the paper. Padding changes no logit,
        whatever it holds. Raises ProbeError on wrong shapes and on NaN or infinity in what the probe reads.
        """
        return self.classify(self.pool(*self.mixed(*self.prepare(tokens, cls, mask))))

    def pool(self, tokens: torch.Tensor, cls: torch.Tensor | None, mask: torch.Tensor | None) -> torch.Tensor:
        """Return the descriptor (b k) of inputs that went through `prepare` and `mixed`."""
        raise TypeError(f"{type(self).__name__} is not a pooling by itself: build one of protoviz.PROBES")

    def classify(self, pooled: torch.Tensor) -> torch.Tensor:
        """Return logits (b c) of a descriptor (b k)."""
        return self.classifier(self.normed(pooled))

    def normed(self, pooled: torch.Tensor) -> torch.Tensor:
        """Return what the classifier multiplies, of a descriptor (b k)."""
        return self.norm(pooled)

    def penalty(self) -> torch.Tensor | float:
        """Return what the probe adds to the training loss: 0 unless its method has such a term."""
        return 0.0

    # -- inputs

    @property
    def dtype(self) -> torch.dtype:
        """The type that the probe computes in."""
        return next(self.parameters()).dtype

    def prepare(
        self, tokens: torch.Tensor, cls: torch.Tensor | None, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """Return tokens, cls and mask, checked; padding set to zero; a mask without padding becomes None.

        Tokens are centred where the probe does that.
        """
        self._check_shapes(tokens, cls, mask)
        if mask is not None:
            mask = None if bool(mask.all()) else mask
        reads_tokens = "tokens" in self.reads or cls is None
        if reads_tokens:
            tokens = hidden(tokens, mask)
            require_finite(tokens, "tokens")
        if "cls" in self.reads:
            cls = mean_token(tokens, mask, self.dtype) if cls is None else cls.to(self.dtype)
            require_finite(cls, "[cls]")
        if self.centre:
            own = self.common if self.centre == "train" else mean_token(tokens, mask, self.dtype)
            tokens = without(tokens, own, mask)
        return tokens, cls, mask

    def mixed(
        self, tokens: torch.Tensor, cls: torch.Tensor | None, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """Return prepared inputs with one layer in place of several: their mixture, if the probe has one."""
        if self.mixture is None or self.several:
            return tokens, cls, mask
        weights = self.layer_weights
        if "cls" in self.reads:
            cls = mix(cls[:, :, None], weights, self.unit)[:, 0]
        return mix(tokens, weights, self.unit) if "tokens" in self.reads else tokens[:, -1], cls, mask

    def _check_shapes(self, tokens, cls, mask) -> None:
        count = (len(self.layers),) if isinstance(self.layers, list) else ()
        layers = f"{count[0]} layers, " if count else ""
        if tokens.ndim != 3 + len(count) or tokens.shape[-1] != self.dim or tokens.shape[-2] < 1:
            raise ProbeError(
                f"tokens have to be (clips, {layers}tokens, {self.dim}), not {tuple(tokens.shape)}: "
                "use the encoder that this probe was built for"
            )
        if tokens.shape[1:-2] != count:
            raise ProbeError(
                f"{self.name} reads layers {self.layers}, not {tokens.shape[1]} layers: encode those it reads"
            )
        if cls is not None and cls.shape != (len(tokens), *count, self.dim):
            raise ProbeError(f"cls has to be {(len(tokens), *count, self.dim)}, not {tuple(cls.shape)}")
        wanted = (len(tokens), tokens.shape[-2])
        if mask is not None and (mask.shape != wanted or mask.dtype != torch.bool):
            raise ProbeError(
                f"mask has to be a bool tensor {wanted}, True for a real token, "
                f"not {mask.dtype} {tuple(mask.shape)}"
            )

    def grid_of(self, count: int) -> tuple[int, int]:
        """Return the (t, f) grid of `count` time-major tokens: the probe's own, or another at its height."""
        if self.grid is None:
            return count, 1
        height = self.grid[1]
        if count % height:
            raise ProbeError(
                f"{count} tokens do not fill a grid that is {height} cells high: "
                f"pad the clip or build the probe with its own grid (now {self.grid})"
            )
        return count // height, height

    # -- what it looked at

    def explain(
        self,
        tokens: torch.Tensor,
        cls: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        *,
        maps: bool = True,
    ) -> Explanation:
        """Return the Explanation of each logit, with running statistics as in evaluation; no gradients.

        `maps=False` leaves out the maps (similarity, attention), which are the large part.
        """
        with torch.no_grad(), evaluating(self):
            told = self._explain(*self.mixed(*self.prepare(tokens, cls, mask)), maps)
            return replace(told, layer_weights=self.layer_weights)._each(torch.Tensor.detach)

    def _explain(self, tokens, cls, mask, maps) -> Explanation:
        """Contributions of the classifier's inputs; poolings with something spatial add it."""
        pooled = self.pool(tokens, cls, mask)
        return Explanation(
            kind="dimensions",
            logits=self.classify(pooled),
            bias=self.classifier.bias,
            grid=self.grid_of(tokens.shape[-2]),
            inputs=self.normed(pooled),
            weight=self.classifier.weight,
        )

    def class_weights(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return weight (c k) and bias (c), or None, of the last layer, behind any normalisation."""
        return self.classifier.weight, self.classifier.bias

    def folded_classifier(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weight (c k) and bias (c) that act on the raw descriptor like norm and classifier."""
        weight, bias = self.class_weights()
        bias = weight.new_zeros(self.classes) if bias is None else bias
        if isinstance(self.norm, ScoreNorm):
            weight = weight * (self.norm.running_var + self.norm.eps).rsqrt()
            bias = bias - weight @ self.norm.running_mean
        return weight, bias

    # -- training

    def prototype_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that get the prototypes' own learning rate."""
        return []

    def parameter_groups(
        self,
        lr: float,
        prototype_lr: float | None = None,
        weight_decay: float = 0.0,
        decay_prototypes: bool = False,
    ) -> list[dict[str, Any]]:
        """Return optimiser groups: prototypes (own rate, no decay unless asked for), mixture and all the
        rest.

        `prototype_lr=None` takes `lr` for both, as the paper does.
        """
        prototypes = self.prototype_parameters()
        mixture = [] if self.mixture is None else [self.mixture]
        known = {id(p) for p in (*prototypes, *mixture)}
        rest = [p for p in self.parameters() if id(p) not in known]
        groups = [
            {"params": rest, "lr": lr, "weight_decay": weight_decay},
            {"params": mixture, "lr": lr, "weight_decay": 0.0},
            {
                "params": prototypes,
                "lr": lr if prototype_lr is None else prototype_lr,
                "weight_decay": weight_decay if decay_prototypes else 0.0,
            },
        ]
        return [group for group in groups if group["params"]]


@contextmanager
def evaluating(probe: nn.Module):
    """Set the probe to evaluation mode for the length of a `with`; afterwards it is as it was."""
    was_training = probe.training
    probe.eval()
    try:
        yield probe
    finally:
        probe.train(was_training)
