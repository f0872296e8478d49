"""What an audit is asked, and what it answers."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from unbroken.audit.moments import Interruption
from unbroken.audit.trace import Moment
from unbroken.audit.verdict import Finding, Sentence, Verdict


@dataclass(frozen=True)
class Request:
    """What is to be audited, and how much. Paths are relative to ``folder``, the one the command is run in."""

    command: tuple[str, ...]
    folder: Path
    kills: int
    seconds: float
    checkpoints: Path | None = None
    final: Path | None = None
    keep_runs: bool = False
    seed: int | None = None


class Outcome(StrEnum):
    """How a run compares with the first one."""

    REFERENCE = "reference"
    SAME = "same"
    DIFFERS = "differs"
    FAILED = "failed"
    NOT_RESUMED = "not_resumed"
    UNKNOWN = "unknown"


@dataclass
class Done:
    """One run as it is reported. ``kills`` are those whose moment came, with the last thing told before each.

    ``last`` is the last thing that it told.
    """

    hash_seeds: tuple[str, ...]
    seconds: float
    starts: int
    last: Moment | None
    outcome: Outcome
    kills: tuple[tuple[Interruption, Moment | None], ...] = ()


@dataclass
class Report:
    """What was done and what it proves. ``seed`` is that of the kills' moments: the same one draws the same moments."""

    request: Request
    seed: int
    traced: bool = False
    runs: list[Done] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    failures: list[Sentence] = field(default_factory=list)
    not_resumed: list[Sentence] = field(default_factory=list)
    notes: list[Sentence] = field(default_factory=list)
    deterministic: bool = True
    seconds: float = 0.0
    kept: Path | None = None

    @property
    def verdict(self) -> Verdict:
        if self.failures:
            return Verdict.DOES_NOT_RESUME
        if self.not_resumed:
            return Verdict.NOT_RESUMED
        if not self.deterministic:
            return Verdict.NOT_DETERMINISTIC
        return Verdict.DIFFERS if self.findings else Verdict.EXACT

    @property
    def kills(self) -> int:
        return sum(len(run.kills) for run in self.runs)

    def note(self, sentence: Sentence | None) -> None:
        if sentence is not None and sentence not in self.notes:
            self.notes.append(sentence)

    def find(self, finding: Finding) -> None:
        """One defect is reported once, in however many runs it shows."""
        if finding.signature not in {known.signature for known in self.findings}:
            self.findings.append(finding)


class Watcher:
    """Is told how the audit goes. This one lets it pass."""

    def stage(self, sentence: Sentence) -> None:
        """Something is begun."""

    def look(self, moment: Moment | None) -> None:
        """The process in hand is here; called many times a second."""
