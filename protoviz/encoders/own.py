"""An author's own encoder by its place in code, `my_module:MyEncoder`."""

import inspect

from protoviz.encoders.base import Encoder, EncoderError
from protoviz.named import find


def own_encoder(place: str) -> Encoder:
    """Return the encoder that module:Name names, as its author left it (see `protoviz.named.find`).

    Name: a class or a function that is called without arguments, or a ready encoder. Raises EncoderError that
    says how far it came and the cure.
    """
    found = find(place, Encoder, EncoderError, "MyEncoder")
    if not isinstance(found, Encoder) and callable(found):
        found = _called(found, place)
    if not isinstance(found, Encoder):
        raise EncoderError(
            f"{place} gives a {type(found).__name__}; derive the class from protoviz.encoders.Encoder"
        )
    return found


def _called(make, where: str):
    if inspect.isabstract(make):
        missing = ", ".join(sorted(make.__abstractmethods__))
        raise EncoderError(f"{where} lacks methods of Encoder: {missing}; see protoviz.encoders.base")
    try:
        inspect.signature(make).bind()
    except TypeError as error:
        raise EncoderError(
            f"{where} cannot be called without arguments ({error}); write a function that gives the encoder, "
            "and name that"
        ) from error
    try:
        return make()
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise EncoderError(f"making {where} raised {said}") from error
