"""A new file written from start to end in large pieces, past the page cache where the system allows it.

Writing a large file through the page cache costs the processor as much as training would use in that time, and
pushes the training data out. So what comes in is gathered in buffers of a few MiB, and while one is filled the
other is digested and written by a thread of its own.
"""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import threading

from unbroken.disk.digest import Buffer, Digest, Sequential

_SIZE = 4 << 20
_SMALL = 64 << 10  # below it, copying does not keep the interpreter's lock long enough to matter


class StagedFile(Sequential):
    """A binary file open for writing that counts and digests what passes through, in order.

    It refuses to seek, so its digest is always that of the file. Only ``finish`` makes sure that the system has all
    of it; it is then up to the caller to fsync. The first OSError stays in ``error``: a writer in between (torch's,
    in C++) may turn it into an exception that no longer tells the cause.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._digest = Digest()
        self._direct = False
        self._filling = _Buffer()
        self._spare: _Buffer | None = None
        self._filled = 0
        self._flight: threading.Thread | None = None
        self.size = 0
        self.error: OSError | None = None

    def write(self, data: Buffer) -> int:
        view = memoryview(data).cast("B")
        at, length = 0, len(view)
        while at < length:
            count = min(length - at, _SIZE - self._filled)
            self._filling.put(self._filled, view[at : at + count])
            self._filled += count
            at += count
            if self._filled == _SIZE:
                self._take_off()
        self.size += length
        return length

    def finish(self) -> str:
        """Write what is left; the digest of the whole. Raises the first OSError there was."""
        self._land()
        if self._filled and self.error is None:
            self._set_direct(False)  # what is left is no whole block
            self._write_out(self._filling, self._filled)
            self._filled = 0
        self._raise_error()
        return self._digest.text

    def abandon(self) -> None:
        """Wait for what is under way; nothing more is written."""
        self._land()

    def _take_off(self) -> None:
        """Have the full buffer written while the other one is filled."""
        self._land()
        self._raise_error()
        if self._spare is None:
            self._spare = _Buffer()
            self._set_direct(True)
        full, self._filling, self._spare = self._filling, self._spare, self._filling
        self._filled = 0
        self._flight = threading.Thread(target=self._write_out, args=(full, _SIZE), name="unbroken-disk", daemon=True)
        try:
            self._flight.start()
        except RuntimeError:  # the interpreter is ending and starts no threads any more
            self._flight = None
            self._write_out(full, _SIZE)

    def _land(self) -> None:
        flight, self._flight = self._flight, None
        if flight is not None:
            flight.join()

    def _write_out(self, buffer: "_Buffer", count: int) -> None:
        left = buffer.view[:count]
        self._digest.update(left)
        try:
            while left:
                left = left[self._write(left) :]
        except OSError as error:
            self.error = self.error or error

    def _write(self, data: memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._direct:
                raise
        self._set_direct(False)  # some file systems agree to it, and refuse the write
        return os.write(self._descriptor, data)

    def _set_direct(self, wanted: bool) -> None:
        if wanted == self._direct or not hasattr(os, "O_DIRECT"):
            return
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        flags = flags | os.O_DIRECT if wanted else flags & ~os.O_DIRECT
        with contextlib.suppress(OSError):  # a file system that cannot: then through the page cache
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags)
            self._direct = wanted

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error

    def flush(self) -> None:
        """Nothing: ``finish`` writes what is left."""


class _Buffer:
    """Memory aligned to pages, as writing past the page cache needs it, and not there in forked processes."""

    def __init__(self) -> None:
        memory = mmap.mmap(-1, _SIZE)
        if hasattr(mmap, "MADV_DONTFORK"):
            memory.madvise(mmap.MADV_DONTFORK)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        self.view = memoryview(memory)

    def put(self, at: int, data: memoryview) -> None:
        if data.readonly or len(data) < _SMALL:
            self.view[at : at + len(data)] = data
        else:  # the same, without the interpreter's lock
            ctypes.memmove(self._address + at, ctypes.addressof(ctypes.c_char.from_buffer(data)), len(data))
