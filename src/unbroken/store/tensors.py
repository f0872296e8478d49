"""The tensors of a payload: what each one's bytes digest to, and how much they weigh."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from unbroken.disk.digest import Buffer, Digest
from unbroken.store.payload import Payload

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


def tensor_digests(payload: Payload) -> dict[str, str]:
    """The digest of every tensor by its path: of its dtype, shape and bytes, however it lies in memory."""
    return PassingDigests(payload).finished()


class PassingDigests:
    """The digests of a payload's tensors, most of them got while the storages pass by on their way to a file.

    So the bytes of a tensor that fills its storage are looked at once; every other tensor is digested by itself.
    """

    def __init__(self, payload: Payload) -> None:
        import torch

        self._paths: list[tuple[str, torch.Tensor]] = []
        self._passing: dict[int, dict[str, Digest]] = {}
        self._passed: set[int] = set()
        for path, value in _leaves(payload):
            if isinstance(value, torch.Tensor):
                self._paths.append((path, value))
                if _fills_its_storage(value):
                    digests = self._passing.setdefault(value.untyped_storage()._cdata, {})
                    digests.setdefault(_head(value), _begun(value))

    def watchers(self, storage: "torch.UntypedStorage") -> "list[Callable[[Buffer], object]]":
        """What has to be shown all bytes of ``storage``, once, in order."""
        self._passed.add(storage._cdata)
        return [digest.update for digest in self._passing.get(storage._cdata, {}).values()]

    def finished(self) -> dict[str, str]:
        """The digest of every tensor by its path, in the order of the paths."""
        digests, known = {}, {}
        for path, tensor in sorted(self._paths, key=lambda entry: entry[0]):
            if id(tensor) not in known:
                storage = tensor.untyped_storage()._cdata if _fills_its_storage(tensor) else 0
                passed = storage in self._passed
                known[id(tensor)] = self._passing[storage][_head(tensor)].text if passed else tensor_digest(tensor)
            digests[path] = known[id(tensor)]
        return digests


def estimate(payload: Payload) -> int:
    """Bytes the file of ``payload`` will need, a little more rather than less."""
    import torch

    storages: dict[int, int] = {}
    rest = 64 << 10
    for path, value in _leaves(payload):
        rest += 64 + 2 * len(path)
        if isinstance(value, torch.Tensor):
            for part in _parts(value):
                storage = part.untyped_storage()
                storages[storage.data_ptr() or id(storage)] = storage.nbytes()
                rest += 512
        elif isinstance(value, str | bytes):
            rest += 4 * len(value)
    return sum(storages.values()) + rest


def _leaves(payload: Payload) -> Iterator[tuple[str, object]]:
    """Every value that is no container, with its path (``model_state_dict.fc.weight``, ``aucs[3]``)."""
    stack: list[tuple[str, object]] = [("", payload)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            stack.extend((f"{path}.{key}" if path else str(key), child) for key, child in value.items())
        elif isinstance(value, list | tuple):
            stack.extend((f"{path}[{index}]", child) for index, child in enumerate(value))
        else:
            yield path, value


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
