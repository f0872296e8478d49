"""Instructions counted by Valgrind's callgrind, from inside the program: no other program can change them.

Only what is counted is slowed down by counting, so that importing torch takes half a minute and not three.
"""

import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

_SOURCE = """
#include <valgrind/callgrind.h>
void begin(void) { CALLGRIND_START_INSTRUMENTATION; CALLGRIND_ZERO_STATS; }
void end(const char *name) { CALLGRIND_DUMP_STATS_AT(name); CALLGRIND_STOP_INSTRUMENTATION; }
int here(void) { return RUNNING_ON_VALGRIND; }
"""
_NEEDED = ("valgrind", "cc")
_OUTPUT = "BENCHMARKS_CALLGRIND"


def missing() -> list[str]:
    """The programs that are needed and not there."""
    found = os.environ.get("PATH", "").split(os.pathsep)
    return [name for name in _NEEDED if not any(Path(folder, name).is_file() for folder in found)]


def run(module: str, sources: Path, tree: Path) -> str:
    """What ``python -m module`` of ``tree`` prints under callgrind, with these sources: one thread, hashes fixed."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "out")
        environment = {
            **os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": f"{sources}{os.pathsep}{tree}", _OUTPUT: str(output),
        }  # fmt: skip
        valgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--quiet", f"--callgrind-out-file={output}"]
        command = [*valgrind, sys.executable, "-m", module]
        done = subprocess.run(command, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout


def count(work: Callable[[], object]) -> int:
    """The instructions that ``work`` takes, of all threads."""
    library, output = _library(), Path(os.environ[_OUTPUT])
    before = set(output.parent.iterdir())
    library.begin()
    work()
    library.end(b"")
    (dump,) = set(output.parent.iterdir()) - before
    lines = dump.read_text(errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(("summary:", "totals:")))


@cache
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "count.c"), Path(folder, "count.so")
        source.write_text(_SOURCE)
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
        loaded = ctypes.CDLL(str(library))
    if not loaded.here():
        raise RuntimeError("not under callgrind")
    return loaded
