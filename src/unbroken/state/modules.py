"""Modules: their state under names that wrappers do not change, and what a state_dict leaves out of it."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from unbroken import messages
from unbroken.errors import ArchitectureChangedError
from unbroken.state.adapters import refusals_told
from unbroken.state.architecture import EXTRA_STATE, architecture_of, shape_of
from unbroken.state.attributes import Owner, parameters_with_attributes
from unbroken.state.encoding import decode, encode
from unbroken.state.expanded import spread
from unbroken.state.functions import fingerprint
from unbroken.state.plain import OF_MODULES
from unbroken.state.snapshot import equal_bits, own_copy
from unbroken.state.wrappers import RENAMINGS, bare_names, is_compiled, wrapped_child

_log = logging.getLogger("unbroken")

_MADE_FROM = ("_orig", "_g")

Form = tuple[list[object], torch.layout]
"""Shape and dtype, as ``architecture`` spells them, and how the elements lie."""


class ModuleState:
    """The whole state of one module.

    Names are those of the bare module: the parts that ``torch.compile``, ``DataParallel`` and
    ``DistributedDataParallel`` put into them (``_orig_mod.``, ``module.``) are left out, so a checkpoint of a
    compiled model fits the plain one and the other way round.
    """

    def __init__(self, name: str, module: nn.Module) -> None:
        self.name = name
        self.compiled = any(is_compiled(m) for m in module.modules())
        while (child := wrapped_child(module)) is not None:
            module = getattr(module, child)
        self._module = module
        self._built_buffers: dict[str, Form | None] | None = None
        self._built_forms: list[object] = []
        self._left_out: frozenset[str] = frozenset()

    def remember(self) -> None:
        """Remember which buffers were built, and of which shape; only the first call counts."""
        if self._built_buffers is None:
            self._built_buffers = {name: _form(buffer) for name, buffer in self._kept_buffers()}
            self._built_forms = self._forms()
            self._left_out = self._find_left_out()

    def late_buffers(self) -> list[str]:
        """The names of the buffers in its state that were registered in the course of training."""
        built = self._built()
        return [name for name, _ in self._changed_buffers() if name not in built]

    def reshaped_buffers(self) -> dict[str, list[object]]:
        """What shape and dtype the buffers were built with that have got others in the course of training."""
        built = self._built()
        changed = [
            (name, built.get(name)) for name, buffer in self._changed_buffers() if _form(buffer) != built.get(name)
        ]
        return {name: form[0] for name, form in changed if form is not None}

    def _built(self) -> Mapping[str, Form | None]:
        self.remember()
        assert self._built_buffers is not None
        return self._built_buffers

    def _changed_buffers(self) -> Iterator[tuple[str, torch.Tensor | None]]:
        """The buffers in its state, if any is not of the shape it was built with, or was not there."""
        # To find their names takes as long as all else.
        return iter(()) if self._forms() == self._built_forms else self._kept_buffers()

    def can_grow(self, extras: Mapping[str, Any]) -> list[str]:
        """The buffers that can be made as training made them: those not there, and those that are as they were built.

        ``extras`` are those of ``Tracked``, which hold ``late_buffers`` and ``reshaped_buffers``.
        """
        late = extras.get("late_buffers", {}).get(self.name, ())
        reshaped = extras.get("reshaped_buffers", {}).get(self.name)
        kept = self._kept_buffers() if reshaped else ()
        there = {name: shape_of(buffer) for name, buffer in kept if buffer is not None}
        as_built = [name for name, form in (reshaped or {}).items() if form == there.get(name)]
        return [*(name for name in late if self._home_of(name) is not None), *as_built]

    def grow(self, extras: Mapping[str, Any], values: Mapping[str, object]) -> None:
        """Register those that ``can_grow`` names, or give them the shape of their values; the contents come later."""
        for name in self.can_grow(extras):
            value, (module, key) = values.get(name), self._place(name)
            if isinstance(value, torch.Tensor) and module is not None:
                live = getattr(module, key, None)
                if _form(live) != _form(value):
                    device = _device_of(self._module) if live is None else live.device
                    module.register_buffer(key, torch.empty_like(value, device=device))

    def owners(self, also: Container[str] = ()) -> Iterator[Owner]:
        """The modules and parameters whose attributes are to be looked at, and the parameters in ``also``."""
        bare = self._bare_names()
        for path, module in self._module.named_modules():
            full = f"{self.name}.{bare(path)}" if path else self.name
            # Of pruning and of norms of weights: made anew from these before each forward.
            derived = {key[: -len(end)] for key in module._parameters for end in _MADE_FROM if key.endswith(end)}
            yield Owner(full, vars(module), OF_MODULES | derived if derived else OF_MODULES, type(module))
            yield from parameters_with_attributes(full, module, also)
            if self._left_out:
                for kind, tensors in (("parameters", module._parameters), ("buffers", module._buffers)):
                    kept = frozenset(key for key in tensors if f"{full}.{key}" not in self._left_out)
                    yield Owner(f"{full}.{kind}()", tensors, kept)

    def names(self) -> Iterator[str]:
        """The full names of the module and of all those in it."""
        bare = self._bare_names()
        for path, _ in self._module.named_modules():
            yield f"{self.name}.{bare(path)}" if path else self.name

    def known(self) -> Iterator[tuple[str, object]]:
        """Modules and buffers by their full names."""
        yield from zip(self.names(), self._module.modules(), strict=True)
        bare = self._bare_names()
        for key, buffer in self._module.named_buffers():
            yield f"{self.name}.{bare(key)}", buffer

    def state(self) -> "OrderedDict[str, object]":
        """``state_dict()`` with bare names; the tensors are the live ones."""
        raw = self._module.state_dict()
        bare = self._bare_names()
        state = OrderedDict((bare(key), value) for key, value in raw.items())
        metadata = getattr(raw, "_metadata", None)
        if metadata is not None:
            state._metadata = OrderedDict(  # type: ignore[attr-defined]
                (bare(path), value) for path, value in metadata.items()
            )
        return state

    def extras(self) -> dict[str, object]:
        """What the state_dict leaves out: modes, frozen parameters and the buffers that are not persistent."""
        bare = self._bare_names()
        return {
            "eval": [bare(path) for path, module in self._module.named_modules() if not module.training],
            "frozen": [bare(path) for path, p in self._module.named_parameters() if not p.requires_grad],
            "buffers": {
                bare(path): module._buffers[key]
                for path, module, key in self._hidden_buffers()
                if module._buffers[key] is not None
            },
        }

    def architecture(self) -> dict[str, list[object]]:
        """``{"model.fc.weight": [[2, 3], "float32"], …}`` of every tensor in the state."""
        return architecture_of(self.name, self.state())

    def empty_buffers(self) -> list[str]:
        """Full names of buffers registered as None: saved as a tensor, they came to life in training."""
        return [f"{self.name}.{path}" for path, _, _ in self._empty_buffers()]

    def buffers(self) -> Iterator[tuple[str, torch.Tensor | None]]:
        """The buffers in its state by each full name: in training they may get other shapes, or come to life."""
        return ((f"{self.name}.{path}", buffer) for path, buffer in self._kept_buffers())

    def functions(self) -> dict[str, str]:
        """Fingerprints of an ``AveragedModel``'s averaging functions, which its state_dict leaves out."""
        if not isinstance(self._module, AveragedModel):
            return {}
        held = {"avg_fn": self._module.avg_fn, "multi_avg_fn": self._module.multi_avg_fn}
        return {name: fingerprint(function) for name, function in held.items() if function is not None}

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every parameter under each of its full names (tied ones have several)."""
        bare = self._bare_names()
        for key, parameter in self._module.named_parameters(remove_duplicate=False):
            yield f"{self.name}.{bare(key)}", parameter

    def fit(self, saved: Mapping[str, object]) -> dict[str, object]:
        """``saved`` under this module's bare names, decoded. A plain script may have saved a wrapped module."""
        live = self.state().keys()
        candidates = [{strip(key): value for key, value in saved.items()} for strip in RENAMINGS]
        best = max(candidates, key=lambda renamed: len(renamed.keys() & live))  # the first of equals
        return {key: decode(value, f"{self.name}.{key}") for key, value in best.items()}

    def restore(self, wanted: Mapping[str, object], metadata: Mapping[str, Any] | None) -> None:
        """Load ``wanted`` (as ``fit`` gave it) in place, and make sure that every bit of it arrived."""
        for path, module, key in list(self._empty_buffers()):
            value = wanted.get(path)
            if isinstance(value, torch.Tensor):
                module._buffers[key] = torch.empty_like(value, device=_device_of(self._module))
        names = self._bare_names()
        live_names = {names(key): key for key in self._module.state_dict()}
        # Torch copies tensors into the live ones, but a module keeps the very extra state that it is given.
        copied: OrderedDict[str, Any] = OrderedDict(
            (key, own_copy(value, f"{self.name}.{key}") if key.endswith(EXTRA_STATE) else value)
            for key, value in wanted.items()
        )
        state: OrderedDict[str, Any] = OrderedDict((live_names.get(k, k), value) for k, value in copied.items())
        if metadata is not None:
            state._metadata = {  # type: ignore[attr-defined]
                path: dict(metadata.get(names(path), {}))
                for path, _ in self._module.named_modules(remove_duplicate=False)
            }
        with spread((*self._module.parameters(), *self._module.buffers())):
            with refusals_told(self.name):
                self._module.load_state_dict(state)
            self._put_back(wanted)

    def restore_extras(self, extras: Mapping[str, Any]) -> None:
        """Put modes, frozen parameters and hidden buffers back as they were."""
        bare = self._bare_names()
        evaluating = set(extras["eval"])
        for path, module in self._module.named_modules():
            # Not module.train(): some override it with work of their own (merging LoRA weights).
            module.training = bare(path) not in evaluating
        frozen = set(extras["frozen"])
        changed = []
        for path, parameter in self._module.named_parameters():
            if parameter.requires_grad == (bare(path) in frozen):
                parameter.requires_grad_(not parameter.requires_grad)
                changed.append(f"{self.name}.{bare(path)}")
        if changed:
            _log.info(messages.text("state_frozen_restored", count=len(changed), names=_some(changed)))
        saved = extras["buffers"]
        there = {bare(path): (module, key) for path, module, key in self._hidden_buffers()}
        for path, value in saved.items():
            # A forward may register one when it first needs it.
            home = there.get(path) or self._home_of(path)
            if home is None:
                raise ArchitectureChangedError("state_buffer_homeless", path=f"{self.name}.{path}")
            if path not in there:
                home[0].register_buffer(home[1], None, persistent=False)
            _set_buffer(*home, value, _device_of(self._module))

    def _put_back(self, wanted: Mapping[str, object]) -> None:
        """Copy in what ``load_state_dict`` changed on its way (hooks that cast or recompute)."""
        root = self.name
        saved = encode(dict(wanted), root)
        if equal_bits(saved, encode(dict(self.state()), root), root) is None:
            return
        live = self.state()
        for key, value in wanted.items():
            target = live.get(key)
            if not isinstance(value, torch.Tensor) or not isinstance(target, torch.Tensor):
                continue
            if value.shape == target.shape and equal_bits(value, target) is not None:
                with torch.no_grad():
                    target.copy_(value)
        found = equal_bits(saved, encode(dict(self.state()), root), root)
        if found is not None:
            raise ArchitectureChangedError("state_not_restored", path=found)

    def take(self, state: Mapping[str, object]) -> None:
        """Load a state that ``state`` gave, as ``restore`` does with a saved one."""
        self.restore(self.fit(state), getattr(state, "_metadata", None))

    def left_out(self) -> frozenset[str]:
        """The full names of parameters and buffers that its own ``state_dict`` leaves out: attributes like others."""
        self.remember()
        return self._left_out

    def _find_left_out(self) -> frozenset[str]:
        bare, state = self._bare_names(), self.state()
        parameters = [key for key, _ in self._module.named_parameters(remove_duplicate=False)]
        declared = [*map(bare, parameters), *dict(self._kept_buffers())]
        return frozenset(f"{self.name}.{name}" for name in declared if name not in state)

    def _forms(self) -> list[object]:
        return [
            None if value is None else (value.shape, value.dtype, value.layout)
            for module in self._module.modules()
            for key, value in module._buffers.items()
            if key not in module._non_persistent_buffers_set
        ]

    def _kept_buffers(self) -> Iterator[tuple[str, torch.Tensor | None]]:
        """Every buffer in the state by its name; some are None."""
        bare = self._bare_names()
        for path, module in self._module.named_modules():
            for key, value in module._buffers.items():
                if key not in module._non_persistent_buffers_set:
                    yield bare(f"{path}.{key}" if path else key), value

    def _home_of(self, name: str) -> tuple[nn.Module, str] | None:
        """The module that may register a buffer of this bare name, and the name in it; None where it is taken."""
        module, key = self._place(name)
        return None if module is None or hasattr(module, key) else (module, key)

    def _place(self, name: str) -> tuple[nn.Module | None, str]:
        path, _, key = name.rpartition(".")
        bare = self._bare_names()
        homes = [module for found, module in self._module.named_modules() if bare(found) == path]
        return (homes[-1] if homes else None), key  # the last is the bare one inside its wrappers

    def _hidden_buffers(self) -> Iterator[tuple[str, nn.Module, str]]:
        for path, module in self._module.named_modules():
            for key in sorted(module._non_persistent_buffers_set):
                if key in module._buffers:
                    yield (f"{path}.{key}" if path else key), module, key

    def _empty_buffers(self) -> Iterator[tuple[str, nn.Module, str]]:
        bare = self._bare_names()
        for path, module in self._module.named_modules():
            for key, value in module._buffers.items():
                if value is None and key not in module._non_persistent_buffers_set:
                    yield bare(f"{path}.{key}" if path else key), module, key

    def _bare_names(self) -> Callable[[str], str]:
        return bare_names(self._module)


def _form(tensor: torch.Tensor | None) -> Form | None:
    return None if tensor is None else (shape_of(tensor), tensor.layout)


def _set_buffer(module: nn.Module, key: str, value: torch.Tensor, device: torch.device) -> None:
    live = module._buffers[key]
    if live is not None and equal_bits(live, value) is None:
        return
    if live is not None and live.shape == value.shape and live.dtype == value.dtype and live.is_contiguous():
        with torch.no_grad():
            live.copy_(value)
    else:
        module._buffers[key] = value.to(device if live is None else live.device, copy=True)


def _device_of(module: nn.Module) -> torch.device:
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")


def _some(names: list[str], limit: int = 5) -> str:
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")
