"""Whether single layers are those that were asked for."""

import torch
from torch import Tensor

from protoviz.encoders.base import EncoderError, Encoding
from protoviz.encoders.check.subject import SAME, Fault, NotTested, Subject, apart

DEEPEST = 200  # blocks: no published encoder has as many


def block_outputs(subject: Subject) -> str:
    """Check that the layers that were asked for run from what enters the first block to the tokens."""
    depth = _depth(subject)
    plain, made = subject.together, _encoded(subject, [*range(depth + 1), -1])
    if (off := apart(plain.tokens, made.tokens)) > SAME:
        raise Fault(f"asking for layers moves the tokens by {off:.2g} of their size; only add the outputs")
    for layer, values in made.layers.items():
        if fault := _fault(made, values):
            raise Fault(f"layers[{layer}] {fault}")
        own = made.layer_cls.get(layer)
        if own is None or own.shape != made.cls.shape:
            raise Fault(f"layer_cls[{layer}] is not {tuple(made.cls.shape)}; give [cls] of the same layers")
    if not torch.equal(made.layers[-1], made.layers[depth]):
        raise Fault(f"layers[-1] is not layers[{depth}], the last: count negative numbers from the end")
    for layer in range(1, depth + 1):
        if torch.equal(made.layers[layer], made.layers[layer - 1]):
            raise Fault(f"layers[{layer - 1}] and layers[{layer}] are the same; keep each block's own output")
    if apart(made.tokens, made.layers[depth]) > SAME or apart(made.cls, made.layer_cls[depth]) > SAME:
        raise Fault(
            f"layers[{depth}], the last, is not the tokens (or layer_cls[{depth}] not cls); give as 0 what "
            "enters block 0, as 1 its output, and as the last what the final norm gives"
        )
    if subject.encoder.depth != depth:
        raise Fault(f"depth is {subject.encoder.depth} and the last layer is {depth}; set depth to {depth}")
    return f"layers 0 to {depth}, each its own; the last is the tokens"


def _depth(subject: Subject) -> int:
    """The number of the last layer: one before the first that is refused."""
    clip = subject.unequal[-1]
    for layer in range(DEEPEST):
        subject.last = f"{subject.seconds(clip)} of noise, asking for layer {layer}"
        try:
            found = subject.encoder.encode([clip], layers=[layer]).layers
        except EncoderError:
            if layer:
                return layer - 1
            raise
        if not found and layer == 0:
            raise NotTested("it gives no layers; nothing but a study of single layers needs them")
        if list(found) != [layer]:
            raise Fault(f"asked for layer {layer}, encode gives {list(found)}; give those and no others")
    raise Fault(f"layer {DEEPEST} is given too; raise EncoderError for a layer that there is not")


def _encoded(subject: Subject, asked: list[int]) -> Encoding:
    subject.last = f"noises, asking for layers {asked}"
    return subject.encoder.encode(subject.unequal, layers=asked)


def _fault(made: Encoding, values: Tensor) -> str | None:
    """What is wrong with one layer's output, or None."""
    if values.shape != made.tokens.shape or values.dtype != torch.float32:
        return f"is {values.dtype} {tuple(values.shape)}; give float32 {tuple(made.tokens.shape)}, as tokens"
    if bool(values[~made.mask].any()):
        return "holds values in empty cells; end with masked_fill(~mask[..., None], 0)"
    return None
