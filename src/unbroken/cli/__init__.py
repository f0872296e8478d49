"""The command ``unbroken``: one module per command, each torch-free unless it has to read tensors."""

from unbroken.cli.entry import main as main
