"""Whether the outputs of single blocks are those that were asked for."""

import torch
from torch import Tensor

from protoviz.encoders.base import EncoderError, Encoding
from protoviz.encoders.check.subject import SAME, Fault, NotTested, Subject, apart

DEEPEST = 200  # blocks: no published encoder has as many


def block_outputs(subject: Subject) -> str:
    """The outputs of the blocks that were asked for, the last of which is what tokens are the norm of."""
    depth = _depth(subject)
    plain, made = subject.together, _encoded(subject, [*range(depth), -1])
    if (off := apart(plain.tokens, made.tokens)) > SAME:
        raise Fault(f"asking for layers moves the tokens by {off:.2g} of their size; only add the outputs")
    for layer, values in made.layers.items():
        if fault := _fault(made, values):
            raise Fault(f"layers[{layer}] {fault}")
    if not torch.equal(made.layers[-1], made.layers[depth - 1]):
        raise Fault(f"layers[-1] is not layers[{depth - 1}], the last: count negative numbers from the end")
    for layer in range(1, depth):
        if torch.equal(made.layers[layer], made.layers[layer - 1]):
            raise Fault(f"layers[{layer - 1}] and layers[{layer}] are the same; keep each block's own output")
    off = [_from_norm(made, made.layers[layer]) for layer in range(depth)]
    if off[-1] > SAME:
        nearest = min(range(depth), key=off.__getitem__)
        wrong = f": it is layers[{nearest}] that does" if off[nearest] <= SAME else ""
        raise Fault(
            f"no norm makes tokens of layers[{depth - 1}], the last{wrong}; give the output of block 0 as 0, "
            "and as tokens the last one's behind the final norm"
        )
    return f"{depth} layers, each its own; tokens are the norm of the last"


def _depth(subject: Subject) -> int:
    """How many blocks there are: the first number that is refused."""
    clip = subject.unequal[-1]
    for layer in range(DEEPEST):
        subject.last = f"{subject.seconds(clip)} of noise, asking for layer {layer}"
        try:
            found = subject.encoder.encode([clip], layers=[layer]).layers
        except EncoderError:
            if layer:
                return layer
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


def _from_norm(made: Encoding, values: Tensor) -> float:
    """How far tokens are from the best norm of a layer (layer norm, root mean square, a scale, none).

    As a share of what tokens vary; a norm scales and moves each dimension of what it has standardised.
    """
    tokens, x = made.tokens[made.mask].double(), values[made.mask].double()
    centred = x - x.mean(1, keepdim=True)
    size = [centred.square().mean(1, keepdim=True), x.square().mean(1, keepdim=True)]
    # The small number in a norm's root is not known: 1e-5 and 1e-6 are in use.
    kinds = [x, *(centred / (size[0] + eps).sqrt() for eps in (1e-5, 1e-6))]
    kinds += [x / (size[1] + eps).sqrt() for eps in (1e-5, 1e-6)]
    return min(_off_line(kind, tokens) for kind in kinds)


def _off_line(x: Tensor, y: Tensor) -> float:
    """Root mean square of what a straight line in each dimension leaves of y (n d), as a share of y's."""
    x, y = x - x.mean(0), y - y.mean(0)
    slope = (x * y).sum(0) / x.square().sum(0).clamp_min(1e-30)
    return float((y - slope * x).square().mean().sqrt() / y.square().mean().sqrt().clamp_min(1e-30))
