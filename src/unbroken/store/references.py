"""References: how a pickle refers to the storages of tensors, members of their own, and rebuilds tensors on them."""

import struct
from typing import TYPE_CHECKING, Any

from unbroken.errors import UnsavableStateError
from unbroken.store.opcodes import Opcodes, tuple_end, whole
from unbroken.store.stubs import ITEM_SIZES, STORAGES

if TYPE_CHECKING:
    import torch

_LONG = struct.Struct("<L").pack
_LEGACY = {name: path.replace(".", "\n") for path, name in STORAGES.items() if path.count(".") == 1}
_REBUILT = "torch._utils\n_rebuild_tensor_v2"
ORDERED = "collections\nOrderedDict"


class References:
    """The storages by their number, in the order in which the pickle comes to them."""

    def __init__(self, pickle: Opcodes) -> None:
        import torch

        self._torch = torch
        self._strided = torch.strided
        self._pickle = pickle
        self.storages: list[torch.UntypedStorage] = []
        self._keys: dict[int, str] = {}
        self._dtypes: dict[int, torch.dtype] = {}
        self._shapes: dict[tuple[Any, ...], tuple[bytes, bool]] = {}
        self._heads: dict[str, tuple[bytes, bytes, bytes]] = {}
        self._spelled = {getattr(torch, name): name for name in ITEM_SIZES}

    def spelled(self, tensor: "torch.Tensor") -> str | None:
        """The dtype's name; None for a tensor that no reader would give back as it is."""
        name = self._spelled.get(tensor.dtype)
        return None if tensor.is_nested or tensor.is_meta or tensor.__dict__ else name

    def is_plain(self, tensor: "torch.Tensor", name: str) -> bool:
        """Whether ``plain`` can write it: its elements lie in memory as they are, with nothing to be told beside."""
        return (
            tensor.layout is self._strided
            and tensor.is_cpu
            and not (tensor.requires_grad or tensor.is_neg() or tensor.is_conj())
            and name in _LEGACY
        )

    def plain(self, tensor: "torch.Tensor", name: str) -> int | None:
        """What its ``__reduce_ex__`` comes to, at a tenth of its cost; the number of the storage that it fills."""
        pickle, storage = self._pickle, tensor.untyped_storage()
        size, number = storage.nbytes(), len(self.storages)
        known, place = self._numbered(storage, tensor.dtype), pickle.next
        parts, offset = self._heads.get(name), tensor.storage_offset()
        shape, stride = self._sides(tensor.shape), self._sides(tensor.stride())
        new = 9 < number < len(self.storages)  # of one digit there is one text, which others may have written
        if parts is None or place < 256 or offset or not new or not shape[1]:
            pickle.write(pickle.named(_REBUILT) + b"((" + pickle.text("storage") + pickle.named(_LEGACY[name]))
            pickle.write(pickle.text(known))
            pickle.write(pickle.text("cpu") + whole(size // ITEM_SIZES[name]) + b"t" + pickle.put())
            pickle.write(b"Q" + whole(int(offset)))
            for sides, put in (shape, stride):
                pickle.write(sides + pickle.put() if put else sides)
            pickle.write(b"\x89" + pickle.named(ORDERED) + b")R" + pickle.put() + b"t" + pickle.put() + b"R")
            pickle.remember(tensor)
        if parts is None:  # all are known by now, and only referred to
            head = pickle.named(_REBUILT) + b"((" + pickle.text("storage") + pickle.named(_LEGACY[name])
            self._heads[name] = (head, pickle.text("cpu"), b"\x89" + pickle.named(ORDERED) + b")Rr")
        elif pickle.next == place:
            head, cpu, ordered = parts
            raw, long = known.encode(), _LONG
            pickle.write(
                head + b"X" + long(len(raw)) + raw + b"r" + long(place) + cpu + whole(size // ITEM_SIZES[name])
                + b"tr" + long(place + 1) + b"QK\0" + shape[0] + b"r" + long(place + 2)
                + stride[0] + b"r" + long(place + 3) + ordered + long(place + 4)
                + b"tr" + long(place + 5) + b"Rr" + long(place + 6)
            )  # fmt: skip
            pickle.memo[id(known)] = place
            pickle.memo[id(tensor)] = place + 6
            pickle.next = place + 7
        return int(known) if 0 < tensor.nbytes == size and tensor.is_contiguous() else None

    def _sides(self, sides: tuple[Any, ...]) -> tuple[bytes, bool]:
        """A shape or a stride, and whether it is remembered; most tensors share theirs with others."""
        found = self._shapes.get(sides)
        if found is None:
            numbers = b"".join([whole(int(side)) for side in sides])
            mark = b"(" if len(sides) > 3 else b""
            found = self._shapes[sides] = (mark + numbers + tuple_end(len(sides)), bool(sides))
        return found

    def _numbered(self, storage: "torch.UntypedStorage", dtype: "torch.dtype") -> str:
        key = self._keys.get(id(storage))
        address = storage.data_ptr()
        if address and self._dtypes.setdefault(address, dtype) != dtype:
            raise UnsavableStateError("store_two_dtypes", old=self._dtypes[address], new=dtype)
        if key is None:
            key = self._keys[id(storage)] = str(len(self.storages))
            self.storages.append(storage)
        return key

    def storage(self, storage: Any) -> None:
        """Refer to one that is an argument of a call, as ``torch.save`` does."""
        if type(storage) is self._torch.UntypedStorage:
            self._refer(storage, self._torch.uint8, "torch.storage\nUntypedStorage", storage.nbytes())
            return
        untyped, name = storage._untyped_storage, self._spelled[storage.dtype]
        self._refer(untyped, storage.dtype, _LEGACY[name], untyped.nbytes() // ITEM_SIZES[name])

    def _refer(self, storage: "torch.UntypedStorage", dtype: "torch.dtype", name: str, count: int) -> None:
        pickle, key = self._pickle, self._numbered(storage, dtype)
        pickle.write(b"(" + pickle.text("storage") + pickle.named(name))
        pickle.write(pickle.text(key))
        pickle.write(pickle.text(self._torch.serialization.location_tag(storage)))
        pickle.write(whole(count) + b"t" + pickle.put() + b"Q")

    def filled(self, tensor: "torch.Tensor") -> int | None:
        """The number of the storage whose bytes are the tensor's elements in C order, and nothing else."""
        if tensor.layout is not self._torch.strided or not tensor.is_cpu or not tensor.is_contiguous():
            return None
        storage = tensor.untyped_storage()
        all_of_it = 0 < tensor.nbytes == storage.nbytes() and not (tensor.is_conj() or tensor.is_neg())
        return int(self._keys[id(storage)]) if all_of_it and id(storage) in self._keys else None
