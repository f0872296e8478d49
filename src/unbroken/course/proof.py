"""The replay proof: which parts of a step bear witness, and when; steps trained again are compared, and it is said."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from unbroken import contract, messages
from unbroken.course.listening import Listener
from unbroken.keep import promised
from unbroken.keep.keeper import Keeper
from unbroken.keep.state import Parts
from unbroken.loop.content import SAMPLED, content_digest
from unbroken.loop.journal import BITS, THOROUGH, Journal, Past, Replay, Witness, digest, key_of
from unbroken.loop.witness import StateWitness, numpy_stream, python_stream, torch_stream
from unbroken.state.hooks import after_each_step

_log = logging.getLogger("unbroken")

_PYTHON_EVERY, _NUMPY_EVERY = 4, 8  # steps; reading these streams takes 10 and 45 microseconds
_ALL_AFTER_SAVE = 32  # steps in which all streams are read: most resumes train no more of them again
_FAST = 0.001  # seconds of a step: where they are shorter, a few of them bear witness, so that it costs little
_STRIDE = 16
_SLOW = 0.02  # seconds of a step, of which reading all streams is no part that shows

_WHAT = {
    "order": "replay_what_order",
    "batch": "replay_what_batch",
    "python": "replay_what_python",
    "numpy": "replay_what_numpy",
    "torch": "replay_what_torch",
    "average": "replay_what_average",
    "state": "replay_what_state",
}


class ReplayProof(Listener):
    """The proof of one run in this process; what it finds is told in the log and kept in the lineage.

    ``resumed``: the run goes on from a checkpoint; steps may have been trained behind it before. ``changed``: settings
    and surroundings that are not what they were then: they explain a difference. ``anew``: what the journal has of
    later steps is of another course.
    """

    def __init__(
        self, keeper: Keeper, parts: Parts, *, resumed: bool, changed: Sequence[str] = (), anew: bool = False
    ) -> None:
        self._stopping = False
        self._keeper = keeper
        self._parts = parts
        self._changed = changed
        self._journal = _opened(keeper)
        if anew and self._journal is not None:
            self._journal.forget_after(parts.cursor.step)
        self._state = StateWitness(parts.tracked)
        self._replay = Replay(after=parts.cursor.step) if resumed else None
        self._record: dict[str, Any] | None = None
        self._content = 0
        self._averages: set[int] = set()
        self._state_before: int | None = None
        self._state_changed = False
        self._steps_told: list[RemovableHandle | None] = []
        self._steps_taken = False
        self._witnessed = parts.cursor.step
        self._given_at = 0.0
        self._fast = False
        self._measured_at = 0.0

    def pass_begun(self) -> None:
        """The batches of an epoch begin, or go on."""
        self._content = 0  # what loops beside or before it were given is no part of its first step
        self._witnessed = self._parts.cursor.step
        replay = self._replay
        if replay is None or replay.steps:
            return
        if self._journal is None or self._journal.read(replay.after + 1) is None:
            self._replay = None
            past = Past.NOTHING if self._journal is None else self._journal.past
            key = {Past.OLDER: "replay_journal_older", Past.NOTHING: "replay_no_journal"}.get(past, "replay_nothing")
            _log.info(messages.text(key, after=replay.after))
        elif self._state_before is None:
            self._state_before = self._state.take(0, thorough=True)
            optimizers = self._parts.tracked.optimizers.values()
            self._steps_told = [after_each_step(one, self._optimized) for one in optimizers]

    def given(self, loop: int, batch: object) -> None:
        """A batch is about to be handed to the user, who may change it."""
        if self._journal is not None and self._bears_witness(self._parts.cursor.step + 1):
            turn = self._parts.cursor.step
            self._content = content_digest(batch, SAMPLED, turn=turn, seed=self._content)
            self._given_at = time.monotonic()

    def stopping(self) -> None:
        """The state of a stop is being written: the steps from here on are the ones that will be compared."""
        self._stopping = True

    def epoch_done(self) -> None:
        """Witness the last step too if its loop was left by a break."""
        if self._witnessed < self._parts.cursor.step:
            self.stepped()

    def stepped(self) -> None:
        """Witness the step just done; some tens of microseconds."""
        step = self._witnessed = self._parts.cursor.step
        if self._journal is None or not self._bears_witness(step):
            self._measure()
            return
        before = None if self._replay is None else self._journal.read(step)
        now = self._witness_of(step, before)
        if self._replay is not None:
            self._compare(self._replay, step, before, now)
        if step - self._keeper.saved_step <= self._journal.capacity:  # the first steps after a save are compared first
            self._journal.write(step, now)
        self._measure()

    def _bears_witness(self, step: int) -> bool:
        """Whether this step is one of those that are looked at: behind a save and in a replay all of them."""
        if not self._fast or step % _STRIDE == 0 or self._replay is not None or self._stopping:
            return True
        return step - self._keeper.saved_step <= _ALL_AFTER_SAVE

    def _measure(self) -> None:
        """How long the last steps took, all in all; decides for the next ones."""
        if self._parts.cursor.step % _STRIDE == 0:
            now, before = time.monotonic(), self._measured_at
            self._fast, self._measured_at = now - before < _FAST * _STRIDE, now

    def _witness_of(self, step: int, before: Witness | None) -> Witness:
        history = self._parts.history
        since = step - self._keeper.saved_step
        everything = (
            before is not None
            or self._stopping
            or since <= _ALL_AFTER_SAVE
            or time.monotonic() - self._given_at > _SLOW
        )
        # Pieces are compared with the same pieces.
        thorough = bool(before.looked & THOROUGH) if before is not None else self._stopping or since == 1
        looked = BITS["order"] | BITS["batch"] | BITS["torch"] | (THOROUGH if thorough else 0)
        average = python = numpy = 0
        if history.given:
            looked, average = looked | BITS["average"], digest(history.take_given())
        if everything or step % _PYTHON_EVERY == 0:
            looked, python = looked | BITS["python"], python_stream()
        if everything or step % _NUMPY_EVERY == 0:
            looked, numpy = looked | BITS["numpy"], numpy_stream()
        state = self._state.take(step, thorough=thorough)
        if self._state.names:
            looked |= BITS["state"]
        batch, self._content = self._content, 0
        order, names = self._parts.cursor.order, self._state.names
        return Witness(looked, order, batch, average, python, numpy, torch_stream(), names, state)

    def _compare(self, replay: Replay, step: int, before: Witness | None, now: Witness) -> None:
        assert self._journal is not None
        if before is not None:
            # What never changes would be the same after a step that went another way.
            if not self._state_changed and self._state.names:
                self._state_changed = self._state.take(0, thorough=True) != self._state_before
            if now.looked & BITS["average"]:
                self._averages.add(now.average)
            if replay.compare(step, before, now):
                self._say_difference(replay)
        # With the last of them, not with the step after it: there may be none, and a last save yet to come.
        later = range(step + 1, step + 1 + _STRIDE)
        if replay.difference or not any(self._journal.read(number) for number in later):
            self.left()
            self._journal.forget_after(step)  # another course, that this run has left

    def ended(self) -> None:
        self.left()

    def left(self) -> None:
        """Once per resume, when the steps that were trained before the interruption have all been trained again."""
        replay, self._replay = self._replay, None
        if replay is None or replay.steps == 0:
            return
        if replay.difference is None:
            what = messages.listed(messages.text(_WHAT[name]) for name, steps in replay.compared.items() if steps)
            computed = (replay.compared["state"] and self._state_changed) or (
                replay.compared["average"] and (len(self._averages) > 1 or replay.steps == 1)
            )
            said = {"steps": replay.steps, "after": replay.after, "what": what}
            if computed:
                promised.say(contract.REPLAYED.format(steps=replay.steps))
                _log.info(messages.text("replay_exact", **said))
            else:
                self._say_uncomputed(unlike=replay.unlike, said=said)
        for handle in self._steps_told:
            if handle is not None:
                handle.remove()
        self._keep_in_lineage(_told(replay))

    def _optimized(self, optimizer: Optimizer) -> None:
        self._steps_taken = True

    def _say_uncomputed(self, *, unlike: bool, said: dict[str, Any]) -> None:
        """That nothing tracked was seen to change: no news where the optimizers took no step, as in an accumulation."""
        if self._steps_told and None not in self._steps_told and not (self._steps_taken or unlike):
            _log.info(messages.text("replay_without_step", **said))
        else:
            _log.warning(messages.text("replay_of_other_tensors" if unlike else "replay_of_streams", **said))

    def closed(self) -> None:
        """Release the journal."""
        if self._journal is not None:
            self._journal.close()

    def _say_difference(self, replay: Replay) -> None:
        assert replay.difference is not None
        # At once: killed again before the replay is at its end, the run must not forget that it has differed.
        self._keep_in_lineage(_told(replay))
        step, differing = replay.difference
        streams = ", ".join(differing)
        if self._changed:
            changes = messages.listed(self._changed)
            _log.warning(messages.text("replay_differs_changed", step=step, streams=streams, changes=changes))
            return
        promised.say(contract.REPLAY_DIFFERS.format(step=step, streams=streams), logging.ERROR)
        _log.error(messages.text("replay_differs", step=step, streams=streams))

    def _keep_in_lineage(self, found: dict[str, Any]) -> None:
        self._keeper.keep_proof(found, instead_of=self._record)
        self._record = found


def _told(replay: Replay) -> dict[str, Any]:
    compared = [name for name, steps in replay.compared.items() if steps]
    return {"after": replay.after, "steps": replay.steps, "difference": replay.difference, "compared": compared}


def _opened(keeper: Keeper) -> Journal | None:
    of = keeper.identity
    try:
        ranks = keeper.ranks
        path = keeper.folder.journal
        if not ranks.is_first:
            path = path.with_name(f"{path.name}-{ranks.rank}")
        return Journal(path, key_of(of.run_id, of.branch, of.seed, ranks.size))
    except OSError as error:
        _log.warning(messages.text("no_journal", error=error))
        return None
