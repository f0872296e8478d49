"""The others, each used as its own documentation says. ``save`` returns when the optimizer may step."""

import importlib
import logging
import os
import queue
import shutil
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch

from benchmarks.ours import Ours
from benchmarks.state import Training


class Saver(Protocol):
    name: str

    def save(self) -> None: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...


class _Peer:
    """One target, written again and again; what is written is durable only once somebody syncs it."""

    name = ""
    needs = "torch"

    def __init__(self, state: Training, folder: Path) -> None:
        importlib.import_module(self.needs)
        self.state = state
        self.target = folder / self.name.replace(" ", "-").replace("/", "-")

    def save(self) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        pass

    def close(self) -> None:
        if self.target.is_dir():
            shutil.rmtree(self.target)
        else:
            self.target.unlink(missing_ok=True)


class TorchSave(_Peer):
    name = "torch.save"

    def save(self) -> None:
        torch.save(self.state.payload(), self.target)


class TorchSaveSynced(_Peer):
    name = "torch.save + fsync + rename"

    def save(self) -> None:
        temporary = self.target.with_suffix(".tmp")
        with temporary.open("wb") as file:
            torch.save(self.state.payload(), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.target)


class Safetensors(_Peer):
    name = "safetensors (tensors only)"
    needs = "safetensors.torch"

    def save(self) -> None:
        from safetensors.torch import save_file

        tensors = dict(self.state.model.state_dict())
        for index, kept in self.state.optimizer.state_dict()["state"].items():
            tensors.update({f"optimizer.{index}.{name}": value for name, value in kept.items()})
        save_file(tensors, self.target)


class Dcp(_Peer):
    name = "DCP save"
    needs = "torch.distributed.checkpoint"

    def save(self) -> None:
        import torch.distributed.checkpoint as dcp

        dcp.save(self.state.payload(), checkpoint_id=self.target)


class DcpAsync(_Peer):
    name = "DCP async_save"
    needs = "torch.distributed.checkpoint"

    def __init__(self, state: Training, folder: Path) -> None:
        super().__init__(state, folder)
        import torch.distributed as dist

        if not dist.is_initialized():
            store = dist.FileStore(str(folder / "store"), 1)
            dist.init_process_group("gloo", store=store, rank=0, world_size=1)
        self._pending: Any = None

    def save(self) -> None:
        import torch.distributed.checkpoint as dcp

        self.finish()
        self._pending = dcp.async_save(self.state.payload(), checkpoint_id=self.target)

    def finish(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None


class LightningAsync(_Peer):
    name = "Lightning AsyncCheckpointIO"
    needs = "lightning.pytorch.plugins.io"

    def __init__(self, state: Training, folder: Path) -> None:
        super().__init__(state, folder)
        from lightning.pytorch.plugins.io import AsyncCheckpointIO, TorchCheckpointIO

        self._make: Callable[[], Any] = lambda: AsyncCheckpointIO(TorchCheckpointIO())
        self._io = self._make()

    def save(self) -> None:
        self._io.save_checkpoint(self.state.payload(), self.target)

    def finish(self) -> None:
        self._io.teardown()  # the only way to wait
        self._io = self._make()


class Accelerate(_Peer):
    name = "Accelerate save_state"
    needs = "accelerate"

    def __init__(self, state: Training, folder: Path) -> None:
        super().__init__(state, folder)
        from accelerate import Accelerator

        self._accelerator = Accelerator(cpu=True)
        self._accelerator.prepare(state.model, state.optimizer)

    def save(self) -> None:
        self._accelerator.save_state(str(self.target))


class TorchCheckpointing(_Peer):
    name = "torch_checkpointing"
    needs = "torch_checkpointing"

    def __init__(self, state: Training, folder: Path) -> None:
        super().__init__(state, folder)
        from torch_checkpointing.checkpoint_manager import CheckpointManager
        from torch_checkpointing.storage.filesystem import LocalFileSystemStorageConfig

        # Its direct I/O is refused by file systems that it does not ask first.
        storage = LocalFileSystemStorageConfig(use_direct_io=False)
        self._manager = CheckpointManager(CheckpointManager.Config(storage_config=storage))
        self._pending: Any = None
        self._number = 0

    def save(self) -> None:
        self.finish()
        self._number += 1
        target = str(self.target / str(self._number))
        self._pending = self._manager.save(target, self.state.payload())
        with self._manager.lock():  # its way to say when tensors may change
            pass

    def finish(self) -> None:
        if self._pending is not None:
            self._pending.result()
            self._pending = None
            for old in sorted(self.target.iterdir(), key=lambda path: int(path.name))[:-2]:
                shutil.rmtree(old)

    def close(self) -> None:
        self.finish()
        self._manager.close()
        super().close()


class Efficio(_Peer):
    name = "efficio"
    needs = "efficio"

    def __init__(self, state: Training, folder: Path) -> None:
        super().__init__(state, folder)
        import efficio

        self._run = efficio.Run(checkpoint_dir=str(self.target), resume=False, verbose=False)
        self._run.prepare(state.model, state.optimizer)

    def save(self) -> None:
        self._run.save()


class Ravex(_Peer):
    name = "ravex, torch_save"
    needs = "ravex"

    def __init__(self, state: Training, folder: Path) -> None:
        super().__init__(state, folder)
        import ravex

        self._jobs: queue.Queue[Callable[[], object] | None] = queue.Queue()
        self._done: queue.Queue[object] = queue.Queue()

        storage = {"type": "local", "path": str(self.target)}

        @ravex.train_loop(backend="torch_save", storage=storage, checkpoint_every=10**9, resume=False)  # type: ignore[untyped-decorator]
        def train() -> None:  # its checkpoints exist only inside a function of its own
            ravex.track(state.model, state.optimizer)
            while (job := self._jobs.get()) is not None:
                self._done.put(job())

        self._ravex = ravex
        self._thread = threading.Thread(target=train, daemon=True)
        self._thread.start()

    def _do(self, job: Callable[[], object]) -> object:
        self._jobs.put(job)
        return self._done.get(timeout=120)

    def save(self) -> None:
        self.state.optimizer.step()  # without gradients it does nothing; ravex saves once per step
        if not self._do(self._ravex.checkpoint):
            raise RuntimeError("it took no checkpoint")

    def finish(self) -> None:
        self._do(self._ravex.flush)

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join(60)
        super().close()


PEERS: list[type[_Peer]] = [
    TorchSave, TorchSaveSynced, Safetensors, Dcp, DcpAsync, LightningAsync, Accelerate, TorchCheckpointing, Efficio,
    Ravex,
]  # fmt: skip

SAVERS: list[Callable[[Training, Path], Saver]] = [Ours, *PEERS]


def built(state: Training, folder: Path, kinds: list[Any] | None = None) -> tuple[list[Saver], dict[str, str]]:
    """Those that can be had, each tried before it is measured, and why the others cannot."""
    for name in ("torch.distributed.checkpoint", "torch_checkpointing", "accelerate"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    savers: list[Saver] = []
    missing: dict[str, str] = {}
    for kind in kinds or SAVERS:
        try:
            saver = kind(state, folder)
            for _ in range(2):
                saver.save()
                saver.finish()
            savers.append(saver)
        except Exception as error:
            missing[kind.name] = f"{type(error).__name__}: {error}".partition("\n")[0][:120]  # type: ignore[attr-defined]
    return savers, missing


def sync_all(folder: Path) -> None:
    """Make durable what lies under ``folder``, as a program would have to that does not do so itself."""
    for path in (folder, *folder.rglob("*")):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
