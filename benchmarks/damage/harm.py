"""Bytes of a file, harmed a little: one bit or byte, a stretch, a cut, or growth; a seed decides which."""

from random import Random

EDGE = 256  # bytes at either end of a file, where headers, indices and sums lie: every second harm is there
LONGEST = 4096  # bytes that are taken out, zeroed or put in
HUGE = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"999999999")  # sizes that lie


def harmed(data: bytes, draw: Random) -> tuple[str, bytes]:
    """What was done, in words, and the bytes after it; they differ from `data`, which is not empty."""
    while True:
        harm = draw.choice(HARMS)
        at = _place(len(data), draw)
        made = harm(data, at, draw)
        if made != data:
            return f"{harm.__name__[1:]} at {at} of {len(data)}", made


def _place(size: int, draw: Random) -> int:
    edge = min(EDGE, size)
    return draw.choice(
        (draw.randrange(size), draw.choice((draw.randrange(edge), size - 1 - draw.randrange(edge))))
    )


def _flip(data: bytes, at: int, draw: Random) -> bytes:
    return _put(data, at, bytes([data[at] ^ 1 << draw.randrange(8)]))


def _byte(data: bytes, at: int, draw: Random) -> bytes:
    return _put(data, at, draw.randbytes(1))


def _letter(data: bytes, at: int, draw: Random) -> bytes:
    return _put(data, at, bytes([draw.choice(b"0123456789aeZ,;\t\"'{}[]-. \n")]))


def _huge(data: bytes, at: int, draw: Random) -> bytes:
    return _put(data, at, draw.choice(HUGE))


def _zero(data: bytes, at: int, draw: Random) -> bytes:
    return _put(data, at, bytes(min(_length(draw), len(data) - at)))


def _take(data: bytes, at: int, draw: Random) -> bytes:
    return data[:at] + data[at + _length(draw) :]


def _cut(data: bytes, at: int, draw: Random) -> bytes:
    return data[:at]


def _grow(data: bytes, at: int, draw: Random) -> bytes:
    return data[:at] + draw.randbytes(_length(draw)) + data[at:]


def _repeat(data: bytes, at: int, draw: Random) -> bytes:
    return data[: at + _length(draw)] + data[at:]


def _append(data: bytes, at: int, draw: Random) -> bytes:
    return data + draw.choice((bytes, draw.randbytes))(_length(draw))


def _put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _length(draw: Random) -> int:
    return round(LONGEST ** draw.random())  # as often below 64 as above


HARMS = (_flip, _flip, _flip, _byte, _letter, _huge, _zero, _take, _cut, _grow, _repeat, _append)
