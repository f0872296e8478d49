"""The schema of our own part of a payload: the one place that says what each of its fields must be. Pure, no torch.

A field that is known must be what is written here, whoever reads it; one that is not known belongs to a newer version
and is let pass. Tensors may be tensors, or the stubs of a payload that was read without them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Shape = Callable[[Any, str], Iterator[str]]
"""What a value must be: yields ``path: what is there, not what must be`` for whatever is something else."""

NEEDED = frozenset(
    {"config", "data", "environment", "extras", "grads", "in_epoch", "metrics", "optimizer_parameters", "order"}
    | {"parent", "partial", "passes", "replays", "seed", "state", "stop_requested", "streams"}
    | {"run_id", "branch", "reason", "batch", "step"}
)
"""Without these no run can be gone on with."""

_LONGEST = 60
_STATE = "_state_dict"


def wrong(own: Mapping[str, Any]) -> Iterator[str]:
    """What is not as it must be among the fields that are there."""
    for name, value in own.items():
        if name in _FIELDS:
            yield from _FIELDS[name](value, name)


def contradictions(own: Mapping[str, Any], payload: Mapping[str, Any]) -> Iterator[str]:
    """Where fields, each of them as it must be, don't fit one another or the rest of the ``payload``.

    ``own`` has all that is needed, and nothing ``wrong``.
    """
    yield from _of_position(own)
    yield from _of_names(own, payload)
    yield from _of_optimizers(own, payload)
    for metric in own["metrics"]:
        history = None if metric.endswith(_STATE) else payload.get(metric)
        if not isinstance(history, list) or not all(type(value) in (int, float) for value in history):
            yield f"metrics: {_said(metric)} has no history"


def _of_position(own: Mapping[str, Any]) -> Iterator[str]:
    lead, opened = own["passes"]["lead"], own["passes"]["opened"]
    if lead is not None and lead >= len(opened):
        yield f"passes.lead: {lead}, not one of {len(opened)}"
    elif own["in_epoch"] and lead is not None and opened[lead]["given"] != own["batch"]:
        yield f"batch: {own['batch']}, not {opened[lead]['given']} as in passes"
    if not own["in_epoch"] and own["batch"]:
        yield f"batch: {own['batch']}, not 0 between epochs"
    if own["step"] < own["batch"]:
        yield f"step: {own['step']}, not {own['batch']} or more"
    ranks = own.get("ranks")
    if ranks is not None and len(ranks["parts"]) != ranks["size"] - 1:
        yield f"ranks.parts: {len(ranks['parts'])}, not {ranks['size'] - 1}"
    if own["in_epoch"] and own["streams"]["epoch_start"] is None:
        yield "streams.epoch_start: None, not dict"


def _of_names(own: Mapping[str, Any], payload: Mapping[str, Any]) -> Iterator[str]:
    """The names of what is tracked stand in several places."""
    states = {key.removesuffix(_STATE) for key, value in payload.items() if key.endswith(_STATE) and value is not None}
    extras, start = own["extras"], own["streams"]["epoch_start"] or {}
    modules, optimizers = extras["modules"].keys(), extras["optimizers"].keys()
    places = {
        "extras.modules": modules,
        "extras.optimizers": optimizers,
        "extras.functions": extras["functions"].keys(),
        "optimizer_parameters": own["optimizer_parameters"].keys(),
        "streams.epoch_start.generators": start.get("generators", {}).keys(),
    }
    for place, names in places.items():
        for name in sorted(set(names) - states):
            yield f"{place}: {_said(name)} has no state"
    for field in ("late_buffers", "reshaped_buffers"):
        for name in sorted(extras.get(field, {}).keys() - modules):
            yield f"extras.{field}: {_said(name)} is no module"
    if optimizers != own["optimizer_parameters"].keys():
        yield "optimizer_parameters: other optimizers than in extras"
    of_tensors = {path.partition(".")[0] for path in own.get("architecture", ())}
    for name in sorted(of_tensors - modules):
        yield f"extras.modules: {_said(name)} is missing"
    if "tracked" in own:
        for name in sorted(states - set(own["tracked"])):
            yield f"tracked: {_said(name)} is missing"
    for name in sorted(set(start.get("generators", {})) & (modules | optimizers)):
        yield f"streams.epoch_start.generators: {_said(name)} is no generator"


def _of_optimizers(own: Mapping[str, Any], payload: Mapping[str, Any]) -> Iterator[str]:
    for name, groups in own["optimizer_parameters"].items():
        state = payload.get(name + _STATE)
        saved = state.get("param_groups") if isinstance(state, dict) else None
        sizes = [_size(group.get("params")) if isinstance(group, dict) else None for group in saved or ()]
        if sizes != [len(names) for names in groups]:
            yield f"optimizer_parameters.{_said(name)}: other groups than in its state"
        late = own["extras"].get("late_groups", {}).get(name, 0)
        if late > len(groups):
            yield f"extras.late_groups.{_said(name)}: {late}, not {len(groups)} or less"
        if not set(own["extras"]["optimizers"].get(name, ())) <= {one for names in groups for one in names}:
            yield f"extras.optimizers.{_said(name)}: parameters that it does not have"


def _size(value: object) -> int | None:
    return len(value) if isinstance(value, list) else None


def _form(tensor: Any) -> list[object]:
    """Shape and dtype, as ``architecture`` spells them."""
    return [list(tensor.shape), str(tensor.dtype).removeprefix("torch.")]


def _said(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _mismatch(value: object, path: str, expected: str) -> Iterator[str]:
    shown = f" {_said(value)}" if isinstance(value, bool | int | float | str) else ""
    yield f"{path}: {type(value).__name__}{shown}, not {expected}"


def _leaf(fits: Callable[[Any], bool], expected: str) -> Shape:
    def check(value: Any, path: str) -> Iterator[str]:
        if not fits(value):
            yield from _mismatch(value, path, expected)

    return check


def _or_none(shape: Shape) -> Shape:
    return lambda value, path: iter(()) if value is None else shape(value, path)


def _list_of(shape: Shape) -> Shape:
    def check(value: Any, path: str) -> Iterator[str]:
        if type(value) is not list:
            yield from _mismatch(value, path, "list")
            return
        for place, child in enumerate(value):
            yield from shape(child, f"{path}[{place}]")

    return check


def _pair_of(*shapes: Shape) -> Shape:
    def check(value: Any, path: str) -> Iterator[str]:
        if type(value) not in (list, tuple) or len(value) != len(shapes):
            yield from _mismatch(value, path, f"{len(shapes)} values")
            return
        for place, (shape, child) in enumerate(zip(shapes, value, strict=True)):
            yield from shape(child, f"{path}[{place}]")

    return check


def _dict_of(shape: Shape) -> Shape:
    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield from _mismatch(value, path, "dict")
            return
        for key, child in value.items():
            if type(key) is not str:
                yield from _mismatch(key, f"{path} key", "str")
            yield from shape(child, f"{path}.{_said(key)}")

    return check


def _record(needed: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """A dict with these keys; others are a newer version's."""

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield from _mismatch(value, path, "dict")
            return
        for key, shape in {**needed, **(optional or {})}.items():
            if key in value:
                yield from shape(value[key], f"{path}.{key}")
            elif key in needed:
                yield f"{path}.{key}: missing"

    return check


def _is_tensor(value: object) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _is_whole(value: object) -> bool:
    return type(value) is int


_ANY = _leaf(lambda value: True, "")
_TEXT = _leaf(lambda value: type(value) is str, "str")
_NAME = _leaf(lambda value: type(value) is str and value != "", "str")
_FLAG = _leaf(lambda value: type(value) is bool, "bool")
_NUMBER = _leaf(lambda value: type(value) in (int, float), "number")
_COUNT = _leaf(lambda value: _is_whole(value) and 0 <= value < 2**63, "int from 0")
_DIGEST = _leaf(lambda value: _is_whole(value) and 0 <= value < 2**64, "int of 64 bits")
_SEED = _leaf(lambda value: _is_whole(value) and -(2**63) <= value < 2**64, "int of 64 bits")
_KEY = _leaf(lambda value: type(value) in (str, int, bool, float, type(None)), "key")
_TENSOR = _leaf(_is_tensor, "tensor")
_TEXTS = _list_of(_TEXT)
_MAPPING = _dict_of(_ANY)

_PYTHON = _record(
    {
        "version": _COUNT,
        "words": _leaf(lambda value: _is_tensor(value) and _form(value) == [[625], "int64"], "int64[625]"),
        "cached_normal": _or_none(_NUMBER),
    }
)
_NUMPY = _record({"bit_generator": _NAME, "state": _MAPPING}, {"has_gauss": _COUNT, "gauss": _NUMBER})
_STREAM = _leaf(lambda value: _is_tensor(value) and _form(value)[1] == "uint8", "uint8 tensor")
_STREAMS: dict[str, Shape] = {"python": _PYTHON, "numpy": _NUMPY, "torch": _STREAM}
_MORE_STREAMS: dict[str, Shape] = {"cuda": _list_of(_STREAM), "device": _STREAM}
_INDICES = _leaf(lambda value: _is_tensor(value) and _form(value)[1] == "int64", "int64 tensor")
_AHEAD = _record({}, {"indices": _INDICES, "sizes": _INDICES, "batches": _list_of(_ANY)})
_OPENED = _record(
    {
        "facts": _record(
            {"promise": _TEXT},
            {"length": _or_none(_COUNT), "workers": _or_none(_COUNT), "samples": _or_none(_COUNT), "sampler": _TEXT},
        ),
        "given": _COUNT,
        "exhausted": _FLAG,
    },
    {"order": _or_none(_DIGEST), "ahead": _AHEAD},
)
_PARENT = _record({"run_id": _or_none(_TEXT), "branch": _COUNT, "epoch": _COUNT, "batch": _COUNT}, {"step": _COUNT})
_EXTRAS = _record(
    {
        "modules": _dict_of(_record({"eval": _TEXTS, "frozen": _TEXTS, "buffers": _dict_of(_TENSOR)})),
        "optimizers": _dict_of(_dict_of(_TENSOR)),
        "functions": _dict_of(_dict_of(_TEXT)),
    },
    {
        "late_groups": _dict_of(_leaf(_is_whole, "int")),
        "classes": _dict_of(_TEXT),
        "late_buffers": _dict_of(_TEXTS),
        "reshaped_buffers": _dict_of(_dict_of(_pair_of(_list_of(_COUNT), _TEXT))),
    },
)

_FIELDS: dict[str, Shape] = {
    "format": _COUNT,
    "run_id": _NAME,
    "branch": _COUNT,
    "parent": _or_none(_PARENT),
    "reason": _NAME,
    "batch": _COUNT,
    "batches": _or_none(_COUNT),
    "step": _COUNT,
    "in_epoch": _FLAG,
    "passes": _record({"lead": _or_none(_COUNT), "opened": _list_of(_OPENED)}),
    "order": _DIGEST,
    "stop_requested": _or_none(_TEXT),
    "finished": _or_none(_TEXT),
    "planned_epochs": _or_none(_COUNT),
    "seed": _SEED,
    "tracked": _TEXTS,
    "metrics": _TEXTS,
    "best": _record(
        {"metric": _or_none(_TEXT), "mode": _leaf(lambda value: value in ("max", "min"), "max or min")},
        {"since": _COUNT},
    ),
    "partial": _record({"sums": _dict_of(_pair_of(_NUMBER, _NUMBER)), "recorded": _dict_of(_NUMBER)}),
    "state": _MAPPING,
    "locals": _MAPPING,
    "streams": _record(
        {
            "now": _record(_STREAMS, _MORE_STREAMS),
            "epoch_start": _or_none(
                _record({**_STREAMS, "generators": _MAPPING, "state": _MAPPING}, {**_MORE_STREAMS, "locals": _MAPPING})
            ),
        }
    ),
    "grads": _or_none(_dict_of(_TENSOR)),
    "extras": _EXTRAS,
    "optimizer_parameters": _dict_of(_list_of(_TEXTS)),
    "architecture": _dict_of(_pair_of(_list_of(_COUNT), _TEXT)),
    "config": _MAPPING,
    "environment": _dict_of(_TEXT),
    "data": _or_none(_record({"files": _list_of(_record({"name": _TEXT, "size": _COUNT, "digest": _TEXT}))})),
    "replays": _list_of(_record({"after": _COUNT, "steps": _COUNT, "difference": _or_none(_pair_of(_COUNT, _ANY))})),
    "library_version": _TEXT,
    "attributes": _MAPPING,
    "variables": _dict_of(_TEXT),
    "built": _or_none(_MAPPING),
    "changes": _list_of(_record({"step": _COUNT, "setting": _TEXT})),
    "request": _or_none(_record({"path": _TEXT, "digest": _TEXT, "step": _COUNT})),
    "loading": _leaf(lambda value: _is_whole(value) and 1 <= value <= 3, "1, 2 or 3"),
    "processes": _leaf(lambda value: _is_whole(value) and 1 <= value < 2**31, "int from 1"),
    "ranks": _record(
        {
            "size": _leaf(lambda value: _is_whole(value) and 1 < value < 2**31, "int from 2"),
            "parts": _list_of(_list_of(_record({"path": _list_of(_KEY), "value": _ANY}))),
            "arrivals": _dict_of(_record({"order": _TEXTS, "sends": _FLAG})),
        }
    ),
    "next_batch": _or_none(_record({"order": _DIGEST, "content": _DIGEST})),
    "epoch_before": _or_none(
        _record({"batches": _COUNT, "alike": _COUNT, "cut": _FLAG, "steady": _FLAG, "resumed": _FLAG})
    ),
}
