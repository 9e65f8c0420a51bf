"""One writer a folder."""

import contextlib
import errno
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

from protoviz.cache.files import CacheInUseError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

LOCK = ".lock"


@contextlib.contextmanager
def writer_lock(folder: Path, doing: str = "being encoded") -> Iterator[None]:
    """Hold the right to write into `folder`. Raise CacheInUseError that names the process which has it.

    The operating system gives the lock back when its process ends, however it ends: a lock file left by a
    killed process does not block.
    """
    path = folder / LOCK
    while True:
        file = path.open("a+", encoding="utf-8")
        if not _take(file):
            file.seek(0)
            owner = file.read().strip() or "another process"
            file.close()
            raise CacheInUseError(f"{folder} is {doing} by {owner}; wait for it, or stop it first")
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                break
        file.close()  # the last owner removed this very file between our opening and our locking it
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
    finally:
        if fcntl is not None:
            path.unlink(missing_ok=True)  # while it is still ours
            file.close()
        else:
            file.close()
            with contextlib.suppress(OSError):  # the next owner may have it open already
                path.unlink(missing_ok=True)


def _take(file) -> bool:
    """Whether this process now holds the lock on the open file."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            file.seek(1 << 30)  # far behind the text, which others have to be able to read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            return False
        warnings.warn(
            f"{file.name} lies on a file system without locks; see to it that only one process encodes there",
            stacklevel=4,
        )
    return True
