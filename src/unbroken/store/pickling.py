"""The pickle of a torch file: the payload, its tensors as references to storages that stand beside it."""

import io
import pickle
from typing import TYPE_CHECKING, Any

from unbroken.errors import UnsavableStateError

if TYPE_CHECKING:
    import torch


def pickled(payload: dict[str, Any]) -> "tuple[bytes, list[torch.UntypedStorage]]":
    """The pickle, and the storages it refers to by their place in the list. Tensors that share one come back sharing.

    Raises UnsavableStateError if one storage is seen as two dtypes: no reader of torch's can give that back.
    """
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(payload)
    return buffer.getvalue(), list(pickler.storages.values())


def bytes_of(storage: "torch.UntypedStorage") -> memoryview:
    """The bytes of a storage, where they lie; for one on another device, of a copy."""
    import torch

    if storage.device.type != "cpu":
        storage = storage.cpu()  # type: ignore[no-untyped-call]
    return torch.empty(0, dtype=torch.uint8).set_(storage).numpy().data


class _Pickler(pickle.Pickler):
    """Refers to storages as ``torch.save`` does."""

    def __init__(self, file: io.BytesIO) -> None:
        import torch

        super().__init__(file, protocol=2)
        self.storages: dict[int, torch.UntypedStorage] = {}
        self._keys: dict[int, str] = {}
        self._dtypes: dict[int, torch.dtype] = {}
        self._untyped = torch.UntypedStorage
        self._typed = torch.storage.TypedStorage
        self._torch = torch

    def persistent_id(self, obj: Any) -> tuple[str, Any, str, str, int] | None:
        kind = type(obj)
        if kind is self._typed:
            storage, dtype = obj._untyped_storage, obj.dtype
            named, count = getattr(self._torch, obj._pickle_storage_type()), obj._size()
        elif kind is self._untyped:
            storage, dtype, named, count = obj, self._torch.uint8, kind, obj.nbytes()
        else:
            return None
        address = storage.data_ptr()
        if address and self._dtypes.setdefault(address, dtype) != dtype:
            raise UnsavableStateError("store_two_dtypes", old=self._dtypes[address], new=dtype)
        identity = storage._cdata
        key = self._keys.setdefault(identity, str(len(self._keys)))
        self.storages[identity] = storage  # kept: the identity of one that is gone may be given to another
        return "storage", named, key, self._torch.serialization.location_tag(storage), count
