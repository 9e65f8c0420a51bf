"""What a caller may choose of a published encoder, and what its file says where nothing is chosen."""

from dataclasses import dataclass

from protoviz.encoders.base import EncoderError, rate_refusal
from protoviz.encoders.config import HEADS, is_number, of_width
from protoviz.encoders.layouts import Checkpoint
from protoviz.encoders.weights import WeightsError

LONGEST = 60.0  # seconds; past it one clip's attention outgrows a laptop's memory
LEAST_STD = 1e-6  # of log-mel values; those of data sets are 3 to 7
HEAD_WIDTH = 64  # of every published model, but
WIDER_HEADS = {1280: 16}  # those of this width: Dasheng 0.6B, Bird-MAE huge


@dataclass(frozen=True)
class LoadOptions:
    """What a caller of `load_encoder` may choose; None: as published."""

    seconds: float | None = None  # of a clip that fills the grid; a shorter one is padded as published
    sample_rate: int | None = None  # ASiT may be run at 16 kHz; the others only at theirs
    mean: float | None = None  # of the log-mel values; the authors use another for each data set
    std: float | None = None  # of the same
    heads: int | None = None  # for a file that does not say how many
    network: str | None = None  # "student" or "teacher", for a file that holds both
    head: bool | None = None  # whether the file has a fine-tuned head; None: as the name says (+: it has)

    def __post_init__(self):
        for name in ("seconds", "sample_rate", "mean", "std", "heads"):
            value = getattr(self, name)
            if value is not None and not is_number(value):
                raise EncoderError(f"{name}={value!r}: give a number")
        if self.std is not None and self.std < LEAST_STD:
            raise EncoderError(f"std={self.std}: a spread of log-mel values is {LEAST_STD:g} or more")
        if self.heads is not None and (self.heads < 1 or self.heads % 1):
            raise EncoderError(f"heads={self.heads}: give a whole number from 1 on")
        if self.seconds is not None and not 0 < self.seconds <= LONGEST:
            raise EncoderError(f"seconds={self.seconds}: choose a length above 0 and up to {LONGEST:g}")
        for name in ("seconds", "mean", "std", "heads", "sample_rate"):  # 5 and 5.0 have one fingerprint
            if (value := getattr(self, name)) is not None:
                whole = name in ("heads", "sample_rate") and value == int(value)
                object.__setattr__(self, name, int(value) if whole else float(value))

    def rate(self, *allowed: int) -> int:
        """Return the sample rate: the first of those allowed, unless another of them is asked for."""
        if self.sample_rate is not None and self.sample_rate not in allowed:
            raise EncoderError(rate_refusal(f"{self.sample_rate} Hz was asked for", allowed))
        return self.sample_rate or allowed[0]

    def without_statistics(self, name: str, own: str) -> None:
        """Raise EncoderError if a mean or std is asked for; own: what `name` scales by instead."""
        if self.mean is not None or self.std is not None:
            raise EncoderError(f"{name} takes no mean or std: {own}")

    def choice(self, default: str, *others: str) -> str:
        """Return the network: the default, unless one of the others is asked for."""
        if self.network is not None and self.network not in (default, *others):
            known = " or ".join(repr(name) for name in (default, *others)) if others else "one network"
            raise EncoderError(f"network={self.network!r} is not in this kind of file; it holds {known}")
        return self.network or default


def heads_of(checkpoint: Checkpoint, options: LoadOptions, width: int) -> int:
    """Return how many heads: as asked for, as the file says, or else as all published models of that width
    have.

    Shapes do not show it. Widths below 64 are not published; the small models of tests have heads of 8.
    """
    usual = width // HEAD_WIDTH if width % HEAD_WIDTH == 0 else max(1, width // 8)
    said = options.heads or checkpoint.number(*HEADS, within=of_width(width))
    heads = said or WIDER_HEADS.get(width, usual)
    if heads < 1 or heads % 1 or width % heads:
        raise EncoderError(f"{heads} heads do not divide a width of {width}; pass heads=")
    return int(heads)


def statistics(
    checkpoint: Checkpoint, options: LoadOptions, mean: float, std: float, names: tuple[str, ...] = ()
) -> dict[str, float]:
    """Return `mean` and `std` of log-mel values: as asked for, as a file says under `names`, or else these.

    Raises WeightsError for a file that says a spread which none of values can be.
    """
    told = zip(("mean", "std"), map(checkpoint.number, names), strict=False)
    asked = (("mean", options.mean), ("std", options.std))
    found = {"mean": mean, "std": std}
    found |= {name: value for name, value in (*told, *asked) if value is not None}
    if found["std"] < LEAST_STD:
        raise WeightsError(f"{checkpoint.source} says {names[1]}={found['std']}, no spread; pass std=")
    return found
