"""Training loops as they are published: few lines change, and each ends, killed and stopped, as if left alone."""

import random
import re
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from tests.audit.conftest import Audit
from tests.eleven.scripts import LOOPS
from tests.kill.toolkit import (
    STOPPED,
    Interruption,
    Kind,
    Moment,
    Nursery,
    Outcome,
    Program,
    digest,
    draw,
    moments,
    run_to_its_end,
)
from unbroken.audit.verdict import Verdict

KILLS, STOPS = 20, 10
MOST_RUNS = 20

# How many lines of a published loop are changed, added or taken away; making the run and its first track are one, as
# the README prints it.
MOST_LINES = 6
LINES = {
    "accumulation": 5,
    "dqn": 5,
    "early_stopping": 4,
    "gcn": 3,
    "lr_by_hand": 5,
    "makemore": 4,
    "nanogpt": 4,
    "ppo": 5,
    "time_series": 3,
    "transformer": 5,
    "vae": 6,
    "word_language_model": 6,
}

# One with batches made by hand, one with a loader and variables: the others take longer.


# Their data come in the order that a loader draws, which is another with `run.batches`.
BY_A_LOADER = {"accumulation", "early_stopping", "lr_by_hand", "transformer", "vae"}

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
KILL_KINDS = (moments.ANYWHERE, moments.ANYWHERE, moments.SAVE_BEGUN, moments.SAVE_NAMED, moments.MANIFEST)
# Said of what was not exact, or is not proven; a resume of a loop of these has nothing of it.
BAD_NEWS = re.compile(r"unbroken: .*(与中断前不一致|变量与保存时不同|重新开始计数)")

# A stream that a loop neither seeds nor draws from is another in every process.
SEEDED = {"python": re.compile(r"^random\.seed", re.M), "numpy": re.compile(r"^np\.random\.seed", re.M)}

Whole = Callable[[str], Outcome]


@pytest.fixture(scope="session")
def whole(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The converted loop that was left alone."""
    known: dict[str, Outcome] = {}

    def of(name: str) -> Outcome:
        if name not in known:
            known[name] = trained(nursery, name, tmp_path_factory.mktemp(name))
        return known[name]

    return of


def trained(
    nursery: Nursery,
    name: str,
    folder: Path,
    interruptions: Sequence[Interruption] = (),
    *,
    plain: bool = False,
) -> Outcome:
    """Run the loop to its end; what it wrote there is part of its digest."""
    folder.mkdir(exist_ok=True)
    script = folder / "train.py"
    script.write_text(LOOPS[name].plain if plain else LOOPS[name].saved_often)
    outcome = run_to_its_end(nursery, Program(script), folder / "run", interruptions)
    final = folder / "run" / "final.pt"
    if final.exists():
        outcome.digest |= digest(torch.load(final, weights_only=False), "final.pt")
    unseeded = [stream for stream in ("python", "numpy") if not SEEDED[stream].search(script.read_text())]
    left_out = re.compile(rf".*/unbroken\.streams\.\w+\.({'|'.join(unseeded) or 'none'})\b")
    outcome.digest = {path: bits for path, bits in outcome.digest.items() if not left_out.match(path)}
    return outcome


def must_be_equal(outcome: Outcome, whole: Outcome) -> None:
    assert "final.pt/kind" in whole.digest, whole.problems
    parted = outcome.differences(whole)
    lines = [*outcome.problems, *map(str, parted[:5])]
    lines += [line for attempt in outcome.attempts for line in attempt.log.splitlines() if BAD_NEWS.match(line)]
    assert not lines, f"{len(parted)} names differ\n{outcome.story()}\n" + "\n".join(lines)


def interruptions(whole: Outcome, kinds: Sequence[Kind], signals: Sequence[signal.Signals]) -> list[Interruption]:
    """One of each kind, in one run, by signals drawn at random."""
    events, dice = whole.attempts[0].events, random.Random()
    return [Interruption(draw(kind, events, len(kinds), dice), dice.choice(signals)) for kind in kinds]


def test_every_loop_is_counted() -> None:
    assert {name: loop.changed for name, loop in LOOPS.items()} == LINES
    assert max(LINES.values()) <= MOST_LINES
    run_and_track = re.compile(r"run = unbroken\.Run\(.*\); run\.track\(.*\)$")
    lines = [line for loop in LOOPS.values() for line in loop.converted.splitlines() if "; " in line]
    assert not [line for line in lines if not run_and_track.match(line) and '"""' not in line], "several in one"


@pytest.mark.parametrize("name", LINES)
@pytest.mark.one_in(12)
def test_one_kill_and_one_stop(nursery: Nursery, whole: Whole, tmp_path: Path, name: str) -> None:
    saved = moments.SAVE_NAMED
    kill = Interruption(Moment(saved.label, saved.pattern, 3, random.uniform(0, 0.05)))
    stop = Interruption(Moment(saved.label, saved.pattern, 1, random.uniform(0, 0.05)), random.choice(SIGNALS))
    outcome = trained(nursery, name, tmp_path, [kill, stop])
    must_be_equal(outcome, whole(name))
    assert len(outcome.delivered) == 2, outcome.story()


@pytest.mark.parametrize("name", sorted(LINES.keys() - BY_A_LOADER))
@pytest.mark.one_in(7)
def test_the_conversion_changes_no_bit(nursery: Nursery, whole: Whole, tmp_path: Path, name: str) -> None:
    plain = trained(nursery, name, tmp_path, plain=True)
    ends = [
        {key: bits for key, bits in one.digest.items() if key.startswith("final.pt")} for one in (plain, whole(name))
    ]
    assert ends[0] == ends[1]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", LINES)
def test_many_kills(nursery: Nursery, whole: Whole, tmp_path: Path, name: str) -> None:
    delivered, runs = 0, 0
    while delivered < KILLS and runs < MOST_RUNS:
        kills = interruptions(whole(name), random.sample(KILL_KINDS, 4), [signal.SIGKILL])
        outcome = trained(nursery, name, tmp_path / str(runs), kills)
        must_be_equal(outcome, whole(name))
        runs, delivered = runs + 1, delivered + len(outcome.delivered)
    print(f"{name}: {delivered} kills in {runs} runs, each equal")
    assert delivered >= KILLS


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", LINES)
def test_many_stops(nursery: Nursery, whole: Whole, tmp_path: Path, name: str) -> None:
    stopped, runs = 0, 0
    while stopped < STOPS and runs < MOST_RUNS:
        stops = interruptions(whole(name), [moments.ANYWHERE, moments.SAVE_BEGUN, moments.SAVE_NAMED], SIGNALS)
        outcome = trained(nursery, name, tmp_path / str(runs), stops)
        must_be_equal(outcome, whole(name))
        runs, stopped = runs + 1, stopped + sum(attempt.code == STOPPED for attempt in outcome.attempts)
    print(f"{name}: {stopped} stops in {runs} runs, each equal")
    assert stopped >= STOPS


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("name", LINES)
def test_its_audit_says_exact(audited: Audit, tmp_path: Path, name: str) -> None:
    script = tmp_path / "train.py"
    script.write_text(LOOPS[name].saved_often)
    report = audited(script, kills=4)
    assert (report.verdict, report.findings, report.kills) == (Verdict.EXACT, [], 4)
