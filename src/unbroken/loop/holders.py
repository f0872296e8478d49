"""Holders: objects of the standard library and of NumPy that are there to hold one changing value.

``multiprocessing.Value`` and ``Array``, context variables, ``threading.local``, queues, ``SeedSequence``.
"""

import contextvars
import ctypes
import queue
import threading
from multiprocessing import sharedctypes
from typing import Any

import numpy as np

_NUMBERS = (
    ctypes.c_bool, ctypes.c_char, ctypes.c_wchar, ctypes.c_byte, ctypes.c_ubyte, ctypes.c_short, ctypes.c_ushort,
    ctypes.c_int, ctypes.c_uint, ctypes.c_long, ctypes.c_ulong, ctypes.c_longlong, ctypes.c_ulonglong, ctypes.c_float,
    ctypes.c_double,
)  # fmt: skip


def content(value: object) -> dict[str, Any] | None:
    """What it holds, by what a script writes behind its name; None if it is none of these."""
    if isinstance(value, sharedctypes.SynchronizedBase):
        value = value.get_obj()
    if isinstance(value, _NUMBERS):
        return {"value": value.value}
    if isinstance(value, ctypes.Array):
        return {"values": list(value)}
    if isinstance(value, contextvars.ContextVar):
        return {"get()": value.get(None)}
    if isinstance(value, threading.local):
        return vars(value)
    if isinstance(value, queue.Queue):
        return {"queue": value.queue}
    if isinstance(value, np.random.SeedSequence):
        return {"n_children_spawned": value.n_children_spawned}
    return None
