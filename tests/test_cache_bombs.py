"""A cache file never takes more memory than it has bytes, whatever it claims."""

import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unbroken.cache import cached

LARGEST = 200 << 20  # of growth, in bytes: numpy and zipfile take some by themselves
SEAL = "__unbroken__.npy"


def compressed(path: Path) -> None:
    """1.5 GiB of zeros in 1.5 MB."""
    archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9)
    with archive, archive.open(SEAL, "w", force_zip64=True) as member:
        for _ in range(96):
            member.write(bytes(1 << 24))


def compressed_another_way(path: Path) -> None:
    """1 GiB of spaces in a kilobyte, by a method that few readers expect."""
    archive = zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2)
    with archive, archive.open(SEAL, "w", force_zip64=True) as member:
        for _ in range(64):
            member.write(b" " * (1 << 24))


def claiming(path: Path) -> None:
    """A stored member that claims 2 GiB, in a file of some hundred bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(SEAL, b"x" * 100)
    raw = bytearray(path.read_bytes())
    entry = raw.index(b"PK\x01\x02")
    raw[entry + 20 : entry + 28] = struct.pack("<II", 0x7FFFFFFF, 0x7FFFFFFF)
    path.write_bytes(raw)


def two_sizes(path: Path) -> None:
    """Stored, but with another size than it has compressed."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(SEAL, b"x" * 100)
    raw = bytearray(path.read_bytes())
    entry = raw.index(b"PK\x01\x02")
    raw[entry + 24 : entry + 28] = struct.pack("<I", 0x7FFFFFFF)
    path.write_bytes(raw)


_PROGRAM = """
import resource, sys
import numpy as np
from unbroken.cache import cached
from pathlib import Path
Path("small.npz").unlink(missing_ok=True)
cached("small.npz", lambda: {"a": np.zeros(3)}, key={"k": 1})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = cached("processed_data.npz", lambda: {"a": np.zeros(3)}, key={"k": 1})
print(result.reused, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize("make", [compressed, compressed_another_way, claiming, two_sizes])
@pytest.mark.one_in(4)
def test_a_file_that_claims_more_than_it_holds_takes_no_memory(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "processed_data.npz")
    done = subprocess.run([sys.executable, "-c", _PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    reused, growth = done.stdout.split()
    assert reused == "False"
    assert int(growth) < LARGEST
    assert (tmp_path / "processed_data.npz.damaged-1").exists()


def test_a_cache_of_our_own_that_was_zipped_again_is_built_anew(tmp_path: Path) -> None:
    path = tmp_path / "processed_data.npz"
    cached(path, lambda: {"a": np.arange(9.0)}, key={"k": 1})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    result = cached(path, lambda: {"a": np.arange(9.0)}, key={"k": 1})
    assert not result.reused and result.arrays["a"].tolist() == list(range(9))
    assert cached(path, lambda: {"a": np.arange(9.0)}, key={"k": 1}).reused
