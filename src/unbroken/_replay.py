"""The replay proof: every step bears witness, and those trained again after an interruption are compared."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from unbroken import messages
from unbroken._saving import Parts, Saver
from unbroken.loop.journal import Journal, Replay, digest
from unbroken.loop.mersenne import StreamsWitness
from unbroken.loop.weights import Weights, chosen

_log = logging.getLogger("unbroken")

_REPLAYS_KEPT = 20


class ReplayProof:
    """The proof of one run in this process; what it finds is told in the log and kept in the lineage.

    ``resumed_from``: what the checkpoint that the run goes on from has of our own; steps may have been trained behind
    it before.
    """

    def __init__(self, saver: Saver, parts: Parts, resumed_from: Mapping[str, Any] | None) -> None:
        self._saver = saver
        self._parts = parts
        self._journal = _opened(saver)
        self._streams = StreamsWitness()
        self._replay = Replay(after=parts.cursor.step) if resumed_from and self._journal is not None else None
        self._record: dict[str, Any] | None = None
        self._weights = Weights([])
        self._bits = b""
        self._given: list[bytes] = []
        self._witnessed = parts.cursor.step
        self._names: list[str] | None = None
        if resumed_from is not None and resumed_from["in_epoch"]:
            saved = resumed_from.get("witnessed")
            self._names = [name for name in saved if isinstance(name, str)] if isinstance(saved, list) else None

    def begin_pass(self) -> None:
        """The batches of an epoch begin, or go on; the modules are what they will be."""
        parameters = self._parts.tracked.parameters()
        # Those chosen at the epoch's beginning, also when it is resumed inside: by then others may be frozen.
        names, self._names = self._names, None
        self._saver.facts["witnessed"] = chosen(parameters) if names is None else names
        places = self._parts.tracked.places()
        self._weights = Weights([places[name] for name in self._saver.facts["witnessed"] if name in places])
        self._bits = self._weights.bits()
        self._witnessed = self._parts.cursor.step

    def epoch_done(self) -> None:
        """Witness the last step too if its loop was left by a break."""
        if self._witnessed < self._parts.cursor.step:
            self.step_done()

    def step_done(self) -> None:
        """Witness the step just done; a few microseconds."""
        if self._journal is None:
            return
        step = self._witnessed = self._parts.cursor.step
        history = self._parts.history
        given = history.take_given() if history.given else b""
        bits = self._weights.bits()
        now = (self._parts.cursor.order, digest(given + bits), *self._streams.take())
        if self._replay is not None:
            # What never changes would be the same after a step that went another way.
            self._given = [*self._given, given][-2:] if given else self._given
            self._replay.of_results |= bits != self._bits or len(set(self._given)) == 2
            self._bits = bits
            before = self._journal.read(step)
            if before is not None and self._replay.compare(step, before, now):
                self._say_difference(self._replay)
            # With the last of them, not with the step after it: there may be none, and a last save yet to come.
            if before is None or self._replay.difference or self._journal.read(step + 1) is None:
                self.report()
                self._journal.forget_after(step)  # another course, that this run has left
        if step - self._saver.saved_step <= self._journal.capacity:  # the first steps after a save are compared first
            self._journal.write(step, now)

    def report(self) -> None:
        """Once per resume, when the steps that were trained before the interruption have all been trained again."""
        replay, self._replay = self._replay, None
        if replay is None or replay.steps == 0:
            return
        if replay.difference is None and (replay.of_results or len(self._given) == 1):
            _log.info(f"已重放 {replay.steps} 步，与中断前逐位一致")
            _log.info(messages.text("replay_exact", steps=replay.steps, after=replay.after))
        elif replay.difference is None:
            _log.warning(messages.text("replay_of_streams", steps=replay.steps, after=replay.after))
        self._keep_in_lineage(replay)

    def close(self) -> None:
        """Give the journal free."""
        if self._journal is not None:
            self._journal.close()

    def _say_difference(self, replay: Replay) -> None:
        assert replay.difference is not None
        # At once: killed again before the replay is at its end, the run must not forget that it has differed.
        self._keep_in_lineage(replay)
        step, streams = replay.difference
        _log.error(f"重放在第 {step} 步与中断前不一致：{', '.join(streams)}")
        _log.error(messages.text("replay_differs", step=step, streams=", ".join(streams)))

    def _keep_in_lineage(self, replay: Replay) -> None:
        facts = self._saver.facts
        earlier = [record for record in facts["replays"] if record is not self._record]
        self._record = {"after": replay.after, "steps": replay.steps, "difference": replay.difference}
        facts["replays"] = [*earlier, self._record][-_REPLAYS_KEPT:]


def _opened(saver: Saver) -> Journal | None:
    key = [saver.facts[name] for name in ("run_id", "branch", "seed", "config", "environment", "data")]
    key += saver.facts["changes"]  # what was trained before an intended change is another course
    try:
        return Journal(saver.folder.journal, json.dumps(key, sort_keys=True, default=str))
    except OSError as error:
        _log.warning(messages.text("no_journal", error=error))
        return None
