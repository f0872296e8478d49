"""Trials: one copy of the folder each, in which the command is run to its end, through the kills that are planned."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from unbroken.audit.candidates import Left, files_in, survey
from unbroken.audit.copies import Copies
from unbroken.audit.evidence import Process
from unbroken.audit.moments import Course, Interruption
from unbroken.audit.opens import accesses_are_kept
from unbroken.audit.outside import missed
from unbroken.audit.processes import Attempt, Start, run
from unbroken.audit.trace import Line, Moment, Trace
from unbroken.audit.verdict import Sentence
from unbroken.errors import EXIT_STOPPED
from unbroken.loop.trace import Kind, folder_of

# A script that stops itself to be started again, for a budget of time, may do so more often than it was killed.
_MOST_STARTS_MORE = 20
_OPENED_NATIVELY = (".safetensors", ".h5", ".hdf5")
_MOST_WATCHED = 300  # files, looked at hundreds of times a second
# Of the 107 bytes of a socket's path, multiprocessing takes some 35 below this folder.
_LONGEST_TMPDIR = 64


@dataclass
class Trial:
    """One run to its end. ``failure`` says why it did not come to it; ``hash_seeds`` are those of its processes.

    ``found``: what each process found of what those before it had left; ``left``: what there is at the end.
    ``opens_seen``: the file system notes whatever is read.
    """

    folder: Path
    attempts: list[Attempt] = field(default_factory=list)
    hash_seeds: list[str] = field(default_factory=list)
    failure: Sentence | None = None
    found: list[Left] = field(default_factory=list)
    left: Left = field(default_factory=Left)
    opens_seen: bool = False

    @property
    def processes(self) -> list[Process]:
        """What is known of each process that tells whether it resumed."""
        return [
            Process(
                left=left,
                opened=attempt.opened.inside if self._is_seen(left, attempt) else None,
                saves=attempt.saves,
                seconds=attempt.seconds,
                work=attempt.work,
                ended=attempt.signalled_at is None,
            )
            for left, attempt in zip(self.found, self.attempts, strict=True)
        ]

    @property
    def traces(self) -> list[Trace]:
        return [attempt.trace for attempt in self.attempts]

    def _is_seen(self, left: Left, attempt: Attempt) -> bool:
        """Whether a read would have been seen: where no times of access are kept, of what Python itself opens."""
        return self.opens_seen or (
            attempt.opened.seen and not any(path.endswith(_OPENED_NATIVELY) for path in left.offered)
        )

    @property
    def seconds(self) -> float:
        return sum(attempt.seconds for attempt in self.attempts)

    @property
    def delivered(self) -> list[tuple[Interruption, Attempt]]:
        """The interruptions whose moment came, each with the process it ended."""
        return [(a.interruption, a) for a in self.attempts if a.interruption and a.signalled_at is not None]

    @property
    def course(self) -> Course:
        """Of a run that was left alone."""
        return Course(self.attempts[0].told, self.attempts[0].seconds)

    @property
    def runs(self) -> list[str]:
        """The checkpoint folders of the runs that it told of, as the script names them."""
        told = (folder_of(moment.run) for attempt in self.attempts for _, moment in attempt.told)
        return list(dict.fromkeys(told))


class Workshop:
    """Makes trials of one command. ``look`` is told, again and again, how far the process in hand is."""

    def __init__(
        self,
        command: Sequence[str],
        source: Path,
        copies: Copies,
        scratch: Path,
        environment: Mapping[str, str],
        checkpoints: Path | None,
        look: Callable[[Moment | None], None],
    ) -> None:
        self._command = command
        self._source = source
        self._copies = copies
        self._scratch = scratch
        self._environment = {**environment, **_temporary_folder(scratch)}
        self._checkpoints = checkpoints
        self._look = look
        self._accesses_kept = accesses_are_kept(scratch)
        # The same for every run: what a script makes of the path of its folder is then the same as well.
        self._place = scratch / "run"

    def trial(
        self,
        name: str,
        interruptions: Sequence[Interruption],
        hash_seed: Callable[[int], str],
        limit: float,
        begun: Callable[[Interruption | None], None] = lambda _: None,
    ) -> Trial:
        """Start the command, once per interruption and until it ends by itself; ``begun`` is told of each start."""
        trial = Trial(self._scratch / name / "folder", opens_seen=self._accesses_kept)
        trial.folder.parent.mkdir()
        self._copies.make(self._place)
        given = frozenset(path for path, _ in files_in(self._place))
        large = len(given) > _MOST_WATCHED
        planned = list(interruptions)
        while trial.failure is None:
            interruption = planned.pop(0) if planned else None
            begun(interruption)
            trial.found.append(self._survey(given) if trial.attempts else Left())
            trial.hash_seeds.append(hash_seed(len(trial.attempts)))
            attempt = run(replace(self._start(name, trial, limit), large=large), interruption, self._look)
            trial.attempts.append(attempt)
            trial.failure = _failure(trial, limit)
            if _has_ended(attempt):
                break
            if len(trial.attempts) > len(interruptions) + _MOST_STARTS_MORE:
                trial.failure = Sentence("audit_never_ends", {"starts": len(trial.attempts)})
        trial.left = self._survey(given)
        self._place.rename(trial.folder)
        return trial

    def missed(self, trial: Trial) -> Path | None:
        """What the script looked for beside the folder, and would have found there."""
        looked_for = [path for attempt in trial.attempts for path in attempt.opened.outside]
        said = trial.attempts[-1].said if trial.attempts[-1].code else ""
        return missed(self._source, self._place, self._command, looked_for, said)

    def discard(self, trial: Trial) -> None:
        shutil.rmtree(trial.folder.parent, ignore_errors=True)

    def _survey(self, given: frozenset[str]) -> Left:
        return survey(self._place, self._place / (self._checkpoints or ""), given)

    def _start(self, name: str, trial: Trial, limit: float) -> Start:
        folder, number = self._place, len(trial.attempts) + 1
        return Start(
            command=[_moved(word, self._source, folder) for word in self._command],
            folder=folder,
            environment={**self._environment, "PYTHONHASHSEED": trial.hash_seeds[-1]},
            trace=self._scratch / name / f"trace-{number}.jsonl",
            log=self._scratch / name / f"log-{number}.txt",
            checkpoints=None if self._checkpoints is None else folder / self._checkpoints,
            limit=limit,
            opens=self._scratch / name / f"opens-{number}",
            there=trial.found[-1].offered | trial.found[-1].unknown,
        )


def _temporary_folder(scratch: Path) -> dict[str, str]:
    """A place for what killed processes leave behind, if its path leaves room for the names of sockets in it."""
    folder = scratch / "tmp"
    if len(str(folder)) > _LONGEST_TMPDIR:
        return {}
    folder.mkdir()
    return {"TMPDIR": str(folder)}


def _moved(word: str, source: Path, folder: Path) -> str:
    """A word of the command, with a path into the folder turned into one into its copy."""
    inside = f"{source}/"
    before, found, rest = word.partition(inside)
    return f"{before}{folder}/{rest}" if found and before in ("", before.rpartition("=")[0] + "=") else word


def _has_ended(attempt: Attempt) -> bool:
    """By itself, and at its end: a script may also answer a stop signal with exit code 0."""
    if attempt.code != 0:
        return False
    return attempt.signalled_at is None or (attempt.last is not None and attempt.last.kind is Kind.END)


def _failure(trial: Trial, limit: float) -> Sentence | None:
    attempt = trial.attempts[-1]
    if attempt.timed_out:
        return Sentence("audit_too_long", {"seconds": f"{limit:.0f}"})
    if attempt.signalled_at is None and attempt.code not in (0, EXIT_STOPPED):
        return Sentence("audit_restart_failed", {"code": attempt.code, "said": attempt.said})
    for line in attempt.trace.lines():
        earlier = _begun_before(trial, line)
        if earlier is not None:
            return Sentence("audit_starts_over", {"step": earlier.step, "run": earlier.run})
    return None


def _begun_before(trial: Trial, line: Line) -> Moment | None:
    """How far this run was before, if the line says that it begins, and not from a checkpoint."""
    if line.moment.kind is not Kind.BEGIN or line.resumed:
        return None
    told = (m for a in trial.attempts[:-1] for _, m in a.told if m.run == line.moment.run)
    earlier = [moment for moment in told if moment.kind is not Kind.START]
    return earlier[-1] if earlier else None
