"""Large copies made by several threads: the same bytes as by one."""

import signal
import subprocess
import sys
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unbroken.state.bulk import copy_all
from unbroken.state.snapshot import copy_to_host, equal_bits

PIECE = 4 << 20
SIZES = [1, 4095, (256 << 10) - 1, 256 << 10, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(SIZES), max_size=6), st.integers(0, 2**32))
def test_every_byte_is_copied_and_no_other(sizes: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    source = torch.randint(0, 256, (sum(sizes),), dtype=torch.uint8, generator=generator)
    target = torch.full((sum(sizes) + 2,), 7, dtype=torch.uint8)
    copy_all(list(zip(target[1:-1].split(sizes), source.split(sizes), strict=True)))
    assert torch.equal(target[1:-1], source)
    assert target[0] == target[-1] == 7


BIG = 1 << 20
LAYOUTS = {
    "channels last": lambda: torch.randn(8, 32, 64, 64).contiguous(memory_format=torch.channels_last),
    "transposed": lambda: torch.randn(1024, BIG // 512).t(),
    "every second": lambda: torch.randn(2 * BIG)[::2],
    "reversed in two dimensions": lambda: torch.randn(512, 2048).flip(0).t(),
    "expanded": lambda: torch.randn(1, 1024).expand(1024, 1024),
    "one row": lambda: torch.randn(BIG).as_strided((1, BIG), (3, 1)),
    "behind an offset": lambda: torch.randn(BIG + 3)[3:],
    "complex": lambda: torch.randn(BIG, dtype=torch.complex64),
    "conjugated": lambda: torch.randn(BIG, dtype=torch.complex64).conj(),
    "negated": lambda: torch.randn(BIG, dtype=torch.complex64).conj().imag,
    "half": lambda: torch.randn(BIG).bfloat16(),
    "not numbers": lambda: torch.full((BIG,), float("nan")).neg(),
    "shared between processes": lambda: torch.randn(BIG).share_memory_(),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_large_tensor_of_any_layout_is_copied_exactly(kind: str) -> None:
    tensor = LAYOUTS[kind]()
    snapshot = copy_to_host({"tensor": tensor})["tensor"]
    assert equal_bits(snapshot, tensor) is None
    assert snapshot.stride() == tensor.clone().stride() or tensor.shape[0] == 1
    assert snapshot.untyped_storage().data_ptr() != tensor.untyped_storage().data_ptr()
    target = torch.empty(tensor.shape, dtype=tensor.dtype)
    copy_all([(target, tensor)])
    assert equal_bits(target, tensor) is None


def test_no_thread_is_left_and_torch_s_own_are_as_many_as_before() -> None:
    torch.set_num_threads(2)
    alive = threading.active_count()
    copy_all([(torch.empty(8 * PIECE, dtype=torch.uint8), torch.ones(8 * PIECE, dtype=torch.uint8))])
    assert (torch.get_num_threads(), threading.active_count()) == (2, alive)


class HandlerError(IndexError):
    pass


def test_what_a_signal_s_handler_raises_in_a_copy_comes_out_and_nothing_is_copied_after_it() -> None:
    def handler(*_: object) -> None:
        raise HandlerError

    before = signal.signal(signal.SIGALRM, handler)
    source = torch.ones(64 * PIECE, dtype=torch.uint8)
    target = torch.zeros_like(source)
    try:
        for moment in range(60):
            # At one line of Thread.start, Python makes a KeyError of an exception that a handler raises.
            with pytest.raises((HandlerError, KeyError)):
                signal.setitimer(signal.ITIMER_REAL, 0.001 + moment * 0.0001)
                while True:
                    copy_all([(target, source)])
            target[-PIECE:] = 0
            for thread in threading.enumerate():
                if thread.name == "unbroken-share" and thread.is_alive():
                    thread.join()
            assert not target[-PIECE:].any()
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "before",
    [
        "atexit.register(copy)",  # newer interpreters start no threads then
        "threading.stack_size(1 << 46); copy()",  # the system has no thread to give
    ],
)
def test_a_copy_can_be_made_without_a_second_thread(before: str) -> None:
    script = (
        "import atexit, threading, torch\n"
        "from unbroken.state.snapshot import copy_to_host\n"
        "state = torch.arange(1 << 23)\n"
        "copy = lambda: print(bool((copy_to_host(state) == state).all()))\n" + before
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
