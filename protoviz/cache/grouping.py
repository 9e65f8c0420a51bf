"""A batch of clips of unequal length, encoded in groups of like lengths."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter

import torch

from protoviz.encoders import Encoder, Encoding

ALIKE = 0.75  # the shortest of a group, as a share of its longest: at most a quarter of a clip is padding


def alike(lengths: Sequence[int]) -> list[list[int]]:
    """Return groups of places in `lengths`, the longest first; lengths of one differ by at most a quarter."""
    groups: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        if not groups or lengths[place] < ALIKE * lengths[groups[-1][0]]:
            groups.append([])
        groups[-1].append(place)
    return groups


def encode_in_groups(encoder: Encoder, sounds: Sequence, layers: Sequence[int] | None = None) -> Encoding:
    """Return the encoding of sounds (s,), in their order, on the encoder's grid: tokens, cls, mask, layers.

    A batch is computed at its longest clip's length. On a processor smaller batches cost nothing, so that
    sorting it into groups saves what would be padding; an accelerator is kept busy by whole batches.
    """
    asked = {} if layers is None else {"layers": layers}  # an encoder of one's own may not know the word
    whole = [list(range(len(sounds)))]
    groups = alike([len(sound) for sound in sounds]) if encoder.device.type == "cpu" else whole
    if len(groups) == 1:
        # A batch of shorter clips may come on a shorter grid; a cache holds one.
        return encoder.encode(list(sounds), **asked).on_grid(encoder.grid)
    parts = [
        encoder.encode([sounds[place] for place in group], **asked).on_grid(encoder.grid) for group in groups
    ]
    back = torch.tensor([place for group in groups for place in group]).argsort()

    def joined(of: Callable[[Encoding], torch.Tensor]) -> torch.Tensor:
        return torch.cat([of(part) for part in parts])[back]

    return replace(
        parts[0],
        **{name: joined(attrgetter(name)) for name in ("tokens", "cls", "mask")},
        layers={layer: joined(lambda part, layer=layer: part.layers[layer]) for layer in layers or ()},
        layer_cls={layer: joined(lambda part, layer=layer: part.layer_cls[layer]) for layer in layers or ()},
    )
