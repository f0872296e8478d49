"""Mapped: tensors that lie in a private map of a checkpoint's file, as ``torch.load(mmap=True)`` gives them.

They take memory once they are written to, and hold as long as nobody shortens the file in place.
"""

import mmap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, BinaryIO

from unbroken.store.container import Member
from unbroken.store.stubs import ITEM_SIZES, View

if TYPE_CHECKING:
    import torch


class Mapped:
    """The tensors of one open file, whose views are known to lie within their storages; each storage is one."""

    def __init__(self, file: BinaryIO, members: Mapping[str, Member]) -> None:
        import torch

        self._empty: Callable[..., torch.Tensor] = torch.empty
        self._placed: Callable[..., torch.Tensor] = torch.frombuffer
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self._members = members
        self._dtypes: dict[str, torch.dtype] = {name: getattr(torch, name) for name in ITEM_SIZES}
        self._storages: dict[str, torch.UntypedStorage] = {}

    def make(self, view: View) -> "torch.Tensor":
        key, size, name, offset, shape, stride = view
        dtype = self._dtypes[name]
        storage = self._storages.get(key)
        if storage is None:
            at, count = self._members[f"data/{key}"].offset, size // ITEM_SIZES[name]
            flat = self._empty(0, dtype=dtype)
            if count:
                flat = self._placed(self._map, dtype=dtype, count=count, offset=at)
            storage = self._storages[key] = flat.untyped_storage()
            if shape == (count,) and stride == (1,) and not offset:
                return flat
        return self._empty(0, dtype=dtype).set_(storage, offset, shape, stride)
