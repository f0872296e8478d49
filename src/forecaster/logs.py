"""Where the messages of this program and of the library go: ``training.log``, and the console."""

import io
import logging
import sys
from pathlib import Path

from rich.console import Console

from forecaster.errors import AccessError
from forecaster.messages import text

# The second has the lines by which a user of this program sees a resume, Chinese in every language.
_LOGGERS = ("unbroken", "unbroken.contract", "forecaster")


def open_log(path: Path) -> Console:
    """Append to ``path`` from now on, and show everything on the console returned; errors go to standard error.

    Raises:
        AccessError: the file can't be written.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a console that can't show Chinese ends no training
    try:
        file = _LogFile(path, encoding="utf-8")
    except OSError as error:
        raise AccessError("log_unwritable", path=path, reason=error.strerror) from error
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    console = Console()
    handlers = (file, _OnConsole(console))
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        for old in logger.handlers[:]:
            logger.removeHandler(old)
            old.close()
        for handler in handlers:
            logger.addHandler(handler)
    return console


class _LogFile(logging.FileHandler):
    """A log whose disk is full costs one line on the console, not the training, nor a traceback per message."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if not self._failed:
            self._failed = True
            print(text("log_failed", path=self.baseFilename, reason=sys.exception()), file=sys.stderr)


class _OnConsole(logging.Handler):
    """Prints above a progress bar, where there is one; never folds or colours what is in a message."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._errors = Console(stderr=True)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            console = self._errors if record.levelno >= logging.ERROR else self._console
            console.print(self.format(record), markup=False, highlight=False, emoji=False, soft_wrap=True)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """The reader of a pipe has gone; the file still has everything."""
