"""Packing: a value made ready to travel from one rank to another, its tensors as they are."""

import io
import pickle
from typing import Any

import torch

_ALONE = 1 << 20  # bytes of a tensor from which on it travels by itself; smaller ones travel together

_LENGTH = 8  # bytes

Head = tuple[bytes, list[tuple[torch.dtype, tuple[int, ...]]]]


class Packed:
    """A value made ready to travel: pickled but for its tensors, which go as they are.

    ``expected`` is the same on the side that receives: room for the tensors, that ``parts`` are received into.
    """

    def __init__(self, head: Head, tensors: list[torch.Tensor]) -> None:
        self.head = head
        self._tensors = tensors
        self._small = [tensor for tensor in tensors if tensor.nbytes < _ALONE]
        self._together = torch.empty(sum(tensor.nbytes for tensor in self._small), dtype=torch.uint8)

    @classmethod
    def of(cls, value: Any) -> "Packed":
        tensors: list[torch.Tensor] = []
        written = io.BytesIO()
        _Pickler(written, tensors).dump(value)
        packed = cls((written.getvalue(), [(one.dtype, tuple(one.shape)) for one in tensors]), tensors)
        if packed._small:
            torch.cat([_bytes_of(one) for one in packed._small], out=packed._together)
        return packed

    @classmethod
    def expected(cls, head: Head) -> "Packed":
        return cls(head, [torch.empty(shape, dtype=dtype) for dtype, shape in head[1]])

    def parts(self) -> list[torch.Tensor]:
        """What travels behind the head, in this order."""
        together = [self._together] if self._small else []
        return together + [_bytes_of(one) for one in self._tensors if one.nbytes >= _ALONE]

    def value(self) -> Any:
        """The value received."""
        offset = 0
        for one in self._small:
            _bytes_of(one).copy_(self._together[offset : offset + one.nbytes])
            offset += one.nbytes
        return _Unpickler(io.BytesIO(self.head[0]), self._tensors).load()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, tensors: list[torch.Tensor]) -> None:
        super().__init__(file)
        self._tensors = tensors

    def persistent_id(self, value: object) -> int | None:
        if not isinstance(value, torch.Tensor) or value.layout is not torch.strided:
            return None
        self._tensors.append(value.detach().cpu().contiguous().resolve_conj().resolve_neg())
        return len(self._tensors) - 1


class _Unpickler(pickle.Unpickler):
    """Of what another rank has sent."""

    def __init__(self, file: io.BytesIO, tensors: list[torch.Tensor]) -> None:
        super().__init__(file)
        self._tensors = tensors

    def persistent_load(self, number: int) -> torch.Tensor:
        return self._tensors[number]


def _bytes_of(tensor: torch.Tensor) -> torch.Tensor:
    flat = tensor.reshape(-1)
    return (torch.view_as_real(flat).reshape(-1) if flat.is_complex() else flat).view(torch.uint8)


def framed(text: bytes, room: int, length: int) -> torch.Tensor:
    """``text`` in a tensor that has ``room`` bytes for it, behind ``length``, a number of 64 bits."""
    frame = torch.zeros(_LENGTH + room, dtype=torch.uint8)
    written = bytearray(length.to_bytes(_LENGTH, "little", signed=True) + text)
    frame[: len(written)] = torch.frombuffer(written, dtype=torch.uint8)
    return frame


def unframed(frame: torch.Tensor) -> tuple[int, bytes]:
    """The length, and of the text so many bytes, or as many as there was room for."""
    received = frame.numpy().tobytes()
    length = int.from_bytes(received[:_LENGTH], "little", signed=True)
    return length, received[_LENGTH : _LENGTH + max(length, 0)]
