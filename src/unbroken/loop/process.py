"""Process: settings of the whole process that decide what a step computes, and that no object holds."""

import os

import torch

from unbroken.loop.looks import look

SET = "set "
"""How the names begin; behind it stands what a script writes to read the setting."""


def settings() -> dict[str, str]:
    """What they are now, as short texts. Variables of the environment are among them: a loop may read them."""
    autocast = torch.is_autocast_enabled("cpu")
    found: dict[str, object] = {
        "torch.get_default_dtype()": torch.get_default_dtype(),
        "torch.get_default_device()": torch.get_default_device(),
        "torch.is_autocast_enabled('cpu')": torch.get_autocast_dtype("cpu") if autocast else False,
        "torch.is_grad_enabled()": torch.is_grad_enabled(),
        "torch.are_deterministic_algorithms_enabled()": torch.are_deterministic_algorithms_enabled(),
        "torch.get_float32_matmul_precision()": torch.get_float32_matmul_precision(),
        "torch.get_num_threads()": torch.get_num_threads(),
        "torch.backends.mkldnn.enabled": torch.backends.mkldnn.enabled,
        "torch.set_flush_denormal()": not torch.full((), 1e-40, dtype=torch.float32, device="cpu").mul(1).item(),
    }
    texts = {f"{SET}{name}": str(value) for name, value in found.items()}
    return {**texts, **{f"{SET}os.environ[{name!r}]": look(value) for name, value in os.environ.items()}}
