"""MPEG audio (MP3) counted frame by frame: what its decoder otherwise guesses from the first few."""

import io
from dataclasses import dataclass
from typing import BinaryIO

LOST_FRAMES = 2  # that a tag may count and that are not there: some count the tag's own, some end in a piece
# kbit/s by index, of version 1 (layers 1, 2, 3) and of versions 2 and 2.5 (layer 1, others)
BITRATES = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = (44100, 48000, 32000)  # of version 1; halved in 2, quartered in 2.5
SAME = 0xFFFF0C00  # bits of a header that stay as they are throughout a file: version, layer, checksum, rate
CHUNK = 1 << 17
TAGS = (b"Xing", b"Info")
EXACT = (b"LAME", b"Lavf", b"Lavc")
IN_STEP = 3  # headers in a row at the right distances: fewer also occur by chance
DECODER_DELAY = 529  # samples that every decoder adds in front; the tag counts the encoder's alone


@dataclass(frozen=True)
class Header:
    """What the four bytes at a frame's start say."""

    word: int
    size: int  # bytes of the frame; 0: free format, its size is not told
    samples: int
    side: int  # bytes between the header and the sound, where a tag would stand


@dataclass
class Walked:
    """The frames of an MP3 file, as far as they follow each other."""

    head: Header
    spans: list[tuple[int, int]]  # (first, stop) byte of the frames, tag frame and tags left out
    frames: int
    told: int  # frames that its tag counts; 0: it has none
    trims: tuple[int, int]  # samples that encoder and decoder added in front and behind
    broken: bool  # whether frames go on behind bytes that are none

    @property
    def whole(self) -> bool:
        """Whether nothing is known to be missing."""
        return not self.broken and self.told - self.frames <= LOST_FRAMES

    @property
    def samples(self) -> int:
        """Samples of sound, without what the encoder added: in front, and behind where the end is there."""
        front = self.trims[0]
        return max(0, self.frames * self.head.samples - front - (self.trims[1] if self.whole else 0))

    @property
    def promised(self) -> float:
        """Samples that there should be: of an unknown number where frames are lost and no tag counts them."""
        if self.whole:
            return self.samples
        told = self.told * self.head.samples - sum(self.trims)
        return told if told > self.samples else float("inf")

    def tag(self) -> bytes:
        """Return a frame of silence that tells a decoder the right count, to stand before the first."""
        word = self.head.word | 0x10000  # without a checksum
        for index in range(1, 15):
            header = parsed((word & ~0xF200) | index << 12)
            if header is not None and header.size >= 4 + header.side + 40:
                break
        begin = header.word.to_bytes(4, "big") + bytes(header.side)
        tag = b"Xing" + (1).to_bytes(4, "big") + self.frames.to_bytes(4, "big")
        front, behind = self.trims[0] - DECODER_DELAY, self.trims[1] + DECODER_DELAY if self.whole else 0
        tag += b"LAME3.100" + bytes(12) + (front << 12 | behind).to_bytes(3, "big")
        return (begin + tag).ljust(header.size, b"\0")


def parsed(word: int) -> Header | None:
    """Return the header in 32 bits, or None if they are none."""
    version, layer = (word >> 19) & 3, 4 - ((word >> 17) & 3)
    index, rate = (word >> 12) & 15, (word >> 10) & 3
    if word >> 21 != 0x7FF or version == 1 or layer == 4 or index == 15 or rate == 3:
        return None
    first = version == 3
    bits = 1000 * BITRATES[1, layer][index] if first else 1000 * BITRATES[2, min(layer, 2)][index]
    hertz = RATES[rate] >> (3 - version if version else 2) if not first else RATES[rate]
    samples = 384 if layer == 1 else 1152 if layer == 2 or first else 576
    pad = (word >> 9) & 1
    mono = (word >> 6) & 3 == 3
    side = ((17, 9) if mono else (32, 17))[not first] if layer == 3 else 0
    size = (samples // 32 * bits // hertz + pad) * 4 if layer == 1 else samples // 8 * bits // hertz + pad
    return Header(word, size if bits else 0, samples, side)


class _Headers:
    """The frames' headers at places of an open file."""

    def __init__(self, file: BinaryIO):
        self.file, self.known, self.free = file, {}, {}
        self.end = file.seek(0, io.SEEK_END)

    def at(self, place: int) -> Header | None:
        """Return the header of the frame that begins at a place."""
        self.file.seek(place)
        four = self.file.read(4)
        if four not in self.known:
            self.known[four] = parsed(int.from_bytes(four, "big")) if len(four) == 4 else None
        header = self.known[four]
        if header is not None and header.size == 0:
            return self._free(header, place)
        return header

    def _free(self, header: Header, place: int) -> Header | None:
        """A frame of free format: all are as long as from the first to the second, but for padding."""
        key, pad = header.word & 0xFFFF0C00, (header.word >> 9) & 1
        if header.side == 0:
            return None  # layers 1 and 2 are not made so
        if key not in self.free:
            self.file.seek(place)
            data = self.file.read(CHUNK)
            mark = (header.word & 0xFFFFFC00).to_bytes(4, "big")[:3]
            at = 24
            while (at := data.find(mark[:2], at)) >= 0 and data[at + 2] & 0xFC != mark[2]:
                at += 1
            if at < 0:
                return None
            self.free[key] = at - pad
        return Header(header.word, self.free[key] + pad, header.samples, header.side)

    def in_step(self, place: int, wanted: int = IN_STEP) -> Header | None:
        """Return the header at a place from which frames follow each other, to the end or for some."""
        first = None
        for _ in range(wanted):
            header = self.at(place)
            if header is None or (first and (header.word ^ first.word) & SAME):
                return None
            first, place = first or header, place + header.size
            if place >= self.end:
                break
        return first

    def next_in_step(self, place: int) -> int:
        """Return the first such place from one on, or -1."""
        while place < self.end:
            self.file.seek(place)
            data = self.file.read(CHUNK)
            at = -1
            while (at := data.find(b"\xff", at + 1)) >= 0:
                if self.in_step(place + at):
                    return place + at
            place += len(data)
        return -1


def walk(file: BinaryIO) -> Walked | None:
    """Return the frames of an open MP3 file; None if no three of them follow each other.

    Tags (ID3, APE, Lyrics3) are stepped over, at the ends and between frames. Bytes between frames that are
    neither break the walk: how many frames were there, nobody can tell. Behind the last frame they are left.
    """
    headers = _Headers(file)
    start = _behind_tags(file, 0)
    place = headers.next_in_step(start)
    if place < 0:
        return None
    head = headers.at(place)
    file.seek(start)
    if place > start and parsed(int.from_bytes(file.read(4), "big")) is not None:
        return Walked(
            head, [], 0, 0, (DECODER_DELAY, 0), broken=True
        )  # it begins with a frame: some are lost
    tag = _told(file, place, head)
    if tag.size:
        place, head = place + tag.size, headers.at(place + tag.size) or head
    spans, begin, frames = [], place, 0
    while True:
        header = headers.at(place)
        if header is not None and _alike(header, head) and place + header.size <= headers.end:
            place, frames = place + header.size, frames + 1
            continue
        spans.append((begin, place))
        begin = _behind_tags(file, place)
        if begin == place or headers.at(begin) is None:
            break
        place = begin
    broken = headers.next_in_step(place + 1) >= 0
    size = tag.size + sum(stop - first for first, stop in spans)
    if tag.exact and frames < tag.frames and 0 < tag.bytes <= size and not broken:
        frames, broken = (
            0,
            True,
        )  # all bytes are there but not all frames: one was taken for longer than it is
    return Walked(head, spans, frames, tag.frames, tag.trims, broken)


def _alike(one: Header, other: Header) -> bool:
    """Whether two frames can be of one sound: of the same kind and both mono, or both not."""
    return not (one.word ^ other.word) & SAME and (one.word >> 6 & 3 == 3) == (other.word >> 6 & 3 == 3)


@dataclass(frozen=True)
class _Tag:
    """What a first frame without sound tells of the others; all zero where there is no such frame."""

    size: int = 0  # bytes of that frame
    frames: int = 0
    bytes: int = 0  # of all frames and its own
    trims: tuple[int, int] = (DECODER_DELAY, 0)
    exact: bool = False  # whether it was made by an encoder that counts every frame but the tag's own


def _told(file: BinaryIO, place: int, head: Header) -> _Tag:
    file.seek(place)
    frame = file.read(head.size)
    if frame[36:40] == b"VBRI":
        return _Tag(head.size, int.from_bytes(frame[50:54], "big"))
    tag = next((frame[at:] for at in (4 + head.side, 6 + head.side) if frame[at : at + 4] in TAGS), b"")
    if not tag:
        return _Tag()
    fields, at = [0, 0], 8
    for index, size in enumerate((4, 4, 100, 4)):  # frames, bytes, table of places, quality
        if tag[7] >> index & 1:
            if index < 2:
                fields[index] = int.from_bytes(tag[at : at + 4], "big")
            at += size
    encoder, both = tag[at : at + 4], int.from_bytes(tag[at + 21 : at + 24], "big")
    trims = (both >> 12) + DECODER_DELAY, max(0, (both & 0xFFF) - DECODER_DELAY)
    return _Tag(head.size, *fields, trims, encoder in EXACT)


def _behind_tags(file: BinaryIO, place: int) -> int:
    """The first byte from a place on that belongs to no tag."""
    while True:
        file.seek(place)
        begin = file.read(32)
        if begin[:3] == b"ID3" and len(begin) >= 10 and not any(byte & 0x80 for byte in begin[6:10]):
            size = sum(byte << shift for byte, shift in zip(begin[6:10], (21, 14, 7, 0), strict=True))
            place += 10 + size + 10 * bool(begin[5] & 0x10)
        elif begin[:8] == b"APETAGEX" and len(begin) == 32:
            place += int.from_bytes(begin[12:16], "little") + 32 * bool(begin[23] & 0x20)
        elif begin[:3] == b"TAG":
            place += 128
        elif begin[:11] == b"LYRICSBEGIN":
            at = file.read(CHUNK).find(b"LYRICS200")
            if at < 0:
                return place
            place += 32 + at + 9
        else:
            return place
