"""``python -m tests.faults.fields --mutations N --seed S``: single fields of our own key, changed in a sound file.

The file is whole, its checksums are right, and one field of ``unbroken`` says something else: it is resumed from all
the same, or refused by an error of the library, or passed over for the next good state. Nothing in it runs.
"""

import argparse
import contextlib
import copy
import enum
import logging
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import unbroken
from tests.run.loop import BrokenOffError
from unbroken.course.passes import EpochPasses
from unbroken.errors import CheckpointDamagedError, UnbrokenError
from unbroken.keep import restorable
from unbroken.keep.cursor import Cursor
from unbroken.keep.state import Parts, restore
from unbroken.loop.randomness import capture_streams, restore_streams
from unbroken.state import guards
from unbroken.state.encoding import decode
from unbroken.state.gradients import Gradients
from unbroken.state.history import History
from unbroken.state.local import Locals
from unbroken.state.origins import Mentions
from unbroken.state.settings import Settings
from unbroken.state.tracked import Tracked
from unbroken.state.user import UserState
from unbroken.store import lineage
from unbroken.store import payload as keys
from unbroken.store.folder import CheckpointFolder
from unbroken.store.runstate import from_payload

_FORBIDDEN = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "subprocess.Popen")
_FORBIDDEN += ("socket.connect", "ctypes.dlopen", "shutil.rmtree", "os.remove")
_LIBRARIES = ("torch", "encodings")  # load parts of their own when these are first used

# What takes a field's place. Among the names are some that run code where they are looked up and called.
_OTHERS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 5, 2**31, 2**63, 2**64, -(2**63), 2**200, 0.5, -0.0, float("inf"), float("nan"),
    "", "x", "test", "random", "MT19937", "PCG64", "Generator", "__class__", "../../x", "a\nb\x1b[2J", "已重放 999 步",
    1j, b"x", (), (1, 2), [], [1], ["test"], [[]], {}, {"x": 1}, {"__unbroken__": "ndarray"}, {"__unbroken__": "int"},
    {"__unbroken__": "enum", "class": ["numpy.random", "test"], "name": "x"},
    {"__unbroken__": "namedtuple", "class": ["os", "terminal_size"], "items": [1, 2]},
    {"__unbroken__": "set", "items": [[]]}, {"__unbroken__": 7}, {1: 2}, OrderedDict(a=1), torch.Size([1]),
)  # fmt: skip


class Colour(enum.Enum):
    RED = 1


class Point(NamedTuple):
    x: int


@dataclass
class Objects:
    """What a script would build, and the loop over it."""

    folder: Path
    run: unbroken.Run = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(1)
        data = self.folder.with_name("data.csv")
        data.parent.mkdir(parents=True, exist_ok=True)
        data.write_text("1\n")
        self.model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.2), nn.Linear(4, 1))
        self.model[0].bias.requires_grad_(False)
        self.loose = nn.Parameter(torch.ones(2))
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam([{"params": parameters}, {"params": [self.loose]}], lr=0.01)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: 0.9**step)
        self.dice, self.coins = np.random.default_rng(3), torch.Generator().manual_seed(4)
        self.run = unbroken.Run(self.folder, every_steps=1, every=None, best="aucs", config={"lr": 0.1}, data=data)
        self.run.track(model=self.model, optimizer=self.optimizer, scheduler=self.scheduler)
        self.run.track(dice=self.dice, coins=self.coins)

    @property
    def parts(self) -> Parts:
        """As a run has them, that is about to begin."""
        tracked = Tracked()
        for name in ("model", "optimizer", "scheduler", "dice", "coins"):
            tracked.add(name, getattr(self, name))
        gradients = Gradients(tracked, Mentions("grad"))
        settings, variables = Settings(tracked), Locals(tracked.objects_by_name)
        return Parts(tracked, History("aucs"), UserState(), gradients, Cursor(), settings, variables)

    def train(self, epochs: int, until: tuple[int, int] = (-1, -1)) -> None:
        loader = DataLoader(TensorDataset(torch.randn(20, 3)), batch_size=4, shuffle=True)
        run = self.run
        with run:
            for _ in run.epochs(epochs):
                for (x,) in run.batches(loader):
                    loss = self.model(x).square().mean() * self.loose.sum() + float(self.dice.random())
                    loss.backward()
                    if run.batch % 2 == 0:
                        self.optimizer.step()
                        self.optimizer.zero_grad()
                    run.average(train_losses=loss)
                    run.state.update(colour=Colour.RED, point=Point(run.step), tensor=x.mean(), seen={1, 2})
                    run.flush()
                    if (run.epoch, run.batch) == until:
                        raise BrokenOffError
                run.record(aucs=float(run.epoch), val_losses=torch.rand(()).item())
                self.scheduler.step()


def broken_off(folder: Path) -> dict[str, Any]:
    """A folder with two states inside an epoch; the payload of the newest."""
    with contextlib.suppress(BrokenOffError):
        Objects(folder).train(3, (2, 4))
    loaded: dict[str, Any] = torch.load(folder / "checkpoint_latest.pth", weights_only=True)
    assert loaded[keys.OWN]["in_epoch"] and loaded[keys.OWN]["grads"]
    return loaded


def mutated(payload: dict[str, Any], dice: random.Random) -> tuple[str, dict[str, Any]]:
    """The payload with one field of our own changed, and what was done."""
    own = copy.deepcopy(payload[keys.OWN])
    name = dice.choice(list(own))
    below = list(_fields(own[name], f"{keys.OWN}[{name!r}]"))
    path, container, key = dice.choice([(f"{keys.OWN}[{name!r}]", own, name), *below])
    change = dice.choice((_replace, _replace, _replace, _nudge, _nudge, _remove, _rename))
    done = change(container, key, dice)
    return f"{path}: {done}", {**payload, keys.OWN: own}


def _fields(value: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Every place below ``value``: its path, and where it is to be changed."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in list(items):
        yield f"{path}[{key!r}]", value, key
        yield from _fields(child, f"{path}[{key!r}]")


def _replace(container: Any, key: Any, dice: random.Random) -> str:
    container[key] = copy.deepcopy(dice.choice(_OTHERS))
    return f"= {container[key]!r}"


def _remove(container: Any, key: Any, dice: random.Random) -> str:
    del container[key]
    return "removed"


def _rename(container: Any, key: Any, dice: random.Random) -> str:
    if isinstance(container, list):
        container.insert(key, container[key])
        return "twice"
    other = dice.choice(("x", "model", "optimizer", "dice", "scheduler", "aucs", "test", ""))
    container[other] = container.pop(key)
    return f"renamed {other!r}"


def _nudge(container: Any, key: Any, dice: random.Random) -> str:
    """A value of the same kind, a little or much off."""
    value = container[key]
    if isinstance(value, torch.Tensor):
        flat = value.reshape(-1)
        wrong = flat.clone()
        if wrong.numel():
            wrong[dice.randrange(wrong.numel())] = dice.choice((0, 1, 255))
        container[key] = dice.choice((flat[:-1].clone(), flat.double(), flat[:0].clone(), flat.repeat(2), -flat, wrong))
    elif isinstance(value, bool) or value is None:
        container[key] = not value
    elif isinstance(value, int | float):
        container[key] = dice.choice((-value, value + 1, value - 1, value * 1000, value + 2**40))
    elif isinstance(value, str):
        container[key] = dice.choice((value[:-1], value + "x", value.upper(), value * 3))
    elif isinstance(value, list):
        container[key] = dice.choice((value[:-1], value[::-1], value * 2, [value]))
    elif isinstance(value, tuple):
        container[key] = dice.choice((value[:-1], value * 2, list(value)))
    else:
        container[key] = dict(list(value.items())[1:])
    return "nudged"


@dataclass
class Tally:
    """What came of the mutations."""

    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def mutate(count: int, seed: int, folder: Path) -> Tally:
    """Resume from so many mutated files by the functions that a run resumes by, up to its first batch."""
    tally, watching, ran = Tally(), False, []

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        imported = event == "import" and str(arguments[0]).partition(".")[0] not in _LIBRARIES
        if watching and (imported or event.startswith(_FORBIDDEN)):
            ran.append((event, str(arguments)[:100]))

    payload = broken_off(folder / "sound")
    fallback = torch.load(folder / "sound/checkpoint_previous.pth", weights_only=True)[keys.OWN]["step"]
    shutil.copytree(folder / "sound", folder / "mutated")
    objects = Objects(folder / "mutated")
    place, streams = CheckpointFolder(folder / "mutated"), capture_streams()
    torch.save({**payload, "bytes": b"x"}, place.latest, pickle_protocol=2)
    _resume(objects, place)  # all is imported now that ever will be
    sys.addaudithook(watch)
    for number in range(count):
        what, changed = mutated(payload, random.Random(f"{seed}/{number}"))
        torch.save(changed, place.latest, pickle_protocol=2)
        watching = True
        try:
            step = _resume(objects, place)
            tally.outcomes["taken" if step == payload[keys.OWN]["step"] else "passed over"] += 1
            if step not in (fallback, changed[keys.OWN].get("step")):
                tally.problems.append(f"{number}: {what}: resumed from step {step}")
        except CheckpointDamagedError as error:
            tally.problems.append(f"{number}: {what}: not passed over: {error}")
        except UnbrokenError as error:
            tally.outcomes[error.key] += 1
            if "\n" in str(error) or "\x1b" in str(error):
                tally.problems.append(f"{number}: {what}: more than a line: {error!r}")
        except Exception as error:
            tally.problems.append(f"{number}: {what}: {type(error).__name__}: {error}")
        finally:
            watching = False
        if ran:
            tally.problems.append(f"{number}: {what}: ran {ran}")
            ran.clear()
    restore_streams(streams)
    return tally


def _resume(objects: Objects, folder: CheckpointFolder) -> int:
    """The step resumed from, all of its state put back."""
    point = lineage.find_resume_point(folder, restorable.check)
    assert point is not None
    own, parts = point.payload[keys.OWN], objects.parts
    guards.compare_data(own["data"], own["data"])
    for kind in ("config", "environment"):
        guards.differences(own[kind], {})
    EpochPasses(own["passes"], same_epoch=own["in_epoch"])
    streams = decode(own["streams"])
    for follows in (True, False):
        restore(parts, from_payload(point.payload).training, prologue_follows=follows)
        if streams["epoch_start"] is not None:
            restore_streams(streams["epoch_start"])
            parts.tracked.restore_generators(streams["epoch_start"]["generators"])
            parts.user_state.restore(streams["epoch_start"]["state"])
    restore_streams(streams["now"])
    np.random.rand()
    torch.rand(())
    random.random()
    step: int = own["step"]
    return step


def resume_whole(count: int, seed: int, folder: Path) -> Tally:
    """The same by whole runs, from the search for a state to the last epoch."""
    tally = Tally()
    payload = broken_off(folder / "sound")
    for number in range(count):
        what, changed = mutated(payload, random.Random(f"whole/{seed}/{number}"))
        place = folder / f"whole-{number}"
        shutil.copytree(folder / "sound", place)
        torch.save(changed, place / "checkpoint_latest.pth", pickle_protocol=2)
        objects = Objects(place)
        try:
            objects.train(3)
            tally.outcomes["ended"] += 1
        except UnbrokenError as error:
            tally.outcomes[error.key] += 1
        except Exception as error:
            tally.problems.append(f"{number}: {what}: {type(error).__name__}: {error}")
        shutil.rmtree(place)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--whole", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.getLogger("unbroken").setLevel(logging.CRITICAL)
    problems = 0
    for what, how, count in (("mutations", mutate, options.mutations), ("whole resumes", resume_whole, options.whole)):
        started = time.monotonic()
        with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
            tally = how(count, options.seed, Path(folder))
        for problem in tally.problems[:40]:
            print(problem)
        said = ", ".join(f"{key} {number}" for key, number in tally.outcomes.most_common())
        print(f"{count} {what}, {len(tally.problems)} problems ({said}), {time.monotonic() - started:.0f} s")
        problems += len(tally.problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
