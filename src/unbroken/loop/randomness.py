"""The global random streams (named in ``schema``, ``trial``, ``journal``, ``witness``, ``proof``, messages too).

Set by position, put aside while loading, captured, restored. The audit goes by ``GLOBAL_STREAMS`` alone."""

import hashlib
import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch

# Public in NumPy's documentation, but not re-exported in the type stubs of its package.
from numpy.random.mtrand import get_bit_generator, set_bit_generator

from unbroken import messages
from unbroken.errors import CheckpointDamagedError, is_refusal, reason_of
from unbroken.state.spawning import seeds_in, without_children

_log = logging.getLogger("unbroken")

# Names the way a position becomes a seed; another way gets another name, and old checkpoints keep theirs.
KEY_VERSION = 1

_BIT_GENERATORS: dict[str, type[np.random.BitGenerator]] = {
    "MT19937": np.random.MT19937,
    "PCG64": np.random.PCG64,
    "PCG64DXSM": np.random.PCG64DXSM,
    "Philox": np.random.Philox,
    "SFC64": np.random.SFC64,
}


class Position(NamedTuple):
    """Where in the run something is drawn: the run's seed, epoch and loop counted from 1, batch from 0.

    ``slot`` is for one sample of the batch where randomness is keyed per sample; -1 is the whole batch.
    """

    seed: int
    epoch: int
    loop: int
    batch: int
    slot: int = -1


GLOBAL_STREAMS = ("python", "numpy", "torch", "cuda")

# The position of what is drawn once per pass over a loader: the sample order.
SAMPLER_BATCH = -1


class _Seeds(NamedTuple):
    python: int
    torch: int
    numpy_key: bytes

    @property
    def numpy(self) -> "np.ndarray[Any, np.dtype[np.uint32]]":
        return np.frombuffer(self.numpy_key, dtype="<u4")


def seeds_at(position: Position, purpose: str = "") -> _Seeds:
    """Three independent seeds for one position, by BLAKE2b (RFC 7693) of its fields and ``purpose``."""
    text = f"{KEY_VERSION}/{'/'.join(map(str, position))}/{purpose}"
    digest = hashlib.blake2b(text.encode(), digest_size=40, person=b"unbroken").digest()
    return _Seeds(
        python=int.from_bytes(digest[:16], "little"),
        torch=int.from_bytes(digest[16:24], "little") >> 1,
        numpy_key=digest[24:],
    )


def seed_streams(position: Position) -> None:
    """Set this process's python, numpy and torch CPU streams as a function of ``position`` alone."""
    seeds = seeds_at(position)
    random.seed(seeds.python)
    torch.default_generator.manual_seed(seeds.torch)
    if not isinstance(get_bit_generator(), np.random.MT19937):
        set_bit_generator(np.random.MT19937())
    np.random.seed(seeds.numpy)


def states_of_streams() -> list[object]:
    """Where this process's python, numpy and torch CPU streams stand."""
    return [random.getstate(), np.random.get_state(legacy=False), torch.default_generator.get_state()]


@dataclass(frozen=True)
class _CpuStreams:
    python: tuple[Any, ...]
    torch: torch.Tensor
    bit_generator: np.random.BitGenerator
    numpy_with_cached_normal: dict[str, Any] | None


class Aside:
    """Runs loading code on streams of its own while the training streams lie aside, untouched.

    NumPy's global generator is swapped, not copied. The swap drops the second normal deviate that the legacy
    generator keeps in hand, so where there is one the whole state is put back instead.
    """

    def __init__(self) -> None:
        self._spare: np.random.BitGenerator = np.random.MT19937()

    def running(self, resume_from: _CpuStreams | None = None) -> "_Running":
        """Within the block the streams are free to be seeded; ``resume_from`` continues earlier ones."""
        return _Running(self, resume_from)

    def capture(self) -> _CpuStreams:
        """The streams as they stand inside a ``running`` block, to be continued in a later one."""
        # The next block must not seed the generator kept here, so the spare is renewed.
        self._spare = np.random.MT19937()
        return self.put_aside()

    def put_aside(self) -> _CpuStreams:
        generator = get_bit_generator()
        state: Any = np.random.get_state(legacy=False)
        cached = state if state["has_gauss"] else None
        aside = _CpuStreams(random.getstate(), torch.default_generator.get_state(), generator, cached)
        set_bit_generator(self._spare)
        return aside


class _Running:
    """The block of ``Aside.running``: a class, because a generator costs a loop without workers twice as much."""

    def __init__(self, aside: Aside, resume_from: _CpuStreams | None) -> None:
        self._aside = aside
        self._resume_from = resume_from

    def __enter__(self) -> None:
        self._training = self._aside.put_aside()
        if self._resume_from is not None:
            try:
                _put_back(self._resume_from)
            except BaseException:
                _put_back(self._training)
                raise

    def __exit__(self, *_: object) -> None:
        _put_back(self._training)


def _put_back(aside: _CpuStreams) -> None:
    random.setstate(aside.python)
    torch.default_generator.set_state(aside.torch)
    set_bit_generator(aside.bit_generator)
    if aside.numpy_with_cached_normal is not None:
        np.random.set_state(aside.numpy_with_cached_normal)


def capture_streams(*, one_device: bool = False) -> dict[str, Any]:
    """All global random streams of this process: python, numpy, torch CPU and every initialised CUDA device.

    With ``one_device`` only the current one: of several processes each has its own.
    """
    version, words, cached_normal = random.getstate()
    streams: dict[str, Any] = {
        "python": {"version": version, "words": torch.tensor(words), "cached_normal": cached_normal},
        "numpy": np.random.get_state(legacy=False),
        "torch": torch.default_generator.get_state(),
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        if one_device:
            streams["device"] = torch.cuda.get_rng_state()
        else:
            streams["cuda"] = torch.cuda.get_rng_state_all()
    return streams


def fresh_streams(position: Position) -> dict[str, Any]:
    """Streams that begin at ``position``, as ``capture_streams`` gives them; this process's own stay where they are."""
    before = capture_streams(one_device=True)
    try:
        seed_streams(position)
        if "device" in before:
            torch.cuda.manual_seed(seeds_at(position).torch)
        return capture_streams(one_device=True)
    finally:
        restore_streams(before)


def restore_streams(streams: Mapping[str, Any]) -> None:
    """Put the global random streams where ``capture_streams`` found them. Raises CheckpointDamagedError."""
    with _damage_told():
        python, numpy = streams["python"], streams["numpy"]
        random.setstate((python["version"], tuple(python["words"].tolist()), python["cached_normal"]))
        if get_bit_generator().__class__.__name__ != numpy["bit_generator"]:
            set_bit_generator(_bit_generator(numpy["bit_generator"]))
        np.random.set_state(numpy)
        torch.default_generator.set_state(streams["torch"])
        _restore_accelerators(streams.get("cuda", ()))
        if "device" in streams and torch.cuda.is_available():
            torch.cuda.set_rng_state(streams["device"])


def _restore_accelerators(saved: Sequence[torch.Tensor]) -> None:
    """Each by its number, as many as there are on both sides."""
    here = torch.cuda.device_count() if saved and torch.cuda.is_available() else 0
    for device, state in enumerate(saved[:here]):
        torch.cuda.set_rng_state(state, device)
    if saved and len(saved) != here:
        _say_other_accelerators(len(saved), here)


@cache  # a resume inside an epoch restores twice
def _say_other_accelerators(saved: int, here: int) -> None:
    _log.warning(messages.text("other_accelerators", saved=saved, here=here))


def check_streams(streams: Mapping[str, Any]) -> None:
    """Raise CheckpointDamagedError unless ``restore_streams`` could set these; tried on generators of its own."""
    with _damage_told():
        python, numpy = streams["python"], streams["numpy"]
        random.Random().setstate((python["version"], tuple(python["words"].tolist()), python["cached_normal"]))
        kind = numpy["bit_generator"]
        if kind in _BIT_GENERATORS or kind != get_bit_generator().__class__.__name__:
            _check_places(numpy)
            np.random.RandomState(_bit_generator(kind)).set_state(numpy)
        torch.Generator().set_state(streams["torch"])


def check_generator(state: Mapping[str, Any]) -> None:
    """Raise CheckpointDamagedError unless this is the state of a generator of the program's own, of whatever kind."""
    with _damage_told():
        if state.get("bit_generator") in _BIT_GENERATORS:
            _check_places(state)
            _bit_generator(state["bit_generator"]).state = without_children(state)
            seeds_in(state)
        elif state.get("device") == "cpu":
            torch.Generator().set_state(state["state"])
        elif isinstance(state.get("state"), tuple):
            random.Random().setstate(state["state"])


def _bit_generator(name: str) -> np.random.BitGenerator:
    """A new one of NumPy's. Nobody else's is looked for: a program that uses one sets it itself, as it did before."""
    if name not in _BIT_GENERATORS:
        raise ValueError(f"bit_generator {name!r}")
    return _BIT_GENERATORS[name]()


def _check_places(numpy: Mapping[str, Any]) -> None:
    """NumPy reads at these places of its buffers without looking how long they are."""
    for place, most in ((numpy["state"].get("pos", 0), 624), (numpy.get("buffer_pos", 0), 4)):
        if type(place) is not int or not 0 <= place <= most:
            raise ValueError(f"place {place!r}")


@contextmanager
def _damage_told() -> Iterator[None]:
    """What a state that is none raises in here, wherever it is met, is a CheckpointDamagedError."""
    try:
        yield
    except (AttributeError, LookupError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        if is_refusal(error):
            raise
        raise CheckpointDamagedError("stream_damaged", detail=reason_of(error)) from error
