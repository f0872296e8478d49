"""Bits: any value as short texts that are equal exactly when the value is, bit for bit; for the trace."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
import xxhash

from unbroken.state.encoding import child_path
from unbroken.store.tensors import tensor_digest

_SHOWN = 60
_LONG = 64
_DEPTH = 12

Scalar = bool | int | float | complex | str | bytes | None | np.generic


def leaves(value: object, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every leaf below ``value`` by its path. What has no value of its own, such as a function, is only its type."""
    if isinstance(value, Mapping) and depth < _DEPTH:
        for key, child in value.items():
            yield from leaves(child, child_path(path, key), depth + 1)
    elif isinstance(value, list | tuple) and depth < _DEPTH:
        if len(value) > _LONG and is_flat(value):
            yield path, f"{len(value)} {of_text(repr(value))}"
            return
        for place, child in enumerate(value):
            yield from leaves(child, f"{path}[{place}]", depth + 1)
    else:
        yield path, of_leaf(value)


def of_leaf(value: object) -> str:
    """One value that is no mapping and no list: itself where it is short, else its digest."""
    if isinstance(value, torch.Tensor):
        return _of_tensor(value.detach())
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)} {of_bytes(np.ascontiguousarray(value).tobytes())}"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes | bytearray):
        return of_bytes(bytes(value))
    if isinstance(value, Scalar):
        text = repr(value)
        return text if len(text) <= _SHOWN else of_text(text)
    if isinstance(value, set | frozenset):
        return f"{len(value)} {of_text(repr(sorted(map(repr, value))))}"
    return type(value).__qualname__


def of_all(value: object) -> str:
    """One digest of everything below ``value``."""
    digest = xxhash.xxh3_64()
    for path, text in leaves(value, ""):
        digest.update(f"{path}={text}\n".encode())
    return digest.hexdigest()


def held(values: Any) -> str:
    """How many objects a container has, where these have a look of their own."""
    return f"{len(values)} × {type(values).__name__}"


def is_flat(values: Any) -> bool:
    """Whether all of them are single numbers or texts."""
    return all(isinstance(value, Scalar) for value in values)


def of_text(text: str) -> str:
    return xxhash.xxh3_64_hexdigest(text.encode())


def of_bytes(data: bytes) -> str:
    return xxhash.xxh3_64_hexdigest(data)


def _of_tensor(tensor: torch.Tensor) -> str:
    if tensor.is_meta:
        return "meta"
    if tensor.is_nested:
        return f"nested {of_all([*tensor.unbind()])}"
    tensor = tensor.cpu()
    if tensor.numel() == 1 and tensor.layout is torch.strided:
        return repr(tensor.item())
    return tensor_digest(tensor)[-16:]
