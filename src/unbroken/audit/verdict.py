"""Verdicts: what a difference means, what is likely behind it (a stream, a generator, what is untracked). Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from unbroken import messages
from unbroken.audit.compare import STEPS, Parting, Seen, groups_of
from unbroken.audit.suspects import (
    MOST_SUSPECTS,
    is_container,
    is_held,
    likeliest,
    listed_all,
    plain_name,
    said_path,
    split_scope,
    suspects,
)
from unbroken.audit.trace import Moment
from unbroken.audit.words import BEHIND, PARTS
from unbroken.loop.randomness import GLOBAL_STREAMS
from unbroken.loop.trace import COMPILED, Group, Mark, Name

MOST_LARGEST = 3
_COMPUTED = frozenset({Group.AVERAGE, Group.MODEL, Group.OPTIMIZER})


class Verdict(StrEnum):
    """What is proven of a script; only ``EXACT`` is good."""

    EXACT = "exact"
    DIFFERS = "differs"  # it resumes, and trains on as another run
    NOT_DETERMINISTIC = "not_deterministic"  # two whole runs of it are not the same
    DOES_NOT_RESUME = "does_not_resume"  # it fails when it is started again, or never ends
    NOT_RESUMED = "not_resumed"  # it trains from the start each time, so that it ends the same proves nothing


@dataclass(frozen=True)
class Sentence:
    """A sentence for the user, in the language of the moment at which it is read."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return messages.text(self.key, **{name: str(value) for name, value in self.values.items()})


@dataclass(frozen=True)
class Parts:
    """Parts of a training, by what a checkpoint may lack, as words of a sentence."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return messages.listed(messages.text(PARTS[name]) for name in self.names)


@dataclass(frozen=True)
class Largest:
    """How far one tensor of the final files is from what it should be; None where that is no number."""

    path: str
    difference: float | None


@dataclass(frozen=True)
class Finding:
    """One difference: where it begins, in what, why, and what to do. ``resumed`` is where the run had gone on from."""

    group: Group
    names: tuple[str, ...]
    cause: Sentence
    remedy: Sentence
    moment: Moment | None = None
    resumed: Moment | None = None
    at_resume: bool = False
    expected: str | None = None
    got: str | None = None
    also: tuple[Group, ...] = ()
    largest: tuple[Largest, ...] = ()

    @property
    def steps_after(self) -> int | None:
        """How many steps after the resume the difference begins; 0 is at once."""
        if self.moment is None or self.resumed is None:
            return None
        return self.moment.step - self.resumed.step

    @property
    def signature(self) -> tuple[object, ...]:
        """Equal for findings of one defect in several runs."""
        return self.at_resume, self.group, self.names[:1], self.cause.key


def of_resume(parting: Parting) -> Finding:
    """What it means that a run that was interrupted is not as the one that was not.

    Where they part before the first resume it is not for the resume.
    """
    if not parting.resumed:
        return of_itself(parting, hash_order=False)
    cause, remedy = _resume_cause(parting)
    return _finding(parting, cause, remedy, at_resume=True)


def of_itself(parting: Parting, *, hash_order: bool) -> Finding:
    """What it means that two whole runs are not the same; ``hash_order``: two with the same hash seed are."""
    cause, remedy = _own_cause(parting, hash_order)
    return _finding(parting, cause, remedy, at_resume=False)


def of_files(differing: Sequence[str], *, hash_order: bool | None = None) -> Finding:
    """What it means that final files differ, where nothing more is known of how they came about.

    Of two whole runs it is known whether it is for the ``hash_order``; None is for a run that was interrupted.
    """
    if hash_order is None:
        cause, remedy = "audit_cause_files", "audit_remedy_files"
    elif hash_order:
        cause, remedy = "audit_cause_hash", "audit_remedy_hash"
    else:
        cause, remedy = "audit_cause_kernels", "audit_remedy_kernels"
    return Finding(
        group=_group_of_path(differing[0]) if differing else Group.OTHER,
        names=tuple(differing),
        cause=Sentence(cause),
        remedy=Sentence(remedy),
        at_resume=hash_order is None,
    )


def of_what_it_saves(finding: Finding, path: str, missing: Collection[str]) -> Finding:
    """The finding of files that differ, if the checkpoint gone on from (``path``) lacks parts of a training."""
    if not missing or finding.cause.key != "audit_cause_files":
        return finding
    parts = Parts(tuple(missing))
    cause = Sentence("audit_cause_files_lack", {"path": path, "parts": parts})
    return replace(finding, cause=cause, remedy=Sentence("audit_remedy_files_lack", {"parts": parts}))


def of_final(differing: Sequence[str], left: Sequence[Seen]) -> Finding:
    """What it means that a final file differs although every step of the training was the same.

    ``left`` is what the code holds differently at the end.
    """
    listed = listed_all(likeliest(left, Group.HISTORY))
    cause = Sentence("audit_cause_final_held", {"variables": listed}) if listed else Sentence("audit_cause_final")
    remedy = Sentence("audit_remedy_final")
    return Finding(_group_of_path(differing[0]), tuple(differing), cause, remedy, at_resume=True)


def of_left_over(left: Sequence[Seen]) -> Sentence | None:
    """What to say of variables that are not the same at the end, where the training is."""
    found = likeliest(left, Group.COURSE)
    return Sentence("audit_note_left_over", {"variables": listed_all(found)}) if found else None


def _finding(parting: Parting, cause: Sentence, remedy: Sentence, *, at_resume: bool) -> Finding:
    first = parting.differing[0]
    same_group = [one for one in parting.differing if one.name.group is first.name.group]
    return Finding(
        group=first.name.group,
        names=tuple(one.name.path for one in same_group),
        cause=cause,
        remedy=remedy,
        moment=parting.moment,
        resumed=parting.began if at_resume else None,
        at_resume=at_resume,
        expected=first.expected,
        got=first.got,
        also=tuple(groups_of(parting.differing)[1:]),
    )


def _resume_cause(parting: Parting) -> tuple[Sentence, Sentence]:
    first = parting.differing[0].name
    if first.mark is Mark.UNTRACKED:
        return _untracked(parting.differing[0])
    if parting.began is not None and parting.moment == parting.began:
        return Sentence("audit_cause_not_restored", {"name": first.path}), Sentence("audit_remedy_not_restored")
    found = suspects(parting)
    if found and found[0].name.mark is Mark.UNTRACKED and first.group is not Group.ORDER:
        return _untracked(found[0])
    if first.group is Group.DATA:
        listed = listed_all([one for one in found if one.name.group is Group.DATA])
        cause = Sentence("audit_cause_data_held", {"held": listed}) if listed else Sentence("audit_cause_data")
        return cause, Sentence("audit_remedy_data")
    compiled = next((one for one in parting.hints if one.name == COMPILED), None)
    if compiled is not None and first.group in _COMPUTED:
        counts = {"expected": compiled.expected, "got": compiled.got}
        return Sentence("audit_cause_compiled", counts), Sentence("audit_remedy_compiled")
    if first.group is not Group.ORDER and found:
        why = "audit_cause_stream_held" if first.group is Group.STREAM else "audit_cause_variable"
        how = "audit_remedy_held" if is_held(found[0]) else "audit_remedy_variable"
        values = {"variables": listed_all(found)}
        return Sentence(why, values), Sentence(how, {"name": plain_name(found[0].name.path)})
    why, how = BEHIND[first.group]
    return Sentence(why), Sentence(how)


def _untracked(one: Seen) -> tuple[Sentence, Sentence]:
    where, path = split_scope(one.name.path)
    kind = (one.got or "").split(" ")[0]
    key = re.sub(r"\W+", "_", path.rpartition(".")[2]).strip("_") or "other"
    return (
        Sentence("audit_cause_untracked", {"name": path, "kind": kind, "where": where}),
        Sentence("audit_remedy_track", {"key": key, "name": path}),
    )


def _own_cause(parting: Parting, hash_order: bool) -> tuple[Sentence, Sentence]:
    hints = {one.name: one for one in (*parting.hints, *parting.differing)}
    if hash_order:
        optimizers = [name.path for name in hints if name.group is Group.OPTIMIZER and name.mark is Mark.HINT]
        if optimizers:
            optimizer = optimizers[0].partition(".")[0]
            return (
                Sentence("audit_cause_optimizer_set", {"name": optimizer}),
                Sentence("audit_remedy_optimizer_set"),
            )
        held = [one for one in hints.values() if one.name.group is Group.VARIABLE and is_container(one)]
        if held:
            names = ", ".join(said_path(one.name.path) for one in held[:MOST_SUSPECTS])
            return Sentence("audit_cause_hash_held", {"names": names}), Sentence("audit_remedy_hash")
        return Sentence("audit_cause_hash"), Sentence("audit_remedy_hash")
    if Name(Group.SEED, "seed", Mark.HINT) in hints or Name(Group.STREAM, "torch") in hints:
        return Sentence("audit_cause_seed"), Sentence("audit_remedy_seed")
    generators = [name for name in hints if name.group is Group.STREAM and name.path not in GLOBAL_STREAMS]
    if generators:
        names = ", ".join(said_path(name.path) for name in generators[:MOST_SUSPECTS])
        return Sentence("audit_cause_generator", {"names": names}), Sentence("audit_remedy_generator")
    streams = [name.path for name in hints if name.group is Group.STREAM]
    if streams:
        return Sentence("audit_cause_unseeded", {"streams": ", ".join(streams)}), Sentence("audit_remedy_unseeded")
    return Sentence("audit_cause_kernels"), Sentence("audit_remedy_kernels")


def _group_of_path(path: str) -> Group:
    """Of a path in a final file, as far as its words tell."""
    if path == STEPS.path:
        return Group.COURSE
    words = path.lower()
    for word, group in (("optim", Group.OPTIMIZER), ("sched", Group.SCHEDULER), ("rng", Group.STREAM)):
        if word in words:
            return group
    return Group.MODEL if any(word in words for word in ("model", "weight", "bias", "net")) else Group.OTHER
