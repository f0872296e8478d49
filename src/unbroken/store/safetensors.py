"""Safetensors: weights written in the format that other programs read without pickle.

Eight bytes, the length of a JSON header, little-endian; the header, padded with blanks to a multiple of eight; then the
bytes of every tensor, one after the other, no gap between them. See https://github.com/huggingface/safetensors.
"""

import json
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from unbroken.disk import durable
from unbroken.disk.durable import Written
from unbroken.errors import UsageError

if TYPE_CHECKING:
    import torch

_DTYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "uint32": "U32",
    "int32": "I32",
    "uint64": "U64",
    "int64": "I64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
    "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
}


def write(path: Path, tensors: Mapping[str, "torch.Tensor"], metadata: Mapping[str, str]) -> Written:
    """Write ``tensors`` durably to ``path``. A tensor under several names is written for each of them.

    Raises UsageError for a tensor that the format has no room for (sparse, quantised, of another dtype), and
    DiskError.
    """
    import torch

    entries: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    # The widest elements first, so that every tensor begins at a multiple of its element's size.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    for name, tensor in ordered:
        kind = _DTYPES.get(str(tensor.dtype).removeprefix("torch."))
        if kind is None or tensor.layout != torch.strided or name == "__metadata__":
            said = f"{str(tensor.dtype).removeprefix('torch.')}, {str(tensor.layout).removeprefix('torch.')}"
            raise UsageError("store_not_exportable", name=name, kind=said)
        start, end = end, end + tensor.numel() * tensor.element_size()
        entries[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [start, end]}
    header = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)

    def fill(file: BinaryIO) -> None:
        file.write(struct.pack("<Q", len(header)))
        file.write(header)
        for _, tensor in ordered:
            file.write(_little_endian(tensor))

    return durable.write_durably(path, fill)


def _little_endian(tensor: "torch.Tensor") -> memoryview:
    import torch

    raw = tensor.detach().cpu().contiguous().resolve_conj().resolve_neg().reshape(-1).view(torch.uint8)
    if sys.byteorder == "big":
        width = tensor.element_size() // (2 if tensor.is_complex() else 1)
        raw = raw.reshape(-1, width).flip(1).reshape(-1)
    return raw.numpy().data
