"""``python -m tests.faults.fuzz --files N --seed S``: mutated checkpoint files through every reader.

Each is refused by an error of the library or read; nothing in it runs, nothing crashes, memory and time stay bounded.
The readers work in a process of their own, whose end, memory and calls are watched.
"""

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.malicious import pickles
from tests.store import forge
from tests.store.forge import tensor
from tests.store.states import plain_state, put, state
from tests.store.test_hostile import ATTACKS, REFUSED
from unbroken.errors import UnbrokenError
from unbroken.store import torchfile
from unbroken.store.container import read_members

MOST_GROWTH = 100 << 20
MOST_SECONDS = 2.0

_INTERESTING = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"PK\x01\x02", b"PK\x03\x04")
_OPCODES = b".(0123FIJKLMNPQRSTUVXabcdeghijlopqrstu}]\x80\x81\x82\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x93\x94\x95"
_FORBIDDEN = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pty.spawn")
_FORBIDDEN += ("socket.connect", "ctypes.dlopen", "shutil.rmtree", "os.remove", "os.rename", "os.mkdir")


@dataclass
class Tally:
    """What came of the files."""

    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    slowest: float = 0.0
    growth: int = 0


def corpus(folder: Path) -> list[tuple[bytes, list[forge.Member]]]:
    """Pickles with their storages to start from: real checkpoints, honest forgeries, and known attacks."""
    storages: list[forge.Member] = [("data/0", bytes(16)), ("data/1", bytes(range(64)))]
    honest = forge.payload(tensor("0", [2, 2], count=4, stride=[2, 1]), tensor("1", [4], count=16, stride=[2]))
    found = [(honest, storages)]
    found += [(forge.payload(value), storages) for value, _ in REFUSED.values()]
    found += [(pickle, storages) for pickle in ATTACKS.values()]
    found += [(pickle, storages) for _, pickle in list(pickles())[::7]]
    for payload in (state(2, 3), plain_state(1)):
        path = put(folder / "seed.pth", payload)
        with path.open("rb") as file:
            found_in = read_members(file, path.stat().st_size, path)
            members = {name: member.read(file) for name, member in found_in.items()}
        found.append((members.pop("data.pkl"), [(name, data) for name, data in members.items() if name[:5] == "data/"]))
    return found


def whole_files(folder: Path) -> list[bytes]:
    """Files as torch writes them."""
    return [put(folder / "seed.pth", payload).read_bytes() for payload in (state(2, 3), state(1), plain_state(1))]


def mutated(raw: bytes, dice: random.Random, others: list[bytes]) -> bytes:
    """``raw`` after one to four changes of any kind."""
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        raw = dice.choice(_CHANGES)(raw, dice, others)
    return raw


def _flip(raw: bytes, dice: random.Random, others: list[bytes]) -> bytes:
    at = dice.randrange(len(raw) or 1)
    return raw[:at] + bytes(byte ^ (1 << dice.randrange(8)) for byte in raw[at : at + 1]) + raw[at + 1 :]


def _overwrite(raw: bytes, dice: random.Random, others: list[bytes]) -> bytes:
    at, new = dice.randrange(len(raw) + 1), dice.choice(_INTERESTING)
    return raw[:at] + new + raw[at + len(new) :]


def _number(raw: bytes, dice: random.Random, others: list[bytes]) -> bytes:
    at, size = dice.randrange(len(raw) + 1), dice.choice((1, 2, 4, 8))
    value = dice.choice((0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), dice.getrandbits(8 * size), len(raw)))
    return raw[:at] + (value % 2 ** (8 * size)).to_bytes(size, "little") + raw[at + size :]


def _insert(raw: bytes, dice: random.Random, others: list[bytes]) -> bytes:
    at = dice.randrange(len(raw) + 1)
    new = dice.choice((bytes([dice.choice(_OPCODES)]), dice.randbytes(dice.randrange(1, 9)), dice.choice(_INTERESTING)))
    return raw[:at] + new + raw[at:]


def _delete(raw: bytes, dice: random.Random, others: list[bytes]) -> bytes:
    at = dice.randrange(len(raw) + 1)
    return raw[:at] + raw[at + dice.choice((1, 1, 2, 4, 16, 64)) :]


def _cut(raw: bytes, dice: random.Random, others: list[bytes]) -> bytes:
    return raw[: dice.randrange(len(raw) + 1)]


def _repeat(raw: bytes, dice: random.Random, others: list[bytes]) -> bytes:
    start = dice.randrange(len(raw) + 1)
    piece = raw[start : start + dice.choice((1, 4, 16, 64))]
    return raw[:start] + piece * dice.choice((2, 3, 60, 1000)) + raw[start:] if len(raw) < 100_000 else raw


def _splice(raw: bytes, dice: random.Random, others: list[bytes]) -> bytes:
    other = dice.choice(others)
    start, at = dice.randrange(len(other) + 1), dice.randrange(len(raw) + 1)
    return raw[:at] + other[start : start + dice.choice((4, 16, 64, 256))] + raw[at:]


_CHANGES: tuple[Callable[[bytes, random.Random, list[bytes]], bytes], ...] = (
    _flip, _flip, _overwrite, _number, _number, _insert, _insert, _delete, _cut, _repeat, _splice,
)  # fmt: skip


def one_file(path: Path, dice: random.Random, seeds: list[Any], wholes: list[bytes]) -> None:
    """Write one mutated file: of any bytes, of the pickle within right checksums, or of the storages' claims."""
    if dice.random() < 0.35:
        path.write_bytes(mutated(dice.choice(wholes), dice, wholes))
        return
    pickle, members = dice.choice(seeds)
    pickle = mutated(pickle, dice, [other for other, _ in seeds])
    if dice.random() < 0.1:
        members = [(name, mutated(data, dice, [data])) for name, data in members]
    forge.torch_file(path, pickle, *members)


def read_all(first: int, last: int, seed: int, folder: Path, answers: Any) -> None:
    """In the watched process: files ``first`` to ``last``; sends a Tally."""
    import torch

    seeds, wholes = corpus(folder), whole_files(folder)
    path, tally = folder / "a.pth", Tally()
    os.chdir(folder)
    armed: list[str] = []
    watching = False

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and (event in _FORBIDDEN or (event == "open" and _writes(arguments))):
            armed.append(f"{event} {arguments}")

    sys.addaudithook(watch)
    torch.load(put(path, state(1)), weights_only=True)
    before = 0
    for number in range(first, last):
        one_file(path, random.Random(f"{seed}/{number}"), seeds, wholes)
        if number == first + 200:  # by then all is imported that ever will be
            _forget_peak()
            before = _peak()
        started = time.monotonic()
        watching = True
        for reader in (torchfile.verify, torchfile.read_metadata, torchfile.read):
            try:
                reader(path)
                tally.outcomes["read"] += 1
            except UnbrokenError as error:
                tally.outcomes[error.key] += 1
            except BaseException as error:
                tally.problems.append(f"file {number}, {reader.__name__}: {type(error).__name__}: {error}")
        watching = False
        tally.slowest = max(tally.slowest, time.monotonic() - started)
        tally.files += 1
        if armed or (folder / "executed").exists():
            tally.problems.append(f"file {number} ran code: {armed}")
            armed.clear()
    tally.growth = _peak() - before
    answers.put(tally)


def _writes(arguments: tuple[object, ...]) -> bool:
    _, mode, flags = arguments
    return (isinstance(mode, str) and any(letter in mode for letter in "wax+")) or (
        isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    )


def _peak() -> int:
    """The most resident memory since the last ``_forget_peak``, in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def fuzz(files: int, seed: int, folder: Path) -> Tally:
    """Read so many mutated files; a crash of the process is one of the problems."""
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=read_all, args=(0, files, seed, folder, answers))
    process.start()
    while process.is_alive() and answers.empty():
        process.join(0.2)
    tally: Tally = Tally(problems=[f"the reader ended with {process.exitcode}"]) if answers.empty() else answers.get()
    process.join()
    if tally.growth > MOST_GROWTH:
        tally.problems.append(f"memory grew by {tally.growth >> 20} MiB")
    if tally.slowest > MOST_SECONDS:
        tally.problems.append(f"one file took {tally.slowest:.1f} s")
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        tally = fuzz(options.files, options.seed, Path(folder))
    for problem in tally.problems[:20]:
        print(problem)
    print(", ".join(f"{key} {count}" for key, count in tally.outcomes.most_common()))
    print(
        f"{tally.files} files, {len(tally.problems)} problems, slowest {tally.slowest * 1000:.0f} ms, "
        f"memory grew by {tally.growth / (1 << 20):.1f} MiB, {time.monotonic() - started:.0f} s"
    )
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
