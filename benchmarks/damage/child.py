"""The process that reads damaged files: one line of JSON a try on its output, whatever happens to it.

`python -m benchmarks.damage.child KIND FOLDER FIRST LAST SEED`: FOLDER/good holds the good files.
"""

import io
import json
import os
import resource
import shutil
import sys
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict
from pathlib import Path
from random import Random
from time import perf_counter

from benchmarks.damage.harm import harmed
from benchmarks.damage.kind import OUTCOMES, Kind, Try, kind_named, same
from benchmarks.memory import status_mb

HEAVY = 2 << 30  # bytes that a reading may take on top of what the process holds
ROOM = 6 << 30  # bytes of addresses beyond which it gets none: files are mapped, not only loaded
OWN = "protoviz"


def main() -> None:
    name, folder, first, last, seed = sys.argv[1:]
    out = os.fdopen(os.dup(1), "w", buffering=1)  # what readers print goes elsewhere
    kind = kind_named(name)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        good, right = baseline(kind, Path(folder))
    _limit()
    print(json.dumps({"ready": name}), file=out)
    for number in range(int(first), int(last)):
        print(json.dumps(asdict(tried(kind, good, right, number, int(seed)))), file=out)


def baseline(kind: Kind, folder: Path) -> tuple[Path, list]:
    """The folder of good files, made below `folder`, and what each reader gives of it."""
    good = _good(kind, folder)
    right = [_read(reader, _copied(good, good.with_name("right"))) for reader in kind.readers]
    if faults := [said for _, said, error in right if error is not None]:
        raise SystemExit(f"{kind.name}: the good files cannot be read: {faults[0]}")
    return good, right


def _good(kind: Kind, folder: Path) -> Path:
    """The folder of good files, made now where they are not there; kinds of one maker share it."""
    good = folder / "good" / f"{kind.make.__module__}.{kind.make.__qualname__}"
    if not good.exists():
        beside = good.with_name(f"{good.name}.part")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        kind.make(beside)
        beside.replace(good)
    return good


def files_of(kind: Kind, folder: Path) -> list[Path]:
    """The files of a kind below a folder, in order; the empty ones cannot be damaged."""
    found = {path for pattern in kind.files for path in folder.glob(pattern) if path.is_file()}
    return sorted(path for path in found if path.stat().st_size)


def _copied(good: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(good, to))


def tried(kind: Kind, good: Path, right: list, number: int, seed: int) -> Try:
    """One try; which file and which harm the numbers decide."""
    draw = Random(f"{kind.name} {seed} {number}")
    files = files_of(kind, good)
    file = files[number % len(files)]
    harm, data = harmed(file.read_bytes(), draw)
    harm = f"{file.relative_to(good).as_posix()}: {harm}"
    found, begun = [], perf_counter()
    for place, (reader, wanted) in enumerate(zip(kind.readers, right, strict=True)):
        copy = _copied(good, good.with_name(f"try-{number}-{place}"))  # nothing is remembered of a new path
        (copy / file.relative_to(good)).write_bytes(data)
        before = _reset_peak()
        read = _read(reader, copy)
        heavy = _peak() - before > HEAVY
        found.append(("heavy", reader.__name__) if heavy else _judged(kind, reader, read, wanted, file.name))
        shutil.rmtree(copy, ignore_errors=True)
    outcome, detail = min(found, key=lambda one: OUTCOMES.index(one[0]))
    return Try(number, outcome, harm, detail[-2000:], round(perf_counter() - begun, 3))


def _read(reader, folder: Path) -> tuple[object, str, BaseException | None]:
    """(what the reader returns, what was said meanwhile, what it raised)."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = error = None
        try:
            value = reader(folder)
        except BaseException as raised:  # whatever it is: it is what a user would see
            if isinstance(raised, KeyboardInterrupt):
                raise
            error = raised
    own = [
        f"{one.message}\n" for one in caught if OWN in str(one.filename) or folder.name in str(one.message)
    ]
    text = said.getvalue() + "".join(own)
    if error is not None:
        text += "".join(traceback.format_exception(error))
    return value, text.replace(str(folder), folder.parent.name), error


def _judged(kind: Kind, reader, read: tuple, wanted: tuple, name: str) -> tuple[str, str]:
    value, said, error = read
    if isinstance(error, MemoryError):
        return "heavy", said
    if error is not None:
        return ("held" if _ours(error, name) else "raw"), said
    if not same(value, wanted[0], kind.tolerance):
        return ("held", said) if said != wanted[1] else ("silent", reader.__name__)
    return ("same" if said == wanted[1] else "held"), said


def _ours(error: BaseException, name: str) -> bool:
    """Whether an error is one that the project raises on purpose, and names a file or folder of the try."""
    frames = traceback.extract_tb(error.__traceback__)
    raised_here = bool(frames) and f"/{OWN}/" in frames[-1].filename
    wording = str(error) + "".join(getattr(error, "__notes__", []))
    own = type(error).__module__.split(".")[0] == OWN
    plain = isinstance(error, ValueError | RuntimeError | FileNotFoundError) and raised_here
    return (own or plain) and ("try-" in wording or name in wording)


def _limit() -> None:
    with suppress(OSError, ValueError):
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + ROOM, held + ROOM))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _reset_peak() -> int:
    """The memory that the process holds, from which on its peak is counted anew where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    told = status_mb(field="VmHWM")
    return round(2**20 * told) if told else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
