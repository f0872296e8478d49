"""Every known malicious pickle is refused, by name, before anything is imported, called or allocated."""

import sys
import tracemalloc
from pathlib import Path

import pytest

from tests.faults.fuzz import fuzz
from tests.faults.malicious import callables, pickles
from tests.store import forge
from unbroken.errors import CheckpointDamagedError
from unbroken.store import torchfile


def test_every_known_malicious_pickle_is_refused_before_any_allocation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = 0
    for name, pickle in pickles():
        path = forge.torch_file(tmp_path / "a.pth", pickle)
        modules = set(sys.modules)
        for reader in (torchfile.verify, torchfile.read_metadata, torchfile.read):
            tracemalloc.start()
            with pytest.raises(CheckpointDamagedError) as caught:
                reader(path)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 200_000, name
            assert caught.value.key in (
                "store_global",
                "store_opcode",
                "store_unsupported",
                "store_numpy",
                "store_pickle",
            ), name
            assert str(path) in str(caught.value)
        assert set(sys.modules) == modules, name
        refused += 1
    assert not (tmp_path / "executed").exists()
    assert refused == 7 * len(list(callables())) > 600


def test_mutated_files_are_read_or_refused_by_name(tmp_path: Path) -> None:
    tally = fuzz(300, 3, tmp_path)
    assert [problem for problem in tally.problems if " took " not in problem] == []
    assert tally.files == 300 and 0 < tally.outcomes["read"] < 300
