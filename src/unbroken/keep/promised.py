"""Promised: the lines of a log that are Chinese in every language, on a logger of their own, ``unbroken.contract``.

A program that promised them to its user gives that logger handlers. Elsewhere they are part of the log where its
language is Chinese, and left out where it is not: what they say is then said in that language.
"""

import logging

from unbroken import messages

_log = logging.getLogger("unbroken.contract")


def say(line: str, level: int = logging.INFO) -> None:
    """Say a line of ``contract``, where it is to be seen."""
    if not _log.handlers and messages.language() != messages.CHINESE:
        return  # logging itself would write an error that no handler takes to stderr
    before = _log.propagate
    # For this line only: who looks at the logger meanwhile finds it as its program has set it up.
    _log.propagate = before and not _log.handlers
    try:
        _log.log(level, line)
    finally:
        _log.propagate = before
