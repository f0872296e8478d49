"""``unbroken export``: the weights of a checkpoint as a safetensors file, for programs that read no pickle."""

import argparse
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unbroken.cli.nothing import existing_file
from unbroken.cli.output import print_json, say, working_on
from unbroken.disk import durable
from unbroken.disk.durable import Written
from unbroken.disk.space import human, require_space
from unbroken.errors import DiskError, UsageError, reason_of
from unbroken.messages import text
from unbroken.store import payload as keys
from unbroken.store.lineage import open_checkpoint
from unbroken.store.trees import leaves

if TYPE_CHECKING:
    import torch

_DTYPES = {
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "float8_e4m3fn", "float8_e5m2"),
}
"""What every version of the format has room for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help=text("cli_help_file"))
    parser.add_argument(
        "-o", "--output", metavar="X.safetensors", type=Path, required=True, help=text("cli_help_output")
    )
    parser.add_argument("--state", metavar="NAME", default="model", help=text("cli_help_state"))


def run(arguments: argparse.Namespace) -> int:
    """Raises NothingToResumeError, CheckpointDamagedError, UsageError (nothing is overwritten), DiskError."""
    path, output = existing_file(arguments.file), arguments.output
    if os.path.lexists(output):
        raise UsageError("cli_export_exists", path=output)
    if not output.parent.is_dir():
        raise UsageError("cli_export_no_folder", path=output, folder=output.parent.absolute())
    with working_on(path):
        point = open_checkpoint(path)
    tensors, left_out = weights(point.payload, arguments.state, path)
    progress = point.manifest.progress
    metadata = {"format": "pt", "epoch": str(progress.epoch), "step": str(progress.step), "source": path.name}
    with working_on(output):
        written = write(output, tensors, metadata)
    document = {"file": str(path), "output": str(output), "state": arguments.state, "tensors": len(tensors)}
    document |= {"size": written.size, "digest": written.digest, "left_out": left_out}
    if arguments.json:
        print_json(document)
    else:
        if left_out:
            say(text("cli_export_left_out", names=", ".join(left_out)))
        say(text("cli_exported", path=output, count=len(tensors), size=human(written.size), file=path))
    return 0


def weights(payload: dict[str, Any], name: str, path: Path) -> tuple[dict[str, "torch.Tensor"], list[str]]:
    """The tensors of the tracked state ``name`` by their path, and the paths of what else it holds.

    Raises UsageError if there is no such state, or no tensor in it.
    """
    import torch

    states = keys.states_of(payload)
    found = dict(leaves(states.get(name), (dict,)))
    tensors = {path: value for path, value in found.items() if isinstance(value, torch.Tensor)}
    if not (tensors and isinstance(states[name], dict)):
        raise UsageError("cli_export_nothing", path=path, name=name, names=", ".join(states) or "-")
    return tensors, [path for path in found if path not in tensors]


def write(output: Path, tensors: Mapping[str, "torch.Tensor"], metadata: dict[str, str]) -> Written:
    """Write ``tensors`` durably to ``output``. A tensor under several names is written for each of them.

    Raises UsageError for a tensor that the format has no room for (sparse, quantised, of another dtype), or without
    the library that writes it, and DiskError.
    """
    import torch

    try:
        from safetensors import SafetensorError
        from safetensors.torch import save_file
    except ImportError as error:
        raise UsageError("cli_export_needs") from error
    for name, tensor in tensors.items():
        dtype, layout = (str(kind).removeprefix("torch.") for kind in (tensor.dtype, tensor.layout))
        if dtype not in _DTYPES or layout != "strided" or name == "__metadata__":
            raise UsageError("cli_not_exportable", name=name, kind=f"{dtype}, {layout}")
    require_space(output.parent, 2 * sum(tensor.nbytes for tensor in tensors.values()))
    plain = {name: tensor.detach().resolve_conj().resolve_neg() for name, tensor in tensors.items()}
    apart = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in plain.items()}
    # The library replaces what is there, and syncs nothing.
    try:
        with tempfile.TemporaryDirectory(dir=output.parent) as place:
            save_file(apart, Path(place) / "weights", metadata)
            return durable.copy_durably(Path(place) / "weights", output)
    except (OSError, SafetensorError) as error:
        raise DiskError("disk_write_failed", path=output, reason=reason_of(error)) from error
