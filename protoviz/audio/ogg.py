"""Ogg pages: each carries a checksum, a number and the time at which it ends, so damage can be known."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

MARK = b"OggS"
HEADER = struct.Struct("<4sBBqIIIB")  # mark, version, flags, time, stream, number, checksum, segments
FIRST, LAST = 2, 4  # flags of a stream's first and last page
CHUNK = 1 << 16
OPUS_RATE = 48000  # hertz in which Opus counts time, whatever the rate of what it was made from
CODECS = {b"\x01vorbis": ("vorbis", 3), b"OpusHead": ("opus", 2), b"\x7fFLAC": ("flac", 2)}  # packets of head
# Ogg's checksum is that of zlib with the bits of every byte the other way round, begun and ended at zero.
TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Page:
    """A page whose checksum is right."""

    place: int  # its first byte in the file
    size: int
    flags: int
    time: int  # frames of the stream up to the last packet that ends in it; -1: none does
    stream: int
    number: int
    packets: int  # how many end in it
    begin: bytes  # of its content


@dataclass
class Run:
    """Pages of one stream that follow each other without a gap."""

    starts: bool  # whether the first of them is the stream's first
    pieces: list[tuple[int, int]] = field(default_factory=list)  # (first, stop) byte; neighbours are joined
    first: int = -1  # time at which its first page with sound ends
    last: int = -1  # time at which its last page ends

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last byte where it lies in one piece."""
        return self.pieces[0] if len(self.pieces) == 1 else None

    def add(self, page: Page, sound: bool) -> None:
        """Append a page; `sound` where it belongs to none of the stream's head."""
        joins = self.pieces and self.pieces[-1][1] == page.place
        begin = self.pieces.pop()[0] if joins else page.place
        self.pieces.append((begin, page.place + page.size))
        if sound and page.time >= 0:
            self.first = page.time if self.first < 0 else self.first
            self.last = page.time


@dataclass
class Stream:
    """The first stream of sound in an Ogg file, as far as its checksums are right."""

    codec: str = ""
    origin: int = 0  # time of the first sample where the first page with sound is lost
    head: list[tuple[int, int]] = field(default_factory=list)  # bytes of the pages before the sound
    runs: list[Run] = field(default_factory=list)  # none: the head is damaged
    last: int = 0  # time at which the last page ends
    closed: bool = False  # whether its closing page is there
    others: bool = False  # whether another stream follows


def pages(file: BinaryIO) -> Iterator[Page]:
    """Yield every page of an open file whose checksum is right, in order."""
    place = 0
    while (place := _next_mark(file, place)) >= 0:
        file.seek(place)
        header = file.read(HEADER.size)
        if len(header) == HEADER.size:
            _, version, flags, time, stream, number, _, segments = HEADER.unpack(header)
            lengths = file.read(segments)
            body = file.read(sum(lengths))
            size = HEADER.size + segments + sum(lengths)
            bare = header[:22] + bytes(4) + header[26:] + lengths + body
            checksum = int.from_bytes(header[22:26].translate(TURNED), "big")
            if (
                version == 0
                and len(bare) == size
                and checksum == ~zlib.crc32(bare.translate(TURNED), 0xFFFFFFFF) & 0xFFFFFFFF
            ):
                ended = segments - lengths.count(255)
                yield Page(place, size, flags, time, stream, number, ended, body[:64])
                place += size
                continue
        place += 1


def streams(file: BinaryIO) -> Stream:
    """Return the sound of an open Ogg file: its head, and its runs of pages between which some are lost."""
    found, known, serial = Stream(), set(), None
    wanted = packets = 0
    number, opening = -1, True
    for page in pages(file):
        opening = opening and bool(page.flags & FIRST)
        if opening:
            known.add(page.stream)
            codec = next((value for mark, value in CODECS.items() if page.begin.startswith(mark)), None)
            if serial is None and codec is not None:
                serial, (found.codec, wanted) = page.stream, codec
                number = page.number - 1
                if found.codec == "opus":
                    found.origin = int.from_bytes(page.begin[10:12], "little")
        elif page.stream not in known or page.flags & FIRST:
            found.others = True
            break
        if page.stream != serial:
            continue
        if page.number != number + 1:
            if packets < wanted:
                break  # what decodes the sound is lost
            found.runs.append(Run(False))
        elif not found.runs:
            found.runs.append(Run(True))
        number = page.number
        found.runs[-1].add(page, sound=packets >= wanted)
        if packets < wanted:
            found.head.append((page.place, page.place + page.size))
        packets += page.packets
        found.closed = bool(page.flags & LAST)
    found.runs = found.runs if packets >= wanted and serial is not None else []
    found.last = max((run.last for run in found.runs), default=0)
    return found


def _next_mark(file: BinaryIO, place: int) -> int:
    """The first byte, from `place` on, at which a page seems to begin; -1 where none does."""
    file.seek(place)
    kept = b""
    while chunk := file.read(CHUNK if kept else len(MARK)):  # as a rule it begins right here
        at = (kept + chunk).find(MARK)
        if at >= 0:
            return place - len(kept) + at
        place += len(chunk)
        kept = (kept + chunk)[-len(MARK) + 1 :]
    return -1
