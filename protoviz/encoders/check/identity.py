"""Whether the fingerprint of an encoder, which keys caches and probes, tells other tokens from the same."""

import copy
import inspect

import torch
from torch import Tensor

from protoviz.encoders.base import Encoder
from protoviz.encoders.check.subject import EXACT, Fault, Subject, apart


def fingerprint(subject: Subject) -> str:
    """Check that it is equal for an equal encoder, and changes with every weight and option that counts."""
    encoder, told = subject.encoder, subject.encoder.fingerprint()
    if encoder.fingerprint() != told or copy.deepcopy(encoder).fingerprint() != told:
        raise Fault("fingerprint() differs from one call or copy to the next; leave out what is by chance")
    if fault := _blind_to_weights(subject, told):
        raise Fault(fault)
    tried = 0
    for option, values in _options(encoder).items():
        for value in values:
            other = _with(encoder, {option: value})
            if other is None:
                continue
            tried += 1
            if other.fingerprint() == told and _moves(subject, other):
                raise Fault(
                    f"{option}={value!r} moves the tokens and not the fingerprint; name it in front_end() or "
                    "shape(), or a cache and a probe of one would be taken for the other's"
                )
    return f"weights and {tried} other values of its options are told apart; it begins {told[:12]}"


def _blind_to_weights(subject: Subject, told: str) -> str | None:
    changed = copy.deepcopy(subject.encoder)
    floats = [value for value in changed.state_dict().values() if value.is_floating_point()]
    with torch.no_grad():
        for value in floats:
            value.mul_(1.01)
    if floats and changed.fingerprint() == told and _moves(subject, changed):
        return "fingerprint() does not follow the weights; leave it to Encoder, or add weights_digest(...)"
    return None


def _options(encoder: Encoder) -> dict[str, list]:
    """Other values of the numbers that its class may be called with; none where it needs arguments."""
    try:
        parameters = inspect.signature(type(encoder)).parameters.values()
    except (TypeError, ValueError):
        return {}
    if any(p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return {}
    same = _with(encoder, {})
    if same is None or same.fingerprint() != encoder.fingerprint():
        return {}  # it was made otherwise
    found = {p.name: p.default for p in parameters if type(p.default) in (bool, int, float)}
    return {
        name: [not value] if isinstance(value, bool) else [value + 1, 2 * value]
        for name, value in found.items()
    }


def _with(encoder: Encoder, options: dict) -> Encoder | None:
    """One made anew with these options; None where its class does not take them."""
    try:
        return type(encoder)(**options).eval()
    except Exception:  # an author's code may raise anything for a value that it does not want
        return None


def _moves(subject: Subject, other: Encoder) -> bool:
    """Whether another encoder makes other tokens of the shortest test clip."""
    clip, wanted = subject.unequal[-1], subject.encoder
    try:
        made = [one.encode([clip]) for one in (wanted, other.to(wanted.device))]
    except Exception:  # as above
        return False
    tokens: list[Tensor] = [encoding.tokens for encoding in made]
    return tokens[0].shape != tokens[1].shape or apart(*tokens) > EXACT
