"""Encodings of parts put together: of some clips in a batch, and of windows that follow each other."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from protoviz.encoders.base import Encoding


def spread(part: Encoding, held: Tensor) -> Encoding:
    """Return the encoding of some clips as one of the whole batch: zeros where `held` (b,) is False."""

    def over(values: Tensor) -> Tensor:
        out = values.new_zeros(len(held), *values.shape[1:])
        out[held] = values
        return out

    return replace(
        part,
        tokens=over(part.tokens),
        cls=over(part.cls),
        mask=over(part.mask),
        attention=part.attention and [over(row) for row in part.attention],
        cls_to_cls=part.cls_to_cls and [over(row) for row in part.cls_to_cls],
        layers={layer: over(values) for layer, values in part.layers.items()},
        layer_cls={layer: over(values) for layer, values in part.layer_cls.items()},
    )


def joined(parts: Sequence[Encoding], shares: Tensor, sound: Tensor) -> Encoding:
    """Return one encoding of the windows `parts`: tokens side by side, cls and attention weighted by
    `shares`.

    shares (w b): the share of a clip's sound that lies in each window; sound (b n): the cells that hold any.
    Rows of attention sum to what they did in one window.
    """
    hidden = ~sound[..., None]

    def along(values: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(values), dim=1).masked_fill(hidden, 0)

    def weighted(values: Sequence[Tensor]) -> list[Tensor]:
        return [
            value * share.to(value).view(-1, *(1,) * (value.ndim - 1))
            for value, share in zip(values, shares, strict=True)
        ]

    def by_layer(name: str):
        return zip(*(getattr(part, name) or () for part in parts), strict=True)

    return Encoding(
        tokens=along([part.tokens for part in parts]),
        cls=sum(weighted([part.cls for part in parts])),
        grid=(sum(part.grid[0] for part in parts), parts[0].grid[1]),
        mask=sound,
        attention=[torch.cat(weighted(rows), dim=-1) for rows in by_layer("attention")] or None,
        cls_to_cls=[sum(weighted(kept)) for kept in by_layer("cls_to_cls")] or None,
        layers={layer: along([part.layers[layer] for part in parts]) for layer in parts[0].layers},
        layer_cls={
            layer: sum(weighted([part.layer_cls[layer] for part in parts])) for layer in parts[0].layer_cls
        },
    )
