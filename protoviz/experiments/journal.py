"""Optuna's journal in one file, each line with a digest of itself and of the line before it.

A line that was half written, by a kill or a full disk, or changed since, ends what can be read: the file is
set aside, and its lines up to there go on under its name. A search then repeats what it lacks.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalFileSymlinkLock

from protoviz.files import naming_full_disk, write_whole
from protoviz.kept import DamagedFileError, set_aside

# Windows makes no symbolic links for ordinary users; older network file systems know no other lock.
_LOCK = JournalFileOpenLock if os.name == "nt" else JournalFileSymlinkLock
MARK, END, DIGITS = b',"sum":"', b'"}\n', 16  # how a line ends: the mark, so many digits, and the end


class Journal(JournalFileBackend):
    """The file of any number of Optuna's studies. Lines of older versions, without a digest, are read too."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.lock = path, _LOCK(str(path))
        with naming_full_disk(path.parent):
            super().__init__(str(path), lock_obj=self.lock)
            with self._locked():
                self._mend()

    def append_logs(self, logs: list[dict]) -> None:
        """Write all lines, or none."""
        with naming_full_disk(self.path.parent), self._locked():
            if (before := self._end()) and not before.endswith(b"\n"):  # by a process that was killed
                self._mend()
                before = self._end()
            with self.path.open("ab", buffering=0) as file:
                size, data = file.tell(), _lines(logs, _digits(before))
                try:
                    while data:
                        data = data[file.write(data) :]
                    os.fsync(file.fileno())
                except BaseException:
                    file.truncate(size)
                    raise

    def _end(self) -> bytes:
        """The last letters of the file, with the digest of its last line."""
        with self.path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - len(MARK) - DIGITS - len(END)))
            return file.read()

    def read_logs(self, log_number_from: int) -> Iterator[dict]:
        """Yield the lines from a number on. DamagedFileError if one cannot be read."""
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:
            raise DamagedFileError(self.path, error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.lock.acquire()
        try:
            yield
        finally:
            self.lock.release()

    def _mend(self) -> None:
        """Leaves the lines before the first that is not as it was written."""
        kept, before = [], b""
        with self.path.open("rb") as file:
            for line in file:
                if not _sound(line, before):
                    break
                kept.append(line)
                before = _digits(line)
            else:
                return

        def write(beside: Path) -> None:
            beside.write_bytes(b"".join(kept))
            set_aside(self.path, f"line {len(kept) + 1}")

        write_whole(self.path, write)


def _lines(logs: list[dict], before: bytes) -> bytes:
    lines = []
    for log in logs:
        body = json.dumps(log, separators=(",", ":")).encode()[:-1]
        before = _sum(before, body)
        lines.append(body + MARK + before + END)
    return b"".join(lines)


def _sum(before: bytes, body: bytes) -> bytes:
    return hashlib.sha256(before + body).hexdigest()[:DIGITS].encode()


def _digits(line: bytes) -> bytes:
    """The digest at the end of a line; none where it has none."""
    _, mark, rest = line.rpartition(MARK)
    return rest[:DIGITS] if mark and rest[DIGITS:] == END else b""


def _sound(line: bytes, before: bytes) -> bool:
    """Whether a line is as it was written; one without a digest, whether Optuna can read it."""
    if found := _digits(line):
        return found == _sum(before, line.rpartition(MARK)[0])
    try:
        log = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return line.endswith(b"\n") and isinstance(log, dict) and {"op_code", "worker_id"} <= log.keys()
