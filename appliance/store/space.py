"""Space on the disk: keeps a stretch allocated ahead of the data file, so that deleting never lacks it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT}


def is_full(error: Exception) -> bool:
    """Whether an error of the disk or of LMDB says that no space is left."""
    return getattr(error, "errno", None) in _FULL or getattr(error, "code", None) in _FULL


def allocate(path: Path, size: int) -> None:
    """Make a file (0600) of at least `size` bytes, all blocks there; OSError when the disk is full."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        if is_full(error):
            raise
    finally:
        os.close(file)


class Space:
    """Blocks allocated beyond the used end of one file; sizes in bytes.

    LMDB gives space back by writing changed pages first, so a full disk would also stop deletions.
    Therefore growth stops while `reserve` bytes are still allocated ahead.
    """

    def __init__(self, path: Path, reserve: int) -> None:
        self.reserve = reserve
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._end = 0
        self.measure()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def ahead(self, used: int) -> int:
        """Bytes allocated beyond `used`."""
        return max(0, self._end - used)

    def extend(self, used: int) -> int:
        """The same, after an attempt to have at least the reserve there. Owner: the committer."""
        if self.ahead(used) < self.reserve and self.disk_free() > 2 * self.reserve:
            try:
                os.posix_fallocate(self._file, used, 2 * self.reserve)
                self._end = used + 2 * self.reserve
            except OSError as error:
                if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
                    return self.disk_free()  # a file system without allocation: trust the free count
                if not is_full(error):
                    raise
        return self.ahead(used)

    def measure(self) -> None:
        """Find what an earlier run, or a write that failed for lack of space, left allocated ahead."""
        state = os.fstat(self._file)
        if state.st_blocks * 512 >= state.st_size:
            self._end = state.st_size
        elif self._end:  # holes: give back what lies beyond the end that is certain
            os.ftruncate(self._file, self._end)

    def is_short(self) -> bool:
        """Whether the disk has so little left that an incomplete write was for lack of space."""
        return self.disk_free() < self.reserve

    def disk_free(self) -> int:
        """Bytes of the file system that this user may still take."""
        state = os.fstatvfs(self._file)
        return state.f_bavail * state.f_frsize


def write_new(path: Path, write: Callable[[int], None]) -> None:
    """Make a file that must not be there yet, readable for its owner only, and fill it durably."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write(file)
        os.fsync(file)
    finally:
        os.close(file)
