"""Which encoder made the tokens that a probe was trained on, and the refusal of another's."""

from typing import Any, TypedDict

from protoviz.cache.key import encoder_differences, encoder_key
from protoviz.encoders import Encoder
from protoviz.probes.base import Probe, ProbeError
from protoviz.settings import checked

ORIGIN = "encoder"  # of `Probe.metadata`


class _Key(TypedDict):
    """An `encoder_key`, as a file holds it."""

    name: str
    weights: str
    shape: dict
    front_end: dict
    fingerprint: str


def origin_of(source: Any) -> dict | None:
    """Return the `encoder_key` of the encoder behind tokens; None if they do not say (token maps in memory).

    source: an `Encoder`, a token cache or a part of one, or such a key itself.
    """
    if isinstance(source, Encoder):
        return encoder_key(source)
    return source if isinstance(source, dict) else getattr(source, "made_by", None)


def note_origin(probe: Probe, *sources: Any) -> None:
    """Keep in the probe's metadata which encoder made the tokens that it is trained on, as far as they say.

    Raises ProbeError where two sources are of different encoders.
    """
    known = [key for key in map(origin_of, sources) if key]
    probe.metadata.pop(ORIGIN, None)
    if not known:
        return
    for other in known[1:]:
        if other["fingerprint"] != known[0]["fingerprint"]:
            raise ProbeError(
                "training and validation tokens are of different encoders; encode both with one:\n  "
                + "\n  ".join(encoder_differences(known[0], other, "trained on"))
            )
    probe.metadata[ORIGIN] = known[0]


def refuse_other(probe: Probe, source: Any, name: str = "") -> None:
    """Raise ProbeError unless the probe was trained on tokens of the encoder behind `source` (see
    `origin_of`).

    Its weights, front end and all options count, such as seconds=; the precision and the type that a cache
    keeps tokens in do not, as they only round. A probe that does not say what it was trained on (files of
    before, token maps in memory) is held to width and grid alone. name: what the probe is called. Raises
    ProbeError with what differs.
    """
    called = f"the probe {name or probe.metadata.get('title', probe.name)!r}"
    where = f"{called}: metadata.{ORIGIN}"
    trained = checked(probe.metadata.get(ORIGIN), _Key | None, where, "save the probe again", ProbeError)
    given = origin_of(source)
    cure = "load the encoder with the probe's options and weights, or train a probe on its tokens"
    if trained and given:
        if trained["fingerprint"] != given["fingerprint"]:
            found = encoder_differences(trained, given, "the probe's")
            raise ProbeError(f"{called} is of another encoder; {cure}:\n  " + "\n  ".join(found))
        return
    dim, grid = getattr(source, "dim", None), getattr(source, "grid", None)
    if dim is not None and dim != probe.dim:
        raise ProbeError(f"{called} reads tokens of width {probe.dim}, not {dim}; {cure}")
    if None not in (grid, probe.grid) and tuple(grid) != probe.grid:
        raise ProbeError(f"{called} is of {probe.grid} cells, not {tuple(grid)}; {cure}")
