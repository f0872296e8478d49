"""The audit of one script: whole runs, runs that are killed, how long each may take, and what that proves."""

import math
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from unbroken.audit import compare, evidence, finals, moments, verdict, words
from unbroken.audit.copies import Copies
from unbroken.audit.evidence import Restarts, Whole
from unbroken.audit.moments import Interruption
from unbroken.audit.report import Done, Outcome, Report, Request, Watcher
from unbroken.audit.trials import Trial, Workshop
from unbroken.audit.verdict import Finding, Sentence, Verdict
from unbroken.errors import UsageError
from unbroken.loop.trace import Group, Name
from unbroken.store.folder import CheckpointFolder

_HASH_SEED = "PYTHONHASHSEED"
_AS_LONG = 1.3  # as a whole run: what one with kills takes at the least
_LIMIT = 4.0  # as long as a whole run: what one process may take
_LEAST_LIMIT = 120.0

Files = Sequence[finals.Comparison]


def audit(request: Request, watcher: Watcher) -> Report:
    """Run the script whole, then killed, and judge it. The user's folder is read, and nothing else.

    Raises:
        UsageError: the script fails by itself, does not fit the time, or leaves nothing to compare.
        DiskError: the folder can't be copied.
    """
    started = time.monotonic()
    with _scratch(keep=request.keep_runs) as scratch:
        work = _Audit(request, scratch, watcher, deadline=started + request.seconds)
        work.run()
    work.report.kept = scratch if request.keep_runs else None
    work.report.seconds = time.monotonic() - started
    return work.report


class _Audit:
    """The course of one audit, with what its parts share."""

    def __init__(self, request: Request, scratch: Path, watcher: Watcher, *, deadline: float) -> None:
        self._request = request
        self._watcher = watcher
        self._deadline = deadline
        seed = random.SystemRandom().randrange(10**6) if request.seed is None else request.seed
        self.report = Report(request, seed)
        left_out = {path for path in (request.checkpoints, request.final) if path is not None}
        copies = Copies(request.folder, scratch, left_out)
        self._workshop = Workshop(
            request.command, request.folder, copies, scratch, os.environ, request.checkpoints, watcher.look
        )
        # Where the user has set it, every run of theirs has that one.
        self._fixed_hash_seed = os.environ.get(_HASH_SEED)
        self._killed_with: str | None = self._fixed_hash_seed
        self._ignored: frozenset[Name] = frozenset()
        self._ignored_in_files: frozenset[str] = frozenset()
        self._left_over: dict[Name, compare.Seen] = {}
        self._repeatable = True
        self._resumed = False
        self._of_a_whole_run = Whole(math.inf, math.inf, 0)

    def run(self) -> None:
        reference = self._whole(1, "1")
        self.report.traced = bool(reference.runs)
        self._check(reference)
        self._compare_whole_runs(reference)
        watched = self.report.traced or self._of_a_whole_run.saves > 0
        course = replace(reference.course, watched=watched)
        planned = moments.plan(course, self._request.kills, random.Random(self.report.seed))
        if not self._repeatable:
            del planned[1:]  # one, to see whether it resumes at all: whether rightly, can't be judged
        left_out, late = 0, 0
        for number, kills in enumerate(planned, 1):
            if number > 1 and self._deadline - time.monotonic() < _AS_LONG * reference.seconds:
                left_out += len(kills)
                continue
            trial = self._killed(reference, number, kills, total=sum(map(len, planned)))
            self._judge(reference, trial)
            late += 0 if trial.failure else len(kills) - len(trial.delivered)
        if self.report.verdict is Verdict.EXACT:
            self.report.note(verdict.of_left_over([*self._left_over.values()]))
        if left_out:
            self.report.note(Sentence("audit_note_time", {"count": left_out}))
        if late:
            self.report.note(Sentence("audit_note_late", {"count": late}))
        if not self.report.kills and self.report.verdict is Verdict.EXACT:
            raise UsageError("audit_no_kill")
        if not self._resumed and self.report.verdict is Verdict.EXACT:
            self._say_that_nothing_was_there(reference)

    def _say_that_nothing_was_there(self, reference: Trial) -> None:
        """No restart found a checkpoint: it came too early, or what the script writes are none."""
        final = {str(self._request.final)}
        written = reference.left.unknown - final or reference.left.others - final
        if self.report.traced or not written or reference.left.offered - final:
            raise UsageError("audit_no_resume")
        self.report.not_resumed.append(Sentence("audit_no_checkpoint", {"files": evidence.named(written)}))

    def _evidence(self, trial: Trial) -> Sentence | None:
        """Why this run was no resume, if it was none; notes if it was."""
        if self.report.traced:
            seen, why = evidence.of_traced(trial.traces)
        else:
            seen, why = evidence.of_run(trial.processes, self._of_a_whole_run)
        self._resumed |= seen in (Restarts.RESUMED, Restarts.UNSEEN)
        if seen is Restarts.UNSEEN:
            self.report.note(Sentence("audit_note_unseen"))
        return why

    def _check(self, reference: Trial) -> None:
        """Raise UsageError unless the script can be audited in the time there is."""
        final, seconds = self._request.final, reference.seconds
        if final is not None and not (reference.folder / final).exists():
            raise UsageError("audit_final_missing", path=final)
        if not self.report.traced and final is None:
            raise UsageError("audit_nothing_to_compare")
        if seconds * (2 + _AS_LONG) > self._request.seconds:
            minutes = f"{seconds * (2 + 2 * _AS_LONG) / 60 + 0.5:.0f}"
            raise UsageError("audit_needs_time", seconds=f"{seconds:.0f}", minutes=minutes)

    def _compare_whole_runs(self, reference: Trial) -> None:
        second = self._whole(2, "2")
        files = self._compare_files(reference, second)
        if self._trains_the_same(reference, second):
            self._leave_aside(reference, second)
            recorded = {name.path for name in self._ignored if name.group in (Group.AVERAGE, Group.HISTORY)}
            if recorded:
                self.report.note(Sentence("audit_note_records", {"names": ", ".join(sorted(recorded))}))
        else:
            self.report.deterministic = False
            self.report.runs[-1].outcome = Outcome.DIFFERS
            hash_order = self._depends_on_hash_order(reference)
            self._repeatable = hash_order
            parting = compare.part(reference.traces[0], second.traces[0], self._ignored)
            if parting is not None:
                finding = verdict.of_itself(parting, hash_order=hash_order)
            else:
                finding = verdict.of_files(_differing(files), hash_order=hash_order)
            self.report.find(_measured(finding, files))
        self._discard(second)

    def _depends_on_hash_order(self, reference: Trial) -> bool:
        """Whether the script is the same again with the same hash seed. Then killed runs can be judged, too."""
        if self._fixed_hash_seed is not None:
            return False
        third = self._whole(3, "1")
        same = self._trains_the_same(reference, third)
        if same:
            self._killed_with = "1"
            self._leave_aside(reference, third)
        else:
            self.report.runs[-1].outcome = Outcome.DIFFERS
        self._discard(third)
        return same

    def _trains_the_same(self, reference: Trial, other: Trial) -> bool:
        if compare.part(reference.traces[0], other.traces[0]) is not None:
            return False
        final = self._request.final  # of checkpoints the traces have told all there is to tell
        return final is None or not finals.compare(reference.folder / final, other.folder / final).telling

    def _leave_aside(self, reference: Trial, other: Trial) -> None:
        """What differs between two runs that train the same says nothing: times, streams that nothing draws from."""
        self._ignored = compare.noise(reference.traces[0], other.traces[0])
        self._ignored_in_files = frozenset(_differing(self._compare_files(reference, other)))

    def _whole(self, number: int, hash_seed: str) -> Trial:
        seed = self._fixed_hash_seed or hash_seed
        self._watcher.stage(Sentence("audit_stage_whole", {"number": number, "seed": seed}))
        limit = max(1.0, self._deadline - time.monotonic())
        trial = self._workshop.trial(f"whole-{number}", [], lambda _: seed, limit)
        attempt = trial.attempts[-1]
        if attempt.timed_out:
            raise UsageError("audit_whole_too_long", seconds=f"{self._request.seconds:.0f}")
        outside = {"path": self._workshop.missed(trial), "folder": self._request.folder}
        if outside["path"] is not None:
            self.report.note(Sentence("audit_note_outside", outside))
        if attempt.code != 0 and outside["path"] is not None:
            code, said = trial.attempts[0].code, trial.attempts[0].said
            raise UsageError("audit_fails_in_a_copy", **outside, code=code, said=said)
        if attempt.code != 0 or len(trial.attempts) > 1:
            raise UsageError("audit_script_fails", code=trial.attempts[0].code, said=trial.attempts[0].said)
        self._add(trial, Outcome.REFERENCE if number == 1 else Outcome.SAME)
        known = self._of_a_whole_run
        self._of_a_whole_run = Whole(
            min(known.seconds, trial.seconds), min(known.work, attempt.work), max(known.saves, attempt.saves)
        )
        return trial

    def _killed(self, reference: Trial, number: int, kills: Sequence[Interruption], *, total: int) -> Trial:
        done = self.report.kills

        def begun(interruption: Interruption | None) -> None:
            nonlocal done
            if interruption is None:
                self._watcher.stage(Sentence("audit_stage_end"))
                return
            done += 1
            kill = Sentence(words.KILLS[interruption.kill])
            self._watcher.stage(Sentence("audit_stage_kill", {"number": done, "total": total, "kill": kill}))

        def hash_seed(start: int) -> str:
            return self._killed_with or str(3 + start)

        limit = max(_LEAST_LIMIT, _LIMIT * reference.seconds)
        return self._workshop.trial(f"killed-{number}", kills, hash_seed, limit, begun)

    def _judge(self, reference: Trial, trial: Trial) -> None:
        if trial.failure is not None:
            self.report.failures.append(trial.failure)
            outcome = Outcome.FAILED
        elif (why := self._evidence(trial)) is not None and not self._differs_as_well(reference, trial, why):
            outcome = Outcome.NOT_RESUMED
            if why not in self.report.not_resumed:
                self.report.not_resumed.append(why)
        elif not self._repeatable:
            steps, parting = compare.replayed(trial.traces)
            if parting is None and steps:
                self.report.note(Sentence("audit_note_replayed", {"steps": steps}))
            outcome = Outcome.UNKNOWN
        else:
            finding = self._find_difference(reference, trial)
            outcome = Outcome.SAME if finding is None else Outcome.DIFFERS
            if finding is not None:
                self.report.deterministic &= finding.at_resume
                self.report.find(finding)
            elif self.report.traced:
                left = compare.left_over(reference.traces[0], trial.traces, self._ignored)
                self._left_over = {**{one.name: one for one in left}, **self._left_over}
        self._add(trial, outcome)
        self._discard(trial)

    def _differs_as_well(self, reference: Trial, trial: Trial, why: Sentence) -> bool:
        """A run that took something from a checkpoint, and yet trained it all again, is told by what it ends with."""
        return why.key == "audit_as_long" and self._repeatable and self._find_difference(reference, trial) is not None

    def _find_difference(self, reference: Trial, trial: Trial) -> Finding | None:
        files = self._compare_files(reference, trial)
        if self.report.traced:
            whole = reference.traces[0]
            forgotten = compare.forgotten(whole, trial.traces, self._ignored)
            parting = compare.follow(whole, trial.traces, self._ignored, forgotten)
            if parting is not None:
                return _measured(verdict.of_resume(parting), files)
        names = _differing(files)
        if not names:
            return None
        if self.report.traced:
            left = compare.left_over(reference.traces[0], trial.traces, self._ignored)
            return _measured(verdict.of_final(names, left), files)
        finding = verdict.of_files(names)
        lacking = None if self.report.traced else evidence.lacking(trial.processes)
        return _measured(finding if lacking is None else verdict.of_what_it_saves(finding, *lacking), files)

    def _compare_files(self, reference: Trial, other: Trial) -> Files:
        paths = [CheckpointFolder(run).latest for run in reference.runs]
        paths += [] if self._request.final is None else [self._request.final]
        return [finals.compare(reference.folder / path, other.folder / path, self._ignored_in_files) for path in paths]

    def _add(self, trial: Trial, outcome: Outcome) -> None:
        last = trial.attempts[-1].last
        kills = tuple((interruption, attempt.last) for interruption, attempt in trial.delivered)
        done = Done(tuple(trial.hash_seeds), trial.seconds, len(trial.attempts), last, outcome, kills)
        self.report.runs.append(done)

    def _discard(self, trial: Trial) -> None:
        if not self._request.keep_runs:
            self._workshop.discard(trial)


def _differing(files: Files) -> list[str]:
    return [path for found in files for path in found.differing]


def _measured(finding: Finding, files: Files) -> Finding:
    """The finding, with the tensors of the final files that are furthest apart."""
    apart = [one for found in files for one in found.largest]
    return replace(finding, largest=tuple(apart[: verdict.MOST_LARGEST]))


@contextmanager
def _scratch(*, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="unbroken-audit-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
