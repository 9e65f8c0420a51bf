"""Speech Commands v2 with twelve classes (sc2): ten words, all other words as unknown, and silence."""

from pathlib import Path

from protoviz.audio import sounds_below
from protoviz.datasets.clips import ClipSet
from protoviz.datasets.files import RATE, SHORTEST, Row, Window, clip_set, lengths
from protoviz.datasets.spec import DatasetSpec, LayoutError
from protoviz.datasets.texts import text_of

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
UNKNOWN, SILENCE, NOISE = "unknown", "silence", "_background_noise_"
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
SHARES = (0.8, 0.1)  # of the seconds of each noise file: train, validation; the rest is test


def load(root: Path, *, seconds: float = 1.0, sample_rate: int = RATE, shortest: float = SHORTEST) -> ClipSet:
    """Return Speech Commands v2 in the published splits; every file that no list names is a training clip.

    The 84,843 training files and the silence are the paper's 84.8 thousand. Silence is the noise files cut
    into pieces of `seconds`. Of each file the first 80 % are for training, then 10 % to choose and 10 % to
    report on, as in the authors' follow-up. The paper does not state it, nor whether the many unknown words
    are thinned out (here they are not). A name in a list that is not on disk is listed as missing.
    """
    listed = {}
    for split, file in LISTS.items():
        names = text_of(root / file).split("\n")
        listed |= {name.strip(): split for name in names if name.strip()}
    found = [path for path in sounds_below(root) if path.parent.parent == root]
    present = {path.relative_to(root).with_suffix(".wav").as_posix() for path in found}
    words = sorted(name for name in present | set(listed) if not name.startswith(f"{NOISE}/"))
    rows = []
    for name in words:
        word = name.split("/")[0]
        rows.append(Row(name, listed.get(name, "train"), [word if word in WORDS else UNKNOWN], root / name))
    for path in (path for path in found if path.parent.name == NOISE):
        rows += silence(path, seconds)
    if not any(row.split == "train" for row in rows):
        raise LayoutError(f"{root}: has the lists but no word to train on; unpack all of it. {SPEC.source}")
    return clip_set(
        SPEC.name,
        (*WORDS, UNKNOWN, SILENCE),
        rows,
        Window(seconds, sample_rate, shortest),
        licence=SPEC.licence,
    )


def silence(path: Path, seconds: float) -> list[Row]:
    """Return the whole pieces of one noise file, in order of time over train, validation and test."""
    length = lengths([path])[str(path)]
    pieces = int(length / seconds) if isinstance(length, float) else 1  # one, which is listed as unreadable
    ends = [round(pieces * SHARES[0]), round(pieces * sum(SHARES))]
    splits = ["train" if n < ends[0] else "validation" if n < ends[1] else "test" for n in range(pieces)]
    return [
        Row(f"{NOISE}/{path.stem}.wav@{n * seconds:g}", split, [SILENCE], path, offset=n * seconds)
        for n, split in enumerate(splits)
    ]


SPEC = DatasetSpec(
    name="sc2",
    title="Speech Commands v0.02, twelve classes",
    classes=12,
    task="single-label",
    licence="CC BY 4.0",
    size="105,829 words and 6 noise files, 3.4 GB",
    page="http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
    load=load,
    layouts=((*LISTS.values(), NOISE, *WORDS),),
    folders=("speech_commands_v0.02", "speech_commands"),
    seconds=1.28,
)
