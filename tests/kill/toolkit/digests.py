"""Digests: any state as a flat mapping from a name to the exact bits under it, and where two of them part."""

import hashlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

Digest = dict[str, str]

_SHOWN_ELEMENTS = 4


@dataclass(frozen=True)
class Difference:
    """One name whose bits differ; None where one side does not have it."""

    name: str
    got: str | None
    expected: str | None

    def __str__(self) -> str:
        return f"{self.name}: {self.got or 'missing'}, expected {self.expected or 'nothing'}"


def digest(value: object, name: str) -> Digest:
    """Every leaf of ``value`` by its path, e.g. ``optimizer.state.0.exp_avg``; NaN and -0.0 keep their bits.

    The order of a mapping's keys is no part of it, their types are: ``1`` and ``"1"`` are two keys.
    """
    return dict(_leaves(value, name))


def differences(got: Mapping[str, str], expected: Mapping[str, str]) -> list[Difference]:
    """Where the two part, in the order of ``expected``, then what only ``got`` has."""
    names = [*expected, *(name for name in got if name not in expected)]
    return [
        Difference(name, got.get(name), expected.get(name)) for name in names if got.get(name) != expected.get(name)
    ]


def checkpoint_digest(path: Path, *, leave_out: frozenset[str] = frozenset()) -> Digest:
    """The digest of all that a checkpoint file holds, opened as any script without this project opens it.

    ``leave_out`` names the paths that may differ between two equal runs, each with all that is below it.
    """
    payload = torch.load(path, weights_only=True, map_location="cpu")
    return {
        f"{path.name}/{name}": bits
        for name, bits in digest(payload, "").items()
        if not any(name == left or name.startswith((f"{left}.", f"{left}/")) for left in leave_out)
    }


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield path + "/kind", f"mapping of {len(value)}"
        for key, item in value.items():
            yield from _leaves(item, _below(path, key if isinstance(key, str) else f"<{key!r}>"))
    elif isinstance(value, list | tuple):
        yield path + "/kind", f"{type(value).__name__} of {len(value)}"
        for place, item in enumerate(value):
            yield from _leaves(item, _below(path, str(place)))
    elif isinstance(value, torch.Tensor):
        yield path, _tensor_bits(value)
    elif isinstance(value, np.ndarray):
        shape = "x".join(map(str, value.shape))
        yield path, f"ndarray {value.dtype} [{shape}] {_hash(np.ascontiguousarray(value).tobytes())}"
    elif isinstance(value, float):
        yield path, f"{value!r} ({struct.pack('>d', value).hex()})"
    else:
        yield path, f"{type(value).__name__} {value!r}"


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _tensor_bits(tensor: torch.Tensor) -> str:
    values = tensor.detach().cpu()
    kind = f"{values.dtype} [{'x'.join(map(str, values.shape))}]".removeprefix("torch.")
    if values.layout == torch.sparse_coo:
        # As it lies there: the order of its entries decides the last bits of what is computed from it.
        state = "coalesced" if values.is_coalesced() else "uncoalesced"
        return f"{kind} {state} {_tensor_bits(values._indices())} {_tensor_bits(values._values())}"
    raw = values.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    shown = f" {values.tolist()}" if values.numel() <= _SHOWN_ELEMENTS else ""
    return f"{kind} {_hash(raw)}{shown}"


def _hash(raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=8).hexdigest()
