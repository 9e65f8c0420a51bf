"""Probes that answer frame by frame: each pools the cells of one frame, over frequency only."""

from dataclasses import replace
from typing import ClassVar

import torch

from protoviz.probes.base import Family, Grid, Probe, ProbeError, Source
from protoviz.probes.cgp import CgpProbe, Head2ToeProbe
from protoviz.probes.explanation import Explanation
from protoviz.probes.inputs import mean_token
from protoviz.probes.pooled import LinearProbe
from protoviz.probes.prototype import ProtobinProbe, PrototypeProbe


class FrameWise(Probe):
    """What a probe becomes for which every frame is a clip, and the mean of its cells its [cls].

    It stands before the probe's class: descriptors are (b t k), logits (b t c). A frame of padding alone has
    those of a clip without tokens. A BatchNorm counts such frames too.
    """

    frame_wise: ClassVar[bool] = True
    compared: ClassVar[bool] = False

    def frames(self, tokens, mask) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the frames of prepared inputs as clips: tokens (b*t f d) or (b*t l f d), mask (b*t f)."""
        grid = self.grid_of(tokens.shape[-2])
        cells = tokens.unflatten(-2, grid).movedim(-3, 1).flatten(0, 1)
        return cells, None if mask is None else mask.unflatten(1, grid).flatten(0, 1)

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """Return the descriptor of every frame, (b t k)."""
        cells, real = self.frames(tokens, mask)
        pooled = super().pool(cells, mean_token(cells, real, self.dtype), real)
        return pooled.unflatten(0, (len(tokens), -1))

    def normed(self, pooled: torch.Tensor) -> torch.Tensor:
        return super().normed(pooled.flatten(0, 1)).unflatten(0, pooled.shape[:2])

    def _explain(self, tokens, cls, mask, maps) -> Explanation:
        told = Probe._explain(self, tokens, cls, mask, maps)
        if not isinstance(self, PrototypeProbe):
            return told
        similarity = self.similarity(tokens, cls, mask) if maps else None
        each = told.inputs.shape[-1] // self.count
        return replace(told, kind="prototypes", each=each, similarity=similarity)


class LinearFramesProbe(FrameWise, LinearProbe):
    """Linear on the mean over frequency: logits_t = W mean_f z_tf + b, (b t c). Parameters: C D + C.

    With `layers=[...]` it is the follow-up's linear CGP for frames: the mixture's weights are learned, too.
    """

    name: ClassVar[str] = "linear_frames"
    family: ClassVar[Family] = "token map"
    source: ClassVar[Source] = "published"
    main: ClassVar[bool] = False
    reads: ClassVar[frozenset[str]] = frozenset({"tokens"})


class ProtobinFramesProbe(FrameWise, ProtobinProbe):
    """Protobin with the maximum over frequency only: logits_t = W s_t + b, s_tj = max_f cos(sign(v_j), z_tf).

    Shapes and parameters as protobin.
    """

    name: ClassVar[str] = "protobin_frames"
    source: ClassVar[Source] = "published"
    main: ClassVar[bool] = False


class CgpFramesProbe(FrameWise, CgpProbe):
    """Convex gated probing of single frames: min_f, mean_f and max_f of p_j . z^_tf, in this order.

    Shapes and parameters as cgp.
    """

    name: ClassVar[str] = "cgp_frames"

    def __init__(
        self,
        dim: int,
        classes: int,
        grid: Grid = None,
        *,
        prototypes_per_class: int = 20,
        prototypes: int | None = None,  # in all, in place of so many a class
        dropout: float = 0.2,  # the authors'
        batch_norm: bool = False,
    ):
        own = {"prototypes_per_class": prototypes_per_class, "prototypes": prototypes, "dropout": dropout}
        super().__init__(dim, classes, grid, summary="mean", batch_norm=batch_norm, **own)
        del self.hyper["summary"]  # a frame has no [cls]


class Head2ToeFramesProbe(FrameWise, Head2ToeProbe):
    """Linear on the mean over frequency of all layers side by side; parameters as head2toe."""

    name: ClassVar[str] = "head2toe_frames"
    family: ClassVar[Family] = "token map"

    def __init__(
        self,
        dim: int,
        classes: int,
        grid: Grid = None,
        *,
        lasso: float = 1e-4,  # the follow-up's
        batch_norm: bool = False,
    ):
        super().__init__(dim, classes, grid, summary="mean", lasso=lasso, batch_norm=batch_norm)
        del self.hyper["summary"]  # a frame has no [cls]


def frame_wise(probe: Probe, cells: bool = False) -> Probe:
    """Return a probe with the same weights that answers for each frame as the given one does for a clip.

    So a probe that was trained on labels of whole clips tells when a class sounds: its prototypes' scores are
    taken in one frame at a time, and the classifier stays. cells: for each cell, (b n c), frames or not.
    Raises ProbeError for a method that has no form for frames, or that reads [cls], which is of no frame.
    """
    kind, options = type(probe), dict(probe.hyper)
    if not probe.frame_wise:
        every = FrameWise.__subclasses__()
        forms = [one for one in every if issubclass(one, kind) and "cls" not in probe.reads]
        if not forms:
            names = ", ".join(sorted(one.__bases__[1].name for one in every))
            raise ProbeError(
                f"{probe.name} cannot be asked for single frames: choose a method of frames, "
                f"or one of {names} that does not read [cls]"
            )
        kind = forms[0]
        options.pop("summary", None)  # the mean, which those of frames have anyway
    grid = probe.grid
    if cells and grid is not None:
        grid = (grid[0] * grid[1], 1)
    made = kind(probe.dim, probe.classes, grid, **options)
    made.read_layers(probe.layers)
    made.load_state_dict(probe.state_dict())
    made.metadata = dict(probe.metadata)
    return made.to(next(probe.parameters()).device).eval()
