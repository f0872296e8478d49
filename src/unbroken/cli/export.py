"""``unbroken export``: the weights of a checkpoint as a safetensors file, for programs that read no pickle."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unbroken.cli.nothing import command, no_such_file
from unbroken.cli.output import print_json, say, working_on
from unbroken.disk.space import human, require_space
from unbroken.errors import UsageError
from unbroken.messages import text
from unbroken.store import payload as keys
from unbroken.store import safetensors
from unbroken.store.lineage import open_checkpoint

if TYPE_CHECKING:
    import torch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help=text("cli_help_file"))
    parser.add_argument(
        "-o", "--output", metavar="X.safetensors", type=Path, required=True, help=text("cli_help_output")
    )
    parser.add_argument("--state", metavar="NAME", default="model", help=text("cli_help_state"))


def run(arguments: argparse.Namespace) -> int:
    """Raises NothingToResumeError, CheckpointDamagedError, UsageError (nothing is overwritten), DiskError."""
    path, output = arguments.file, arguments.output
    if path.is_dir():
        raise UsageError("cli_not_a_file", path=path, next=command("list", path))
    if not path.exists():
        raise no_such_file(path)
    if os.path.lexists(output):
        raise UsageError("cli_export_exists", path=output)
    if not output.parent.is_dir():
        raise UsageError("cli_export_no_folder", path=output, folder=output.parent.absolute())
    with working_on(path):
        point = open_checkpoint(path)
    tensors, left_out = weights(point.payload, arguments.state, path)
    require_space(output.parent, sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()))
    progress = point.manifest.progress
    metadata = {"format": "pt", "epoch": str(progress.epoch), "step": str(progress.step), "source": path.name}
    with working_on(output):
        written = safetensors.write(output, tensors, metadata)
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
    tensors: dict[str, torch.Tensor] = {}
    left_out: list[str] = []

    def walk(value: object, prefix: str) -> None:
        if isinstance(value, torch.Tensor):
            tensors[prefix] = value
        elif isinstance(value, dict):
            for key, item in value.items():
                walk(item, f"{prefix}.{key}" if prefix else str(key))
        else:
            left_out.append(prefix)

    if isinstance(states.get(name), dict):
        walk(states[name], "")
    if not tensors:
        raise UsageError("cli_export_nothing", path=path, name=name, names=", ".join(states) or "-")
    return tensors, left_out
