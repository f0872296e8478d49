"""A new file written from start to end in large pieces, past the page cache where the system allows it.

Writing a large file through the page cache costs the processor as much as training would use in that time, and
pushes the training data out. So what comes in is digested and gathered in buffers of a few MiB, which a thread
of its own writes one after the other: the disk need not wait for the processor, nor for a thread to begin.
"""

import contextlib
import errno
import fcntl
import io
import mmap
import os
import threading
from queue import SimpleQueue

from unbroken.disk.digest import Buffer, Digest

_SIZE = 2 << 20  # half of it costs the disk a twentieth
_BUFFERS = 3  # one is filled, one is written, one waits: the disk never does
_SMALL = 64 << 10  # below it, copying does not hold the GIL long enough to matter


class StagedFile:
    """A binary file open for writing that counts and digests what passes through, in order.

    It refuses to seek, so its digest is always that of the file. Only ``finish`` makes sure that the system has all
    of it; it is then up to the caller to fsync. The first error stays in ``error``: a writer in between (torch's,
    in C++) may turn it into an exception that no longer tells the cause.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._digest = Digest()
        self._direct = False
        self._filling = _Buffer()
        self._filled = 0
        self._thread: threading.Thread | None = None
        self._alone = False
        self._full: SimpleQueue[_Buffer | None] = SimpleQueue()
        self._free: SimpleQueue[_Buffer] = SimpleQueue()
        self.size = 0
        self.error: Exception | None = None

    @property
    def digest(self) -> str:
        """Of what was written so far."""
        return self._digest.text

    def write(self, data: Buffer) -> int:
        view = memoryview(data).cast("B")
        at, length = 0, len(view)
        while at < length:
            count = min(length - at, _SIZE - self._filled)
            piece = view[at : at + count]
            self._digest.update(piece)
            self._filling.put(self._filled, piece)
            self._filled += count
            at += count
            if self._filled == _SIZE:
                self._pass_on()
        self.size += length
        return length

    def finish(self) -> str:
        """Write what is left; the digest of the whole. Raises the first error there was."""
        self.abandon()
        if self._filled and self.error is None:
            self._set_direct(self._descriptor, False)  # what is left is no whole block
            self._write_out(self._descriptor, self._filling, self._filled)
            self._filled = 0
        self._raise_error()
        return self.digest

    def abandon(self) -> None:
        """Wait for what is under way; nothing more is written."""
        if self._thread is not None:
            self._full.put(None)
            self._thread.join()
            self._thread = None

    def _pass_on(self) -> None:
        """Have the full buffer written while another one is filled."""
        if self._thread is None and (self._alone or not self._begin()):
            self._alone = True
            self._write_out(self._descriptor, self._filling, _SIZE)
        else:
            self._full.put(self._filling)
            self._filling = self._free.get()
        self._filled = 0
        self._raise_error()

    def _begin(self) -> bool:
        """Start the thread that writes; False if the interpreter is ending and starts none any more."""
        self._set_direct(self._descriptor, True)
        for _ in range(_BUFFERS - 1):
            self._free.put(_Buffer())
        # Its own: if the caller is interrupted, and closes the file, that number may be another file's.
        own = os.dup(self._descriptor)
        thread = threading.Thread(target=self._write_all, args=(own,), name="unbroken-disk", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            os.close(own)
            return False
        self._thread = thread
        return True

    def _write_all(self, descriptor: int) -> None:
        while (buffer := self._full.get()) is not None:
            self._write_out(descriptor, buffer, _SIZE)
            self._free.put(buffer)
        os.close(descriptor)

    def _write_out(self, descriptor: int, buffer: "_Buffer", count: int) -> None:
        if self.error is not None:
            return
        left = buffer.view[:count]
        try:
            while left:
                left = left[self._write(descriptor, left) :]
        except Exception as error:  # whoever fills the buffers has to hear of it, whatever it is
            self.error = error

    def _write(self, descriptor: int, data: memoryview) -> int:
        try:
            return os.write(descriptor, data)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._direct:
                raise
        self._set_direct(descriptor, False)  # some file systems agree to it, and refuse the write
        return os.write(descriptor, data)

    def _set_direct(self, descriptor: int, wanted: bool) -> None:
        if wanted == self._direct or not hasattr(os, "O_DIRECT"):
            return
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        flags = flags | os.O_DIRECT if wanted else flags & ~os.O_DIRECT
        with contextlib.suppress(OSError):  # a file system that cannot: then through the page cache
            fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
            self._direct = wanted

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error

    def flush(self) -> None:
        """Nothing: ``finish`` writes what is left."""

    def tell(self) -> int:
        return self.size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        raise io.UnsupportedOperation("seek")

    def seekable(self) -> bool:
        return False

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True


class _Buffer:
    """Memory aligned to pages, as writing past the page cache needs it, and not there in forked processes."""

    def __init__(self) -> None:
        memory = mmap.mmap(-1, _SIZE)
        if hasattr(mmap, "MADV_DONTFORK"):
            memory.madvise(mmap.MADV_DONTFORK)
        self.view = memoryview(memory)

    def put(self, at: int, data: memoryview) -> None:
        place = self.view[at : at + len(data)]
        if data.readonly or len(data) < _SMALL:  # read from a file, piece by piece; or small
            place[:] = data
        else:  # the same, with the GIL released
            import numpy as np

            np.copyto(np.frombuffer(place, np.uint8), np.frombuffer(data, np.uint8))
