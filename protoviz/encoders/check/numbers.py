"""Checks of an encoder's numbers: finite, repeatable, the same alone and in a batch, maps that sum to one."""

from itertools import pairwise

import numpy as np
import torch

from protoviz.encoders.base import Encoder
from protoviz.encoders.check.process import draw, random_states, settings
from protoviz.encoders.check.subject import EXACT, SAME, Fault, NotTested, Subject, apart, listed

SUM = 1e-3  # that a row of attention may miss one by
LARGEST = 65504  # of float16, in which caches keep tokens


def _hard_sounds(subject: Subject) -> dict[str, np.ndarray]:
    """Sounds at which logarithms, divisions and square roots go wrong, each of full length."""
    count = subject.samples
    click = np.zeros(count, np.float32)
    click[count // 2] = 1.0
    return {
        "silence": np.zeros(count, np.float32),
        "DC": np.full(count, 0.5, np.float32),
        "one sample": click,
    }


def finite(subject: Subject) -> str:
    """Check that there is no NaN or infinity, whatever the sound."""
    bad = []
    sounds = _hard_sounds(subject)
    encodings = {name: subject.encode([sound], name, attention=True) for name, sound in sounds.items()}
    encodings["full scale"] = subject.loud
    for name, made in encodings.items():
        rows = [*(made.attention or []), *(made.cls_to_cls or [])]
        parts = {"tokens": [made.tokens], "cls": [made.cls], "attention": rows}
        bad += [
            f"{part} of {name}"
            for part, values in parts.items()
            if not all(torch.isfinite(value).all() for value in values)
        ]
    if bad:
        raise Fault(
            f"NaN or infinity in {', '.join(bad)}; clamp power before its logarithm (clamp_min(1e-10)) and "
            "add a small number to what is divided by"
        )
    return f"finite on {', '.join(encodings)}"


def float16(subject: Subject) -> str:
    """Check that tokens fit into the half precision in which a cache keeps them."""
    largest = max(float(made.tokens.abs().max()) for made in (subject.loud, subject.together))
    if largest > LARGEST:
        raise Fault(
            f"tokens reach {largest:.3g} and float16 ends at {LARGEST:,}: caches would skip such clips; end "
            "in a norm, or encode with dtype='float32'"
        )
    if float(subject.together.tokens.abs().max()) == 0:
        raise Fault("all tokens of noise are zero; are the weights loaded?")
    return f"the largest value is {largest:.3g}; float16 holds {LARGEST:,}"


def repeated(subject: Subject) -> str:
    """Check that a clip gives the same tokens after other clips, and that earlier results stay."""
    encoder = subject.encoder
    first = subject.encode(subject.unequal[:1], "noise").on_grid(encoder.grid)
    kept, was = (first.tokens.clone(), first.cls.clone()), _state(encoder)
    array, subject.last = subject.noise(subject.samples, 5), "another noise"
    draw()
    before = subject.settings | random_states()
    encoder.encode([array])
    after = settings() | random_states()
    if not (torch.equal(first.tokens, kept[0]) and torch.equal(first.cls, kept[1])):
        raise Fault(
            "encoding another clip changes an encoding that was given before; return new tensors each time"
        )
    if _state(encoder) != was:
        raise Fault("encoding a clip changes the encoder (weights, buffers or mode); only read them there")
    array[:], subject.last = subject.unequal[0], "the same noise once more"  # in one array, as loops have
    again = encoder.encode([array]).on_grid(encoder.grid)
    if (off := max(apart(kept[0], again.tokens), apart(kept[1], again.cls))) > EXACT:
        raise Fault(
            f"the same clip twice differs by {off:.2g} of its tokens' size; switch dropout off (self.eval(), "
            "and F.dropout(training=self.training)), leave out dither, keep nothing from one clip to the next"
        )
    if changed := [name for name, value in after.items() if value != before[name]]:
        raise Fault(
            f"encoding a clip changes what the whole process shares: {', '.join(changed)}; leave that to the "
            "caller, and draw what is random once, in __init__, from a torch.Generator"
        )
    return "the same clip gives the same tokens twice"


def _state(encoder: Encoder) -> tuple[str, list[bool]]:
    return encoder.fingerprint(), [part.training for part in encoder.modules()]


def gradient(subject: Subject) -> str:
    """Check that a gradient reaches a waveform that asks for one."""
    encoder = subject.encoder
    clip = torch.from_numpy(subject.unequal[-1].copy()).to(encoder.device).requires_grad_()
    subject.last = f"{subject.seconds(len(clip))} of noise that asks for a gradient"
    with torch.enable_grad():
        if not _passes_features(encoder, clip):
            raise NotTested(
                "no gradient passes features(), which computes with NumPy or under no_grad(); maps of what "
                "the sound changes need it, nothing else does"
            )
        tokens = encoder.encode([clip]).tokens
        if not tokens.requires_grad:
            raise Fault(
                "a gradient passes features() and not encode(); leave out detach(), and no_grad() too: "
                "Encoder.encode builds no graph for a clip that does not ask"
            )
        weights = torch.linspace(-1, 1, tokens.numel(), device=tokens.device).view_as(tokens)
        (found,) = torch.autograd.grad((tokens * weights).sum(), clip)
    if not (torch.isfinite(found).all() and found.any()):
        raise Fault(
            "the gradient of the waveform is zero, NaN or infinity; clamp before logarithms and roots "
            "(x.clamp_min(1e-10).sqrt())"
        )
    return "a gradient reaches a waveform that asks for one"


def _passes_features(encoder: Encoder, clip: torch.Tensor) -> bool:
    """Whether a gradient does; NumPy refuses tensors that carry one."""
    try:
        return encoder.features([clip]).requires_grad
    except RuntimeError:
        return False


def alone_and_together(subject: Subject) -> str:
    """Check that a clip does not depend on the others of its batch."""
    order = np.roll(np.arange(len(subject.unequal)), 1)  # the longest is neither first nor last
    mixed = subject.encode([subject.unequal[i] for i in order], "noises of unequal length, in another order")
    whole, worst = mixed.on_grid(subject.encoder.grid), 0.0
    for made, clip, i in zip(
        (subject.alone[j] for j in order), (subject.unequal[j] for j in order), range(len(order)), strict=True
    ):
        length = subject.seconds(clip)
        for part, other in (("tokens", whole.tokens[i]), ("cls", whole.cls[i])):
            off = apart(getattr(made, part)[0], other)
            worst = max(worst, off)
            if off > SAME:
                raise Fault(
                    f"{part} of a clip of {length} differ by {off:.2g} of their size beside louder and "
                    "longer clips "
                    f"({SAME:g} is allowed); normalise each clip by itself, give `mask` to the attention "
                    "and to means over tokens, and keep the order of clips"
                )
    clips = len(subject.unequal)
    return f"{clips} unequal clips: alone as in a batch to {worst:.1g} of the tokens' size ({SAME:g} allowed)"


def mean_token(subject: Subject) -> str:
    """Check that, where there is no [cls], the mean of the clip's real tokens stands for it."""
    made = subject.together
    if subject.encoder.cls_kind != "mean token":
        if len(made.cls) > 1 and apart(made.cls[0], made.cls[-1]) <= EXACT:
            raise Fault("cls is the same for different clips; give [cls] as it leaves the last block")
        return "it has a [cls] of its own, which follows the clip"
    hidden, counts = ~made.mask[..., None], made.mask.sum(1, keepdim=True)
    if (off := apart(made.tokens.masked_fill(hidden, 0).sum(1) / counts, made.cls)) > SAME:
        raise Fault(
            f'cls_kind is "mean token", and cls is off the mean of the real tokens by {off:.2g} of its size; '
            "divide the sum over real cells by their number: mask.sum(1)"
        )
    return "cls is the mean of each clip's real tokens"


def attention(subject: Subject) -> str:
    """Check the maps of all layers and heads: with [cls]'s own share they sum to one; none come unasked."""
    made, plain = subject.together, subject.encode(subject.unequal, "noises, without attention")
    if plain.attention is not None or plain.cls_to_cls is not None:
        raise Fault("attention=False gives maps, too; leave both None then, which lets attention be fused")
    if (off := apart(plain.tokens, made.tokens)) > SAME:
        raise Fault(f"asking for attention moves the tokens by {off:.2g} of their size; only add the maps")
    if made.attention is None:
        raise NotTested("it gives no attention maps; only the explorer's page Attention needs them")
    if not made.attention or made.cls_to_cls is None or len(made.attention) != len(made.cls_to_cls):
        kept = None if made.cls_to_cls is None else len(made.cls_to_cls)
        raise Fault(
            f"attention has {len(made.attention)} layers and cls_to_cls {kept}; give both for every layer: "
            "the row of [cls] over the cells, and what it keeps for itself (zeros without a [cls])"
        )
    if faults := [
        fault
        for layer, (row, own) in enumerate(zip(made.attention, made.cls_to_cls, strict=True))
        if (fault := _row_fault(layer, row, own, made.mask.shape))
    ]:
        raise Fault(listed(faults[:3]))
    for layer, (row, after) in enumerate(pairwise(made.attention)):
        if made.mask.shape[1] > 1 and row.shape == after.shape and torch.equal(row, after):
            raise Fault(f"attention of layers {layer} and {layer + 1} is the same; give each its own map")
    layers, heads = len(made.attention), made.attention[0].shape[1]
    return f"{layers} layers of {heads} heads, each row sums to one with cls_to_cls; none unless asked for"


def _row_fault(layer: int, row: torch.Tensor, own: torch.Tensor, mask_shape) -> str | None:
    """What is wrong with one layer's map (b h n) and the share (b h) of [cls], or None."""
    b, n = mask_shape
    if row.ndim != 3 or row.shape[0] != b or row.shape[2] != n or own.shape != row.shape[:2]:
        return (
            f"layer {layer}: attention {tuple(row.shape)} and cls_to_cls {tuple(own.shape)}; they are (b h "
            f"n) and (b h) with b = {b}, n = {n}"
        )
    if float(row.min()) < -EXACT or float(own.min()) < -EXACT:
        return f"layer {layer}: attention is negative; give it after the softmax"
    off = (row.sum(-1) + own - 1).abs().amax(0)
    head = int(off.argmax())
    if float(off[head]) > SUM:
        total = float((row.sum(-1) + own)[:, head].mean())
        return (
            f"layer {layer}, head {head}: a row sums to {total:.3g} with cls_to_cls, not to one; give the "
            "softmax row over the cells, and as cls_to_cls what [cls] keeps for itself"
        )
    return None
