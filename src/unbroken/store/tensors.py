"""The tensors of a payload: a tensor as a row of bytes, what these digest to, and how much they weigh."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from unbroken.disk.digest import Buffer, Digest
from unbroken.store.payload import Payload
from unbroken.store.trees import leaves

if TYPE_CHECKING:
    import torch


def raw_bytes(tensor: "torch.Tensor") -> memoryview:
    """The elements of a dense tensor in C order as one row of bytes: where they lie if they lie so, else a copy."""
    import numpy as np
    import torch

    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    # Not reshape: of one element or none it keeps any stride, and then is no row of bytes. Nor ``numpy()``, behind
    # which the storage of a live tensor can't be resized any more.
    return np.from_dlpack(plain.as_strided((plain.numel(),), (1,)).view(torch.uint8)).data


def storage_bytes(storage: "torch.UntypedStorage") -> memoryview:
    """The bytes of a storage, where they lie; for one on another device, of a copy."""
    import torch

    return raw_bytes(torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage))


def tensor_digests(payload: Payload) -> dict[str, str]:
    """The digest of every tensor by its path: of its dtype, shape and bytes, however it lies in memory."""
    return PassingDigests(payload).finished()


class PassingDigests:
    """The digests of a payload's tensors, most of them got while the storages pass by on their way to a file.

    So the bytes of a tensor that fills its storage are looked at once; every other tensor is digested by itself.
    """

    def __init__(self, payload: Payload) -> None:
        import torch

        self._tensors: list[tuple[str, torch.Tensor]] = []
        self._passing: dict[torch.UntypedStorage, dict[str, Digest]] = {}
        self._passed: set[torch.UntypedStorage] = set()
        for path, value in leaves(payload, whole_curves=True):
            if isinstance(value, torch.Tensor):
                self._tensors.append((path, value))
                if _fills_its_storage(value):
                    self._passing.setdefault(value.untyped_storage(), {}).setdefault(_head(value), _begun(value))

    def watchers(self, storage: "torch.UntypedStorage") -> "list[Callable[[Buffer], object]]":
        """What has to be shown all bytes of ``storage``, once, in order."""
        self._passed.add(storage)
        return [digest.update for digest in self._passing.get(storage, {}).values()]

    def finished(self) -> dict[str, str]:
        """The digest of every tensor by its path, in the order of the paths."""
        digests: dict[str, str] = {}
        known: dict[int, str] = {}
        for path, tensor in sorted(self._tensors, key=lambda entry: entry[0]):
            if id(tensor) not in known:
                known[id(tensor)] = self._digest(tensor)
            digests[path] = known[id(tensor)]
        return digests

    def _digest(self, tensor: "torch.Tensor") -> str:
        if _fills_its_storage(tensor) and (storage := tensor.untyped_storage()) in self._passed:
            return self._passing[storage][_head(tensor)].text
        return tensor_digest(tensor)


def estimate(payload: Payload) -> int:
    """Bytes the file of ``payload`` will need, a little more rather than less."""
    import torch

    storages: dict[int, int] = {}
    rest = 64 << 10
    for path, value in leaves(payload, whole_curves=True):
        rest += 64 + 2 * len(path)
        if isinstance(value, torch.Tensor):
            for part in _parts(value):
                storage = part.untyped_storage()
                storages[storage.data_ptr() or id(storage)] = storage.nbytes()
                rest += 512
        elif isinstance(value, str | bytes):
            rest += 4 * len(value)
        elif isinstance(value, list):
            rest += 16 * len(value)  # a curve; pickled, a float takes nine bytes
    return sum(storages.values()) + rest


def tensor_digest(tensor: "torch.Tensor") -> str:
    """The digest of one tensor: of its dtype, shape and bytes, however it lies there."""
    digest = _begun(tensor)
    for part in _parts(tensor.detach()):
        digest.update(raw_bytes(part))
    return digest.text


def _begun(tensor: "torch.Tensor") -> Digest:
    digest = Digest()
    digest.update(_head(tensor).encode())
    return digest


def _head(tensor: "torch.Tensor") -> str:
    return f"{tensor.dtype}{tuple(tensor.shape)}"


def _fills_its_storage(tensor: "torch.Tensor") -> bool:
    """Whether the storage's bytes are the tensor's elements in C order, and nothing else."""
    import torch

    return (
        tensor.layout is torch.strided
        and tensor.device.type == "cpu"
        and tensor.is_contiguous()
        and not (tensor.is_conj() or tensor.is_neg())
        and 0 < tensor.nbytes == tensor.untyped_storage().nbytes()
    )


def _parts(tensor: "torch.Tensor") -> "list[torch.Tensor]":
    """The ordinary tensors that make up ``tensor``: itself, or the indices and values of a sparse one."""
    import torch

    if tensor.layout is torch.strided:
        return [tensor]
    if tensor.layout is torch.sparse_coo:
        return [tensor._indices(), tensor._values()]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
