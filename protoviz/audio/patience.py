"""Disks that fail for a moment: what is worth trying again, and a caller that does."""

import errno
import time
from collections.abc import Callable

PAUSES = (0.02, 0.1, 0.4)  # seconds before each further try
VAIN = 3  # calls in a row that no try has helped: then the disk is gone, and nobody waits for it
# What no further try changes while a program runs; anything else a disk says may pass (EIO, a stale handle).
LASTING = {
    getattr(errno, name) for name in ("ENOENT", "ENOTDIR", "EISDIR", "EACCES", "EPERM", "ENAMETOOLONG")
}


def disk_error(error: BaseException | None) -> OSError | None:
    """Return the OSError that an error is, or comes from; None for any other, as of a damaged file."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__
    return error


class Patience:
    """Calls a function again where the disk failed it: PAUSES seconds later, until VAIN calls were in vain.

    Then each call has one try, until one succeeds. Raises what the last try raised.
    """

    def __init__(self):
        self.vain = 0

    def __call__(self, call: Callable, *arguments):
        pauses = iter(PAUSES if self.vain < VAIN else ())
        while True:
            try:
                answer = call(*arguments)
            except Exception as error:
                failed = disk_error(error)
                if failed is None or failed.errno in LASTING:
                    raise
                if (pause := next(pauses, None)) is None:
                    self.vain += 1
                    raise
                time.sleep(pause)
            else:
                self.vain = 0
                return answer
