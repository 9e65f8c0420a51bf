"""What a figure of a study is asked for: of which data, clip and class, by whom.

What is None is the first of its kind.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """Of any figure."""

    dark: bool = False  # for a dark page


@dataclass(frozen=True)
class OfData(Asked):
    """Of one data set."""

    dataset: str | None = None


@dataclass(frozen=True)
class OfTable(OfData):
    """Of a table of scores; of several the one with most encoders."""

    source: str | None = None


@dataclass(frozen=True)
class OfEncoder(OfData):
    """Of what is known by one encoder."""

    encoder: str | None = None


@dataclass(frozen=True)
class OfGroup(OfEncoder):
    """Of a group of methods, one of `protoviz.analysis.polyphony.GROUPS`."""

    group: str = "main"


@dataclass(frozen=True)
class OfProbe(OfEncoder):
    """Of one trained probe."""

    method: str | None = None


@dataclass(frozen=True)
class OfClip(OfData):
    """Of a clip: its id in the study's table of clips."""

    clip: str | None = None


@dataclass(frozen=True)
class OfMap(OfClip):
    """Of what an encoder makes of a clip."""

    encoder: str | None = None


@dataclass(frozen=True)
class OfClass(OfMap):
    """Of what a probe with prototypes says of a class in a clip, the most likely one if it is not named."""

    label: str | None = None
    method: str | None = None
