"""The tensors of a payload: a tensor as a row of bytes, and what these digest to."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from unbroken.disk.digest import Buffer, Digest, small_digest
from unbroken.store.payload import Payload
from unbroken.store.pickling import Named
from unbroken.store.trees import leaves

if TYPE_CHECKING:
    import torch

SMALL = 64 << 10  # bytes: up to here a copy costs less than a view


def raw_bytes(tensor: "torch.Tensor") -> memoryview:
    """The elements of a dense tensor in C order as one row of bytes: where they lie if they lie so, else a copy."""
    import numpy as np
    import torch

    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    # Not reshape: of one element or none it keeps any stride, and then is no row of bytes. Nor ``numpy()``, behind
    # which the storage of a live tensor can't be resized any more.
    return np.from_dlpack(plain.as_strided((plain.numel(),), (1,)).view(torch.uint8)).data


def storage_bytes(storage: "torch.UntypedStorage") -> "bytes | memoryview":
    """The bytes of a storage, where they lie; of a small one, or one on another device, a copy of them."""
    import torch

    row = torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)
    if storage.nbytes() <= SMALL and row.is_cpu:
        return row.numpy().tobytes()  # what is written is a copy already, that nobody resizes
    return raw_bytes(row)


def tensor_digests(payload: Payload) -> dict[str, str]:
    """The digest of every tensor by its path: of its dtype, shape and bytes, however it lies in memory."""
    import torch

    found = leaves(payload, whole_curves=True)
    tensors = [Named(path, value, None) for path, value in found if isinstance(value, torch.Tensor)]
    return PassingDigests(tensors).finished()


class PassingDigests:
    """The digests of a payload's tensors, most of them got while the storages pass by on their way to a file.

    So the bytes of a tensor that fills its storage are looked at once; every other tensor is digested by itself.
    """

    def __init__(self, tensors: Sequence[Named]) -> None:
        self._tensors = tensors
        self._spelled: dict[object, str] = {}
        self._heads = ["" if one.fills is None else self._head(one.tensor) for one in tensors]
        self._of: dict[int, tuple[str, ...]] = {}
        self._digests: dict[tuple[int, str], str | Digest] = {}
        for one, head in zip(tensors, self._heads, strict=True):
            if one.fills is not None:
                others = self._of.get(one.fills, ())
                self._of[one.fills] = others if head in others else (*others, head)

    def _head(self, tensor: "torch.Tensor") -> str:
        kind = (tensor.dtype, tensor.shape)
        return self._spelled.get(kind) or self._spelled.setdefault(kind, _head(tensor))

    def whole(self, number: int, content: bytes) -> None:
        """Look at the whole of a small storage."""
        for head in self._of.get(number, ()):
            self._digests[number, head] = small_digest(head.encode() + content)

    def watchers(self, number: int) -> "list[Callable[[Buffer], object]]":
        """What has to be shown all bytes of a large storage, once, in order."""
        begun = {head: _begun(head) for head in self._of.get(number, ())}
        self._digests.update({(number, head): digest for head, digest in begun.items()})
        return [digest.update for digest in begun.values()]

    def finished(self) -> dict[str, str]:
        """The digest of every tensor by its path, in the order of the paths."""
        texts: dict[str, str] = {}
        known: dict[int, str] = {}
        for (path, tensor, fills), head in zip(self._tensors, self._heads, strict=True):
            if fills is not None:
                digest = self._digests[fills, head]
                texts[path] = digest.text if isinstance(digest, Digest) else digest
            elif id(tensor) in known:
                texts[path] = known[id(tensor)]
            else:
                texts[path] = known[id(tensor)] = tensor_digest(tensor)
        return {path: texts[path] for path in sorted(texts)}


def tensor_digest(tensor: "torch.Tensor") -> str:
    """The digest of one tensor: of its dtype, shape and bytes, however it lies there."""
    digest = _begun(_head(tensor))
    for part in _parts(tensor.detach()):
        digest.update(raw_bytes(part))
    return digest.text


def _head(tensor: "torch.Tensor") -> str:
    return f"{tensor.dtype}{tuple(tensor.shape)}"


def _begun(head: str) -> Digest:
    digest = Digest()
    digest.update(head.encode())
    return digest


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
