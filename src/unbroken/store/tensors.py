"""The tensors of a payload: what each one's bytes digest to, and how much they weigh."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from unbroken.disk.digest import bytes_digest
from unbroken.store.payload import Payload

if TYPE_CHECKING:
    import torch


def tensor_digests(payload: Payload) -> dict[str, str]:
    """The digest of every tensor by its path: of its dtype, shape and bytes, however it lies in memory."""
    import torch

    digests = {path: tensor_digest(value) for path, value in _leaves(payload) if isinstance(value, torch.Tensor)}
    return dict(sorted(digests.items()))


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
    """The digest of one tensor in the CPU's memory: of its dtype, shape and bytes, however it lies there."""
    import torch

    head = f"{tensor.dtype}{tuple(tensor.shape)}".encode()
    plain = [
        part.resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8).numpy().data
        for part in _parts(tensor.detach())
    ]
    return bytes_digest(head, *plain)


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
