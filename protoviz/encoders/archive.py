"""Files that `torch.save` wrote, read without running anything in them: the zip archives, and older files.

The file is mapped: a tensor takes memory where it is used. Every size is held against the file first.
"""

import io
import mmap
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from protoviz.encoders.pickles import Machine
from protoviz.encoders.stubs import ArchiveError, Name, Stub

ZIP, PICKLE = b"PK\x03\x04", b"\x80"  # how the two kinds begin
MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of an older file
LOCAL = struct.Struct("<26xHH")  # of a zip entry's own header: lengths of its name and its extra field
VIEWS = 4  # values that all tensors of a file may show for each of its bytes: views may share storage
MOST_PARTS = 20_000  # a tensor each; the largest published encoders have a tenth
MOST_AXES = 64  # that torch can count
CHUNK = 1 << 24
DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexDoubleStorage": torch.complex128,
    "ComplexFloatStorage": torch.complex64,
    "QInt8Storage": torch.int8,  # what torch quantised is read as the whole numbers that it holds
    "QUInt8Storage": torch.uint8,
    "QInt32Storage": torch.int32,
    "QUInt4x2Storage": torch.uint8,
    "QUInt2x4Storage": torch.uint8,
    "UntypedStorage": torch.uint8,
    "_UntypedStorage": torch.uint8,
}
REBUILD = {  # what torch's files call to make a tensor -> the method of `_Tensors` that stands for it
    "torch._utils._rebuild_tensor": "tensor",
    "torch._utils._rebuild_tensor_v2": "tensor",
    "torch._utils._rebuild_tensor_v3": "tensor_v3",
    "torch._utils._rebuild_parameter": "parameter",
    "torch._utils._rebuild_parameter_with_state": "parameter",
    "torch._tensor._rebuild_from_type_v2": "again",
}


@dataclass
class Archive:
    """What a file holds (`root`), and the check of its tensors' bytes."""

    root: object
    sums: dict[int, tuple[memoryview, int]] = field(default_factory=dict)  # address -> bytes, CRC-32

    def check(self, tensors: Iterable[Tensor]) -> None:
        """Raise ArchiveError if the bytes of a tensor are not those that were written."""
        for address in {tensor.untyped_storage().data_ptr() for tensor in tensors}:
            held, expected = self.sums.get(address, (memoryview(b""), 0))
            found = 0
            for start in range(0, len(held), CHUNK):
                found = zlib.crc32(held[start : start + CHUNK], found)
            if found != expected:
                raise ArchiveError("is damaged: bytes of tensors are not those that were written (CRC-32)")


def read_archive(path: Path) -> Archive:
    """Return the `Archive` in a file that torch wrote.

    `root` holds tensors, plain values, and a `Stub` for each object of another class; NumPy numbers become
    Python's. Raises ArchiveError for a file that is damaged, cut short, or claims more than it holds.
    """
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return (_Zipped(mapped, path) if mapped[: len(ZIP)] == ZIP else _Older(mapped)).archive()


class _Tensors:
    """The tensors over the storages of one mapped file."""

    def __init__(self, mapped: mmap.mmap):
        self.mapped, self.size = mapped, len(mapped)
        self.left = VIEWS * self.size + 1
        self.swapped = False  # written on a machine with the other order of bytes
        self.storages: dict[str, Tensor] = {}

    def machine(self) -> Machine:
        """Return a reader of the file's pickle, which makes tensors."""
        makers = {name: getattr(self, method) for name, method in REBUILD.items()}
        return Machine(makers, self.persistent, self.size)

    def parameter(self, data, *_):
        """Return the tensor of a parameter."""
        return data

    def again(self, made, kind, args, *_):
        """The tensor that an object of a class derived from torch's holds; what else it holds is left out."""
        known = made in REBUILD and isinstance(args, tuple)
        return getattr(self, REBUILD[made])(*args) if known else Stub(str(made), args)

    def persistent(self, mark):
        """The storage (n,) that an id of a pickle names; what else an id names is no part of the file."""
        if isinstance(mark, tuple) and len(mark) >= 5 and mark[0] == "storage":
            _, kind, key, _, count, *view = mark
            dtype = DTYPES.get(str(kind).rpartition(".")[2])
            if dtype is None or not isinstance(key, str) or not _natural(count):
                raise ArchiveError(f"holds a storage of an unknown kind ({kind})")
            return self.storage(key, dtype, count, view[0] if view else None)
        if isinstance(mark, tuple) and len(mark) > 1 and mark[0] == "module" and isinstance(mark[1], Name):
            return mark[1]  # older files name a class with its source text
        raise ArchiveError("refers to something outside of itself")

    def flat(self, dtype: torch.dtype, count: int, start: int) -> Tensor:
        """(count,) values from a place of the file; a copy only where they do not lie in memory's steps."""
        size = count * dtype.itemsize
        if count < 0 or start < 0 or start + size > self.size:
            raise ArchiveError(f"is cut short: {size} bytes of a tensor should lie at {start}")
        if count == 0:
            return torch.empty(0, dtype=dtype)
        if start % dtype.itemsize == 0 and not self.swapped:
            return torch.frombuffer(self.mapped, dtype=dtype, count=count, offset=start)
        raw = np.frombuffer(self.mapped, np.uint8, size, start).copy()
        if self.swapped:
            step = dtype.itemsize // (2 if dtype.is_complex else 1)
            raw = raw.view(f"u{step}").byteswap().view(np.uint8)
        return torch.from_numpy(raw).view(dtype)

    def tensor(self, storage, offset, size, stride, grad=False, hooks=None, metadata=None):
        """Return the tensor that shows a part of a storage; ArchiveError if that is not all there."""
        if not isinstance(storage, Tensor) or metadata:
            return Stub("torch.Tensor")
        numbers = (offset, *size, *stride)
        if len(size) != len(stride) or len(size) > MOST_AXES or not all(map(_natural, numbers)):
            raise ArchiveError(f"holds a tensor of an impossible shape {size}, {stride}")
        count, last = 1, offset
        for length, step in zip(size, stride, strict=True):
            count *= length
            last += (length - 1) * step
        if count and last >= len(storage):
            raise ArchiveError(f"holds a tensor {size} that needs {last + 1} values, and has {len(storage)}")
        self.left -= count
        if self.left < 0:
            raise ArchiveError("holds tensors with far more values than the file")
        return torch.as_strided(storage, size, stride, offset if count else 0)

    def tensor_v3(self, storage, offset, size, stride, grad, hooks, dtype, metadata=None):
        """Return `tensor` of a kind that has no storage of its own name (float8, ...)."""
        if isinstance(storage, Tensor):
            raw = storage.view(torch.uint8)
            storage = raw[: len(raw) // dtype.itemsize * dtype.itemsize].view(dtype)
        return self.tensor(storage, offset, size, stride, metadata=metadata)


class _Zipped(_Tensors):
    """The files of torch since 1.6: a zip archive, its parts stored as they are."""

    def __init__(self, mapped: mmap.mmap, path: Path):
        super().__init__(mapped)
        self.sums: dict[int, tuple[memoryview, int]] = {}
        try:
            with zipfile.ZipFile(path) as listed:
                entries = listed.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise ArchiveError(f"is cut short or damaged ({error})") from error
        if len(entries) > MOST_PARTS:
            raise ArchiveError(f"has {len(entries):,} parts, and at most {MOST_PARTS:,} are read")
        self.entries = {entry.filename: entry for entry in entries}
        if len(self.entries) < len(entries):
            raise ArchiveError("holds two parts of the same name")
        mains = [name for name in self.entries if name.rpartition("/")[2] == "data.pkl"]
        if len(mains) != 1 or mains[0].count("/") > 1:
            raise ArchiveError("is a zip file that torch.save did not write")
        self.main, self.folder = mains[0], mains[0].removesuffix("data.pkl")
        if f"{self.folder}constants.pkl" in self.entries:
            raise ArchiveError("is a TorchScript program; save its state_dict() instead")
        # 0 in all parts: written without (torch.serialization.set_crc32_options)
        self.summed = any(entry.CRC for entry in entries)

    def archive(self) -> Archive:
        name = f"{self.folder}byteorder"  # without it: little, as all machines that wrote older archives
        order = bytes(self.whole(name)).decode("latin-1") if name in self.entries else "little"
        if order not in ("little", "big"):
            raise ArchiveError(f"is damaged: {name} is neither little nor big")
        self.swapped = order != sys.byteorder
        return Archive(self.machine().run(io.BytesIO(self.whole(self.main))), self.sums)

    def whole(self, name: str) -> memoryview:
        """Return the bytes of an entry, checked."""
        held = self.part(name)[1]
        if self.summed and zlib.crc32(held) != self.entries[name].CRC:
            raise ArchiveError(f"is damaged: {name} is not what was written (CRC-32)")
        return held

    def part(self, name: str) -> tuple[int, memoryview]:
        """Return (place, bytes) of an entry."""
        entry = self.entries.get(name)
        if entry is None:
            raise ArchiveError(f"has no part {name}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise ArchiveError(f"is a zip file that torch.save did not write: {name} is compressed")
        head = entry.header_offset
        if not 0 <= head <= self.size - 30 or self.mapped[head : head + 4] != ZIP:
            raise ArchiveError(f"is damaged: {name} is not where it should be")
        start = head + 30 + sum(LOCAL.unpack(self.mapped[head : head + 30]))
        if start + entry.file_size > self.size:
            raise ArchiveError(f"is cut short: {name} should have {entry.file_size} bytes")
        return start, memoryview(self.mapped)[start : start + entry.file_size]

    def storage(self, key: str, dtype: torch.dtype, count: int, view=None) -> Tensor:
        if key not in self.storages:
            name = f"{self.folder}data/{key}"
            start, held = self.part(name)
            if count * dtype.itemsize > len(held):
                raise ArchiveError(f"is damaged: {name} has {len(held)} bytes for {count} values")
            self.storages[key] = flat = self.flat(dtype, count, start)
            if count and self.summed:
                self.sums[flat.untyped_storage().data_ptr()] = held, self.entries[name].CRC
        return _of_kind(self.storages[key], dtype, count)


class _Older(_Tensors):
    """The files of torch before 1.6: five pickles, then the bytes of all storages, one after another."""

    def archive(self) -> Archive:
        plain = Machine({}, lambda mark: None)
        first = plain.run(self.mapped)
        if not isinstance(first, int) or first != MAGIC:
            raise ArchiveError("is not a file that torch.save wrote")
        Machine({}, lambda mark: None).run(self.mapped)  # the protocol's version
        system = Machine({}, lambda mark: None).run(self.mapped)
        little = not isinstance(system, dict) or system.get("little_endian", True)
        self.swapped = little != (sys.byteorder == "little")
        begin = self.mapped.tell()
        kinds: dict[str, torch.dtype] = {}  # the storages lie behind the pickle that names them: two readings
        self.storage = lambda key, dtype, count, view=None: kinds.setdefault(key, dtype) and None
        self.machine().run(self.mapped)
        keys = Machine({}, lambda mark: None, self.size).run(self.mapped)
        del self.storage
        self._lay_out(keys if isinstance(keys, list) else [], kinds)
        self.mapped.seek(begin)
        return Archive(self.machine().run(self.mapped))

    def _lay_out(self, keys: list, kinds: dict[str, torch.dtype]) -> None:
        place = self.mapped.tell()
        for key in keys:
            if key not in kinds or key in self.storages or place + 8 > self.size:
                raise ArchiveError("is cut short or damaged: its list of storages does not fit")
            (count,) = struct.unpack_from("<q" if not self.swapped else ">q", self.mapped, place)
            self.storages[key] = self.flat(kinds[key], count, place + 8)
            place += 8 + count * kinds[key].itemsize

    def storage(self, key: str, dtype: torch.dtype, count: int, view=None) -> Tensor:
        if key not in self.storages:
            raise ArchiveError(f"has no storage {key}")
        flat = _of_kind(self.storages[key], dtype, count)
        if view is None:
            return flat
        _, start, length = view
        if not _natural(start) or not _natural(length) or start + length > len(flat):
            raise ArchiveError("holds a part of a storage that is not there")
        return flat[start : start + length]


def _of_kind(flat: Tensor, dtype: torch.dtype, count: int) -> Tensor:
    """A storage that is named again, maybe as another kind or with another length."""
    if flat.dtype != dtype:
        raw = flat.view(torch.uint8)
        flat = raw[: len(raw) // dtype.itemsize * dtype.itemsize].view(dtype)
    if count > len(flat):
        raise ArchiveError(f"is damaged: a storage has {len(flat)} values, not {count}")
    return flat


def _natural(value) -> bool:
    return type(value) is int and 0 <= value < 1 << 62
