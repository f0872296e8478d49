"""Final files, compared."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from unbroken.audit import finals


@pytest.fixture
def files(tmp_path: Path) -> Any:
    """``files(old, new)`` writes two torch files and gives their paths."""

    def write(old: object, new: object) -> tuple[Path, Path]:
        paths = tmp_path / "old.pt", tmp_path / "new.pt"
        for path, value in zip(paths, (old, new), strict=True):
            torch.save(value, path)
        return paths

    return write


def test_equal_files_do_not_differ(files: Any) -> None:
    state = {"model": {"weight": torch.ones(3)}, "losses": [0.5], "epoch": 3}
    assert finals.compare(*files(state, dict(state))) == finals.Comparison(())


def test_what_differs_and_by_how_much(files: Any) -> None:
    old = {"model": {"weight": torch.ones(3), "bias": torch.ones(2)}, "losses": [0.5]}
    new = {"model": {"weight": torch.tensor([1.0, 1.0, 1.25]), "bias": torch.tensor([1.0, 3.0])}, "losses": [0.25]}
    found = finals.compare(*files(old, new))
    assert found.differing == ("model.weight", "model.bias", "losses[0]")
    assert [(one.path, one.difference) for one in found.largest] == [("model.bias", 2.0), ("model.weight", 0.25)]
    assert found.telling
    assert finals.compare(*files(old, new), frozenset(found.differing)) == finals.Comparison(())


def test_numbers_alone_do_not_tell_two_trainings_apart(files: Any) -> None:
    found = finals.compare(*files({"seconds": 1.5, "n": torch.ones(1)}, {"seconds": 1.25, "n": torch.ones(1)}))
    assert (found.differing, found.telling) == (("seconds",), False)


def test_a_tensor_of_another_shape_and_one_that_is_missing(files: Any) -> None:
    found = finals.compare(*files({"a": torch.ones(3), "b": torch.ones(1)}, {"a": torch.ones(2)}))
    assert found.differing == ("a", "b")
    assert [one.difference for one in found.largest] == [None, None]


def test_negative_zero_and_nan_are_told_by_their_bits(files: Any) -> None:
    assert finals.compare(*files({"a": torch.tensor([0.0])}, {"a": torch.tensor([-0.0])})).differing == ("a",)
    nan = torch.tensor([float("nan")])
    assert finals.compare(*files({"a": nan, "b": 1}, {"a": nan.clone(), "b": 2})).differing == ("b",)


def test_what_two_checkpoints_of_equal_runs_may_have_otherwise(files: Any) -> None:
    def checkpoint(run: str, grads: object) -> dict[str, Any]:
        own = {"run_id": run, "reason": run, "environment": {"seed": run}, "replays": [run], "grads": grads}
        return {"epoch": 2, "timestamp": run, "unbroken": own}

    gradient = {"model.weight": torch.ones(2)}
    # Gradients are saved as well where a process has not seen yet that they need not be.
    assert finals.compare(*files(checkpoint("a", None), checkpoint("b", gradient))) == finals.Comparison(())
    other = {"model.weight": torch.zeros(2)}
    found = finals.compare(*files(checkpoint("a", gradient), checkpoint("b", other)))
    assert found.differing == ("unbroken.grads.model.weight",)


def test_files_that_are_none_of_torchs_are_compared_as_wholes(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("a")
    other.write_text("b")
    assert finals.compare(one, other) == finals.Comparison(("one.txt",), telling=True)
    other.write_text("a")
    assert finals.compare(one, other) == finals.Comparison(())


def test_one_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("a")
    assert finals.compare(tmp_path / "there", tmp_path / "none").telling
    assert finals.compare(tmp_path / "none", tmp_path / "neither") == finals.Comparison(())


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "sprung",))

    one, other = tmp_path / "one.pt", tmp_path / "other.pt"
    torch.save({"a": 1}, one)
    torch.save({"a": Trap()}, other, pickle_module=pickle)
    assert finals.compare(one, other).telling
    assert not (tmp_path / "sprung").exists()
