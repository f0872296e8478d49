"""Console: messages are seen in a script that never heard of logging, and never tear a progress bar."""

import logging
import sys

_log = logging.getLogger("unbroken")


class Console(logging.Handler):
    """Writes to what ``sys.stderr`` is at the moment: a notebook, a test, or rich's ``Progress`` puts its own there.

    A bar of tqdm is on the terminal without such a stand-in: tqdm itself writes above it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("unbroken: %(message)s"))
        # A script that has set up logging has a console of its own.
        self.addFilter(lambda _: not logging.getLogger().handlers)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, whole."""
        stream = sys.stderr
        if stream is None:  # a program without a console
            return
        try:
            line = self.format(record)
            bar = getattr(sys.modules.get("tqdm"), "tqdm", None)
            if bar is not None:
                bar.write(line, file=stream)
            else:
                stream.write(line + "\n")
            stream.flush()
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)


def show_log() -> None:
    """Give the log a console, unless it has a handler already."""
    if not _log.handlers:
        _log.addHandler(Console())
        if _log.level == logging.NOTSET:
            _log.setLevel(logging.INFO)
