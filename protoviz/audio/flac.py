"""FLAC frames: each says rate, channels, bits and place under a sum of its own, the head of the file once.

Where the head is wrong, the frames contradict it. Samples have a sum as well (CRC-16): the decoder checks it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

SYNC = re.compile(rb"\xff[\xf8\xf9]")  # how a frame begins; with the latter its number counts samples
LONGEST = 16  # bytes of a frame's header
CHUNK = 1 << 20
RATES = (0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
BITS = (0, 8, 12, -1, 16, 20, 24, 32)  # 0: as the head says; -1: none has it


def _sums() -> tuple[int, ...]:
    sums = []
    for value in range(256):
        for _ in range(8):
            value = (value << 1) ^ (0x107 if value & 0x80 else 0)
        sums.append(value)
    return tuple(sums)


SUMS = _sums()  # CRC-8 of one byte


@dataclass(frozen=True)
class Kind:
    """What a head, or a frame, says of the samples; 0 in a frame: as the head says."""

    rate: int
    channels: int
    bits: int

    def contradicts(self, frame: "Kind") -> str:
        """Return what a frame says otherwise than this head, in words; "" where nothing."""
        pairs = ("rate", self.rate, frame.rate), ("channels", self.channels, frame.channels)
        pairs = (*pairs, ("bits", self.bits, frame.bits))
        wrong = [f"{what} {own} and not {said}" for what, own, said in pairs if said not in (0, own)]
        return ", ".join(wrong)


@dataclass(frozen=True)
class Frame:
    """The header of a frame, whose sum is right."""

    kind: Kind
    counts_samples: bool
    number: int  # of the frame, or of its first sample
    samples: int


@dataclass
class Run:
    """Samples first..stop that lie in frames which follow each other."""

    first: int
    stop: int
    last: int  # of them, in the last frame
    frames: int = 1


@dataclass(frozen=True)
class Walked:
    """What a file's frames say: of which kind they are, and where they are without a gap."""

    head: Kind
    total: int  # samples, as the head says; 0: not known when it was written
    frame: Kind | None  # of the first; None: there is none
    runs: list[Run]


def walk(file: BinaryIO) -> Walked | None:
    """Return the frames of an open FLAC file, by their headers; None if its head is not to be found."""
    begin = _head_at(file)
    if begin < 0:
        return None
    file.seek(begin + 8)
    info = file.read(34)
    if len(info) < 34:
        return None
    word = int.from_bytes(info[10:18], "big")
    head, total = Kind(word >> 44, (word >> 41 & 7) + 1, (word >> 36 & 31) + 1), word & (1 << 36) - 1
    first, size, runs = None, 0, []
    for frame in _frames(file, _behind_head(file, begin + 4)):
        if first is None:
            first, size = frame, frame.samples
        if (frame.counts_samples, frame.kind) == (first.counts_samples, first.kind):
            _add(runs, frame.number * (1 if frame.counts_samples else size), frame.samples)
    if len(runs) > 1 and runs[-1].frames == 1 and runs[-2].stop == total:
        runs.pop()  # by chance, in what lies behind
    return Walked(head, total, first and first.kind, runs)


def _add(runs: list[Run], place: int, samples: int) -> None:
    """Add the frame at a place to the last run, or begin one with it."""
    if len(runs) > 1 and runs[-1].frames == 1 and place == runs[-2].stop:
        runs.pop()  # what lay between was no frame: its bytes only looked like one
    if runs and place == runs[-1].stop:
        runs[-1].stop, runs[-1].last, runs[-1].frames = place + samples, samples, runs[-1].frames + 1
    else:
        runs.append(Run(place, place + samples, samples))


def _head_at(file: BinaryIO) -> int:
    file.seek(0)
    return file.read(CHUNK).find(b"fLaC")  # behind a tag, if there is one


def _behind_head(file: BinaryIO, place: int) -> int:
    """The first byte behind all blocks of the head; where their lengths lie, behind the first of them."""
    first = place + 4 + 34
    end = file.seek(0, 2)
    while True:
        file.seek(place)
        block = file.read(4)
        place += 4 + int.from_bytes(block[1:], "big")
        if len(block) < 4 or place > end:
            return first
        if block[0] & 0x80:
            return place


def _frames(file: BinaryIO, place: int) -> Iterator[Frame]:
    """Every frame from a byte on whose header's sum is right, and what looks like one by chance."""
    kept = b""
    file.seek(place)
    while chunk := file.read(CHUNK):
        data, end = kept + chunk, max(0, len(kept) + len(chunk) - LONGEST)
        places = (found.start() for found in SYNC.finditer(data))
        yield from filter(None, (_parsed(data[at : at + LONGEST]) for at in places if at < end))
        kept = data[end:]
    yield from filter(None, (_parsed(kept[at.start() :]) for at in SYNC.finditer(kept)))


def _parsed(data: bytes) -> Frame | None:
    """The header in these bytes, or None where they are none."""
    data += bytes(LONGEST - len(data))
    block, rate, channels, bits = data[2] >> 4, data[2] & 15, data[3] >> 4, data[3] >> 1 & 7
    if block == 0 or rate == 15 or channels > 10 or BITS[bits] < 0 or data[3] & 1:
        return None
    number, at = _number(data, 4)
    if number < 0:
        return None
    if block in (6, 7):
        samples = int.from_bytes(data[at : at + block - 5], "big") + 1
        at += block - 5
    else:
        samples = 192 if block == 1 else 144 << block if block < 6 else 1 << block
    hertz = RATES[rate] if rate < 12 else 0
    if rate >= 12:
        width = 1 if rate == 12 else 2
        hertz = int.from_bytes(data[at : at + width], "big") * (1000, 1, 10)[rate - 12]
        at += width
    found = 0
    for byte in data[:at]:
        found = SUMS[found ^ byte]
    if found != data[at]:
        return None
    return Frame(
        Kind(hertz, channels + 1 if channels < 8 else 2, BITS[bits]), data[1] & 1 == 1, number, samples
    )


def _number(data: bytes, at: int) -> tuple[int, int]:
    """(number, byte behind it), written as UTF-8 writes letters, up to seven bytes; -1 where it is none."""
    lead = data[at]
    more = next((bit for bit in range(8) if not lead << bit & 0x80), 8)  # ones in front
    if more == 0:
        return lead, at + 1
    if more == 1 or more > 7:
        return -1, at
    value = lead & 0x7F >> more
    for byte in data[at + 1 : at + more]:
        if byte & 0xC0 != 0x80:
            return -1, at
        value = value << 6 | byte & 0x3F
    return value, at + more
