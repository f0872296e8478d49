"""The index: thousands of numbered checkpoints are not opened, and nothing rests on what it says."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import unbroken
from tests.counting import calls
from tests.store.states import put_with_manifest, state
from unbroken.state.snapshot import copy_to_host
from unbroken.store import index, lineage, torchfile
from unbroken.store import manifest as manifests
from unbroken.store.folder import CheckpointFolder
from unbroken.store.manifest import Manifest
from unbroken.store.payload import Payload, check_contract
from unbroken.store.retention import Policy
from unbroken.store.save import SaveJob, save
from unbroken.store.tensors import tensor_digests
from unbroken.store.writer import Writer

_opened: list[str] | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _opened is not None and isinstance(arguments[0], str | bytes | os.PathLike):
        _opened.append(os.fsdecode(arguments[0]))


sys.addaudithook(_watch)


@contextmanager
def opened() -> Iterator[list[str]]:
    """The names of the checkpoints and manifests opened within."""
    global _opened
    names: list[str] = []
    _opened = names
    try:
        yield names
    finally:
        _opened = None
        names[:] = [Path(name).name for name in names if Path(name).name.startswith("checkpoint_")]


def fill(folder: CheckpointFolder, count: int) -> None:
    """``count`` numbered checkpoints and a newest one, as a run of so many epochs leaves them; no index."""
    newest = put_with_manifest(folder, folder.latest, state(count, aucs=[0.1]))
    known = manifests.describe(folder, newest)
    for epoch in range(1, count + 1):
        path = folder.epoch(epoch)
        path.write_bytes(newest.read_bytes())
        one = replace(manifests.renamed(known, path), progress=known.progress._replace(epoch=epoch, step=10 * epoch))
        folder.manifest(path.name).write_text(manifests._to_json(one))


def saved(folder: CheckpointFolder, epoch: int, policy: Policy | None) -> list[str]:
    job = SaveJob(state(epoch, aucs=[0.1]), (folder.latest, folder.epoch(epoch)), policy)
    report = save(folder, job, set())
    assert report.error is None
    return list(report.deleted)


def counted(folder: CheckpointFolder, count: int) -> tuple[int, int, int]:
    """How many files a start, a save that deletes one, and a resume open in a folder of ``count``."""
    fill(folder, count)
    Writer(folder).close()  # writes the index
    with opened() as by_start:
        Writer(folder).close()
    with opened() as by_save:
        assert saved(folder, count + 1, Policy(newest=count - 1)) == [folder.epoch(2).name]  # 1 is the best
    with opened() as by_resume:
        point = lineage.find_resume_point(folder)
    assert point is not None and point.manifest.progress.epoch == count + 1
    return len(by_start), len(by_save), len(by_resume)


def test_a_start_a_save_and_a_resume_open_as_many_files_of_2000_as_of_10(tmp_path: Path) -> None:
    few, many = (CheckpointFolder(tmp_path / name) for name in ("few", "many"))
    for folder in (few, many):
        folder.prepare()
    assert counted(few, 10) == counted(many, 2000)


def test_without_an_index_every_manifest_is_opened_and_all_is_the_same(folder: CheckpointFolder) -> None:
    fill(folder, 20)
    with opened() as by_manifests:
        plain = lineage.candidates(folder)
    index.mend(folder)
    with opened() as by_index:
        assert [*map(facts, lineage.candidates(folder))] == [*map(facts, plain)]
    assert len(by_manifests) == 21 and by_index == ["checkpoint_latest.pth.json"]


def facts(info: manifests.Described) -> tuple[object, ...]:
    return (info.name, info.size, info.mtime_ns, info.best_epoch, info.progress)


def test_every_numbered_save_is_noted_and_the_index_does_not_grow_with_the_saves(folder: CheckpointFolder) -> None:
    for epoch in range(1, 5):
        assert saved(folder, epoch, None) == []
    assert len(index.look(folder).known) == 4
    largest = 0
    for epoch in range(5, 250):
        saved(folder, epoch, Policy(newest=2))
        largest = max(largest, folder.index.read_bytes().count(b"\n"))
    assert 50 < largest < 150
    assert sorted(one.name for one in index.look(folder).known) == [folder.epoch(n).name for n in (1, 248, 249)]


def _replace(path: Path, content: bytes) -> None:
    path.with_suffix(".new").write_bytes(content)
    path.with_suffix(".new").rename(path)


@pytest.mark.parametrize("put", [_replace, Path.write_bytes])
def test_a_file_that_is_not_the_one_of_the_index_is_opened(
    folder: CheckpointFolder, put: Callable[[Path, bytes], object]
) -> None:
    fill(folder, 5)
    index.mend(folder)
    newer = io.BytesIO()
    torchfile.write(state(9), newer)
    put(folder.epoch(3), newer.getvalue())
    point = lineage.find_resume_point(folder)
    assert point is not None and (point.path, point.manifest.progress.epoch) == (folder.epoch(3), 9)


def test_another_file_of_the_same_size_and_time_is_opened(folder: CheckpointFolder) -> None:
    fill(folder, 3)
    index.mend(folder)
    path = folder.epoch(2)
    status = path.stat()
    other = put_with_manifest(folder, folder.path / "other.pth", state(3, 5, aucs=[0.1]))
    known = manifests.describe(folder, other)
    assert status.st_size == known.size
    other.rename(path)
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
    manifests.write(folder, manifests.renamed(known, path))
    assert lineage.candidates(folder)[0].progress.batch == 5


def _lie(folder: CheckpointFolder, name: str, epoch: int) -> None:
    """Have the index say, with its checksum right, that ``name`` is of ``epoch``."""
    true = manifests.describe(folder, folder.path / name)
    index.note(folder, [replace(true, progress=true.progress._replace(epoch=epoch))])
    assert {one.name: one.progress.epoch for one in index.look(folder).known}[name] == epoch


def test_nothing_is_deleted_on_the_word_of_the_index(folder: CheckpointFolder) -> None:
    fill(folder, 5)
    index.mend(folder)
    _lie(folder, folder.epoch(2).name, 99)  # so that 5 seems to be in the way
    job = SaveJob(state(5, 3, aucs=[0.1]), (folder.latest,), Policy(newest=1))
    report = save(folder, job, set())
    assert report.error is None and list(report.deleted) == [folder.epoch(n).name for n in (2, 3, 4)]


def test_nothing_is_resumed_from_on_the_word_of_the_index(folder: CheckpointFolder) -> None:
    fill(folder, 5)
    put_with_manifest(folder, folder.epoch(2), state(2))
    index.mend(folder)
    _lie(folder, folder.epoch(2).name, 99)
    point = lineage.find_resume_point(folder)
    assert point is not None and point.path == folder.latest
    explained = lineage.explain(folder).chosen
    assert explained is not None and explained.progress.epoch != 99


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b'"checkpoint_epoch_4.pth",') + 40] ^= 1
    path.write_bytes(content)


def _tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _not_utf8(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\0\n" + path.read_bytes())


def _other_kinds(path: Path) -> None:
    import zlib

    bodies = [b'["checkpoint_epoch_3.pth"]', b"7", b"[" * 9, b'["checkpoint_epoch_3.pth",1,2,3,4,null,"x"]']
    path.write_bytes(b"".join(b"%08x%b\n" % (zlib.crc32(body), body) for body in bodies))


def _device(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [Path.unlink, _flip, _tear, _not_utf8, _other_kinds, _device, _folder])
def test_a_spoilt_index_costs_time_only(folder: CheckpointFolder, spoil: Callable[[Path], None]) -> None:
    fill(folder, 5)
    plain = [*map(facts, lineage.candidates(folder))]
    index.mend(folder)
    spoil(folder.index)
    assert [*map(facts, lineage.candidates(folder))] == plain
    assert saved(folder, 6, Policy(newest=3)) == [folder.epoch(n).name for n in (2, 3)]


def test_nothing_is_written_through_a_link(folder: CheckpointFolder, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    folder.index.symlink_to(tmp_path / "theirs")
    fill(folder, 3)
    Writer(folder).close()
    saved(folder, 4, Policy(newest=3))
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_a_branch_s_fork_comes_back_from_the_index(folder: CheckpointFolder) -> None:
    from unbroken.store.payload import ForkPoint

    fork = ForkPoint("run-a", 0, 1, 0, 10)
    infos: list[Manifest] = []
    for epoch, branch in ((2, 0), (3, 1)):
        put_with_manifest(folder, folder.epoch(epoch), state(epoch, branch=branch, parent=fork if branch else None))
        infos.append(manifests.describe(folder, folder.epoch(epoch)))
    index.note(folder, infos)
    assert [one.progress for one in index.look(folder).known] == [info.progress for info in infos]
    assert [info.name for info in lineage.candidates(folder)] == [folder.epoch(n).name for n in (3, 2)]


def test_no_number_of_a_long_history_is_looked_at_by_itself() -> None:
    few, many = (state(epochs, aucs=[0.5] * epochs) for epochs in (300, 20_000))

    def work(payload: Payload) -> None:
        copy_to_host(payload)
        torchfile.write(payload, io.BytesIO())
        tensor_digests(payload)
        check_contract(payload, Path())

    work(few)  # what is imported and cached at first use
    assert calls(lambda: work(many)) == calls(lambda: work(few))


def branched_off(folder: Path, epochs: int) -> int:
    """How many files of the folder are opened where a run goes back to the state after its second epoch."""
    for resume in ("auto", folder / "checkpoint_epoch_2.pth"):
        model = torch.nn.Linear(1, 1)
        with unbroken.Run(folder, every_epochs=1, resume=resume, seed=1) as run:
            run.track(model=model)
            if resume == "auto":
                for _ in run.epochs(epochs):
                    run.record(aucs=0.5)
                run.flush()
            else:
                with opened() as files:
                    run.begin()
    return len(files)


def test_going_back_to_an_earlier_state_opens_no_more_files_of_many_checkpoints(tmp_path: Path) -> None:
    assert branched_off(tmp_path / "many", 12) == branched_off(tmp_path / "few", 5)
