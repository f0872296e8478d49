"""A trial: one run of a script, interrupted again and again, and whether it ends as if it never had been."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tests.kill.toolkit.digests import Difference, Digest, checkpoint_digest, differences
from tests.kill.toolkit.moments import Interruption
from tests.kill.toolkit.processes import Attempt, Nursery, Program

STOPPED = 75  # EX_TEMPFAIL: stopped on a signal, the state saved

# What may differ between two runs that are equal: when and where a file was written, and after which resumes.
MAY_DIFFER = frozenset(
    {
        "timestamp",
        "unbroken.run_id",
        "unbroken.reason",
        "unbroken.environment",
        "unbroken.replays",
        "unbroken.epoch_before",
    }
)

# Left-over gradients are in a file until one process has seen 64 times that nothing uses them. Where both files have
# them they must be equal, and a run that missed one it needed would go another way.
_MAY_BE_MISSING = re.compile(r".*\.pth/unbroken\.grads\b")

# The state before the newest one: which one that is depends on when a run was interrupted.
_PREVIOUS = "checkpoint_previous.pth"

_MOST_UNPLANNED_STARTS = 3

_REPLAYED = re.compile("已重放 ([0-9]+) 步，与中断前逐位一致")


@dataclass
class Outcome:
    """How a run went. ``problems`` are broken promises seen on the way, each with the attempt it was seen in.

    ``replayed``: how many steps each resume said to have trained again, bit for bit; ``unproven``: the attempts that
    trained steps again and went on without saying so.
    """

    attempts: list[Attempt] = field(default_factory=list)
    interruptions: list[Interruption] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    digest: Digest = field(default_factory=dict)
    replayed: list[int] = field(default_factory=list)
    unproven: list[int] = field(default_factory=list)

    @property
    def starts(self) -> int:
        return len(self.attempts)

    @property
    def delivered(self) -> list[tuple[Interruption, Attempt]]:
        """The interruptions whose moment came, each with the attempt it ended."""
        pairs = zip(self.interruptions, self.attempts, strict=False)
        return [(interruption, attempt) for interruption, attempt in pairs if attempt.signals_sent]

    def differences(self, reference: "Outcome") -> list[Difference]:
        """Where this run parts from ``reference``: data and losses by step, live objects, then the files."""
        return [
            difference
            for difference in differences(self.digest, reference.digest)
            if (difference.got and difference.expected) or not _MAY_BE_MISSING.match(difference.name)
        ]

    def story(self) -> str:
        """One line per interruption: what was sent when, and the last thing the script said before it died."""
        return "\n".join(f"  {sent}; last said: {attempt.last_line()}" for sent, attempt in self.delivered)


def run_to_its_end(
    nursery: Nursery,
    program: Program,
    folder: Path,
    interruptions: Sequence[Interruption] = (),
    *,
    time_limit: float = 90.0,
) -> Outcome:
    """Start the program, once per interruption and until it ends by itself, and judge what it left each time.

    Raises:
        StuckError: a process did not end in time.
    """
    folder.mkdir(parents=True)
    outcome = Outcome(interruptions=list(interruptions))
    witness = _Witness(folder / "checkpoints", outcome)
    planned = list(interruptions)
    for number in range(1, len(planned) + _MOST_UNPLANNED_STARTS + 1):
        interruption = planned[number - 1] if number <= len(planned) else None
        attempt = nursery.attempt(program, folder, interruption, number=number, time_limit=time_limit)
        outcome.attempts.append(attempt)
        witness.see(attempt)
        if attempt.code == 0:
            break
        if attempt.code != STOPPED and not attempt.signals_sent:
            witness.complain(f"exit code {attempt.code}\n{attempt.log[-3000:]}")
            break
    else:
        witness.complain("does not come to its end")
    nursery.clear()
    outcome.digest = _digest_of(folder, outcome)
    return outcome


class _Witness:
    """Looks at the folder after every attempt: every name whole, nothing lost, and the newest state resumed."""

    def __init__(self, folder: Path, outcome: Outcome) -> None:
        self._folder = folder
        self._outcome = outcome
        self._newest = 0
        self._seen: dict[str, str] = {}
        # The last step trained by any attempt, and the last one behind which the script was seen to go on.
        self._trained = 0
        self._passed = 0

    def complain(self, what: str) -> None:
        self._outcome.problems.append(f"attempt {self._outcome.starts}: {what}")

    def see(self, attempt: Attempt) -> None:
        self._compare_steps(attempt)
        self._compare_replay(attempt)
        if "与中断前不一致" in attempt.log:
            self.complain("the run's own replay proof failed")
        steps = [self._step_of(path) for path in sorted(self._folder.glob("checkpoint_*.pth"))]
        newest = max(steps, default=0)
        if newest < self._newest:
            self.complain(f"the newest state went back from step {self._newest} to {newest}")
        self._newest = newest

    def _step_of(self, path: Path) -> int:
        try:
            step: int = torch.load(path, weights_only=True)["unbroken"]["step"]
        except Exception as error:
            self.complain(f"{path.name} does not open: {type(error).__name__}: {error}")
            return 0
        return step

    def _compare_steps(self, attempt: Attempt) -> None:
        """A step that was done again must have been the same; the first one is the one after the newest state."""
        first = next((line.split() for line in attempt.lines if line.startswith("batch ")), None)
        if first is not None and int(first[3]) != self._newest + 1:
            self.complain(f"step {self._newest} was saved, and the run went on with step {first[3]}")
        for name, bits in _told(attempt):
            if self._seen.setdefault(name, bits) != bits:
                self.complain(f"{name} was {self._seen[name]}, and done again it is {bits}")

    def _compare_replay(self, attempt: Attempt) -> None:
        """The number of steps that the run says to have replayed is that of the steps that were trained again."""
        said = [line for line in attempt.lines if not line.startswith(("create ", "rename ", "delete "))]
        trained = [(int(line.split()[3]), line is not said[-1]) for line in said if line.startswith("trained ")]
        last = max((step for step, _ in trained), default=0)
        passed = max((step for step, went_on in trained if went_on), default=0)
        if trained:
            after = trained[0][0] - 1
            # A stopped one says of the steps it came to.
            least, most = min(self._passed, passed) - after, min(self._trained, last) - after
            report = _REPLAYED.search(attempt.log)
            if report is not None:
                self._outcome.replayed.append(int(report[1]))
                if not least <= int(report[1]) <= most:
                    self.complain(f"{least} to {most} steps were trained again, and the log says {report[1]}")
            elif least > 0 and (passed > self._trained or attempt.code == 0):
                self._outcome.unproven.append(self._outcome.starts)
        self._trained, self._passed = max(self._trained, last), max(self._passed, passed)


def _told(attempt: Attempt) -> Iterator[tuple[str, str]]:
    """What the script told of its course: ``batch EPOCH BATCH STEP = BITS``, and others of that form."""
    for line in attempt.lines:
        name, is_told, bits = line.partition(" = ")
        if is_told:
            yield name, bits


def _digest_of(folder: Path, outcome: Outcome) -> Digest:
    told = {name: bits for attempt in outcome.attempts for name, bits in _told(attempt)}
    digest = {name: told[name] for name in sorted(told, key=_natural)}
    live = folder / "final.json"
    digest |= json.loads(live.read_text()) if live.exists() else {"live objects": "the script did not end"}
    for path in sorted((folder / "checkpoints").glob("checkpoint_*.pth"), key=lambda path: _natural(path.name)):
        if path.name != _PREVIOUS:
            digest |= _file_digest(path)
    return digest


def _file_digest(path: Path) -> Digest:
    try:
        digest = checkpoint_digest(path, leave_out=MAY_DIFFER)
    except Exception as error:
        return {f"{path.name}": f"does not open: {error}"}
    return {f"{path.name}/names": f"{path.stat().st_nlink} of this file", **digest}


def _natural(text: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]
