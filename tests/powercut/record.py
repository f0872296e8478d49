"""Records what a process does to one folder, system call by system call, with strace."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import needs

_CALLS = (
    "openat,write,pwrite64,writev,pwritev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,"
    "mkdirat,rmdir,ftruncate,truncate,fallocate,copy_file_range,sendfile,ioctl"
)
_LINE = re.compile(r"(?P<time>[\d.]+) (?P<call>\w+)\((?P<arguments>.*)\)\s+= (?P<result>-?\d+)(?P<rest>.*)", re.DOTALL)
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FD = re.compile(r"(-?\d+|AT_FDCWD)<([^>]*)>")


@dataclass(frozen=True)
class Operation:
    """One change: ``kind`` is create, write, truncate, sync, sync_folder, rename, link, unlink, mkdir, rmdir or said.

    ``path`` is relative to the folder; ``target`` that of a rename or link; ``offset`` -1 is the end of the file.
    """

    kind: str
    path: str
    target: str = ""
    offset: int = -1
    data: bytes = b""


def record(folder: Path, *program: str) -> list[Operation]:
    """Run ``python -m tests.powercut.program folder …`` and return its operations on ``folder``, in order."""
    needs.require("strace")
    traces = folder.parent / "traces"
    traces.mkdir()
    command = [sys.executable, "-m", "tests.powercut.program", str(folder), *program]
    strace = ["strace", "-ff", "-ttt", "-y", "-xx", "-s", "100000000", "-e", f"trace={_CALLS}", "-o", str(traces / "t")]
    ended = subprocess.run([*strace, *command], capture_output=True, text=True)
    assert ended.returncode in (0, 75), ended.stderr[-2000:]
    lines: list[tuple[float, str]] = []
    for trace in traces.iterdir():
        for line in trace.read_text(errors="replace").splitlines():
            stamp = line.split(" ", 1)[0]
            if stamp.replace(".", "").isdigit():
                lines.append((float(stamp), line))
    return [operation for _, line in sorted(lines) for operation in _parse(line, folder)]


def _parse(line: str, folder: Path) -> Iterator[Operation]:
    match = _LINE.match(line)
    if match is None or int(match["result"]) < 0:
        return
    call, arguments = match["call"], match["arguments"]
    strings = [bytes.fromhex(text.replace("\\x", "")) for text in _STRING.findall(arguments)]
    descriptors = [_unescaped(path) for _, path in _FD.findall(arguments)]
    inside = [_relative(path, folder) for path in descriptors]
    if call in ("write", "pwrite64") and descriptors and Path(descriptors[0]) == folder.parent / "said":
        yield Operation("said", "", data=strings[0])
        return
    if call == "openat":
        opened = _FD.search(match["result"] + match["rest"])
        path = _relative(_unescaped(opened[2]), folder) if opened else None
        if path is not None and "O_CREAT" in arguments:
            yield Operation("create", path)
        if path is not None and "O_TRUNC" in arguments:
            yield Operation("truncate", path, offset=0)
    elif call in ("write", "pwrite64"):
        if inside and inside[0] is not None:
            offset = int(arguments.rsplit(",", 1)[1]) if call == "pwrite64" else -1
            yield Operation("write", inside[0], offset=offset, data=strings[0][: int(match["result"])])
    elif call in ("fsync", "fdatasync"):
        if inside and inside[0] is not None:
            yield Operation("sync_folder" if (folder / inside[0]).is_dir() else "sync", inside[0])
    elif call == "ftruncate":
        if inside and inside[0] is not None:
            yield Operation("truncate", inside[0], offset=int(arguments.rsplit(",", 1)[1]))
    elif call.startswith(("rename", "link", "unlink", "mkdir", "rmdir")):
        paths = [_relative(str(Path(text.decode())), folder) for text in strings]
        kind = re.match("rename|link|unlink|mkdir|rmdir", call)
        assert kind is not None
        name = "rmdir" if "AT_REMOVEDIR" in arguments else kind[0]
        if paths and paths[0] is not None:
            yield Operation(name, paths[0], target=paths[1] or "" if len(paths) > 1 else "")
    elif any(path is not None for path in inside) and call not in ("ioctl", "fallocate"):
        raise AssertionError(f"the recorder does not know {call}: {line[:200]}")


def _unescaped(text: str) -> str:
    return ast.literal_eval(f"b'{text}'").decode() if "\\x" in text else text


def _relative(path: str, folder: Path) -> str | None:
    try:
        return Path(path).relative_to(folder).as_posix()
    except ValueError:
        return None
