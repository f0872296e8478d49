"""Where the time of one piece of work goes: the calls of named functions, in all threads, each by both clocks."""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any


@dataclass
class Spent:
    """Seconds by the clock and of the processor, of all calls together."""

    seconds: float = 0.0
    processor: float = 0.0
    calls: int = 0


@dataclass
class Stages:
    """``named`` has for the name of a function (``save``, ``Writer.submit``, ``posix.fsync``) the stage of its calls.

    A call within another that is counted belongs to that. It costs some microseconds per call of any function, so
    states are to be of few large tensors.
    """

    named: dict[str, str]
    spent: dict[str, Spent] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._open: dict[int, list[tuple[str, int, float, float]]] = {}
        self._depth: dict[int, int] = {}

    def measure(self, work: Callable[[], object]) -> Spent:
        """Do ``work``; what it took in all, the processor time that of all threads."""
        threading.setprofile(self._see)
        sys.setprofile(self._see)
        started, processor = time.perf_counter(), time.process_time()
        try:
            work()
        finally:
            whole = Spent(time.perf_counter() - started, time.process_time() - processor, 1)
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
        return whole

    def _see(self, frame: FrameType, event: str, argument: Any) -> None:
        thread = threading.get_ident()
        if event in ("call", "c_call"):
            depth = self._depth[thread] = self._depth.get(thread, 0) + 1
            stage = self.named.get(frame.f_code.co_qualname if event == "call" else _name(argument))
            if stage is not None and not self._open.get(thread):
                self._open[thread] = [(stage, depth, time.perf_counter(), time.thread_time())]
            return
        depth = self._depth.get(thread, 0)
        self._depth[thread] = max(0, depth - 1)
        opened = self._open.get(thread)
        if opened and opened[-1][1] == depth:
            stage, _, began, used = opened.pop()
            spent = self.spent.setdefault(stage, Spent())
            spent.seconds += time.perf_counter() - began
            spent.processor += time.thread_time() - used
            spent.calls += 1


def _name(function: Any) -> str:
    """Of a compiled function: its own, behind that of its module or class."""
    owner = getattr(function, "__self__", None)
    return f"{getattr(owner, '__name__', None) or type(owner).__name__}.{getattr(function, '__name__', '')}"
