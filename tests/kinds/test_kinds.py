"""Never silently wrong: each of these loops ends, killed or stopped, as the whole run does, or it is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kinds import anyloop, loops
from tests.kinds.judge import Trial, outcome

Case = tuple[Callable[[Trial], Any], int]

EXACT: dict[str, Case] = {
    "generator of the module": (loops.over(loops.OfTheModule), 11),
    "generator of a class": (loops.over(loops.OfAClass), 11),
    "generator's bound method": (loops.over(loops.AsAMethod), 11),
    "generator for each sample": (loops.over(loops.OnePerSample), 11),
    "generator in a deque of dicts": (loops.over(loops.InADeque), 11),
    "generator behind a function": (loops.over(loops.BehindAFunction), 11),
    "generator behind a function, workers": (loops.over(loops.BehindAFunction, num_workers=2), 11),
    "generator in the collate function": (loops.over(loops.Samples, collate_fn=loops.draws_in_collate), 11),
    "generator that is tracked": (loops.tracked_generator, 11),
    "generator that is tracked, just saved": (loops.tracked_generator, 5),
    "cache of what is the same": (loops.over(loops.KeepsWhatIsTheSame), 11),
    "collate function replaced": (loops.collate_replaced, 17),
    "dataset that grows": (loops.dataset_that_grows, 13),
    "epochs counted from 0": (loops.epochs_counted_from_0(), 17),
    "epochs counted from 0, persistent workers": (
        loops.epochs_counted_from_0(num_workers=2, persistent_workers=True),
        17,
    ),
    "weights that follow the losses": (loops.weights_that_follow_the_losses, 17),
    "sampler that draws one by one": (loops.bandit, 17),
    "islice": (loops.first_seven, 9),
    "enumerate and break, two epochs behind": (loops.counted_by_hand, 20),
    "growing epochs, by run.batch": (loops.growing_epochs, 8),
    "enumerate from where it is": (loops.enumerate_from_where_it_is, 8),
    "DistributedSampler": (loops.distributed_sampler, 9),
    "momentum of a BatchNorm": (loops.batchnorm_momentum, 30),
    "buffers that get another shape": (loops.buffers_that_grow, 17),
    "plain": (loops.plain, 11),
    "workers": (loops.with_workers, 11),
    "steps": (loops.by_steps, 14),
    "side by side": (loops.side_by_side, 14),
    "accumulating": (loops.accumulating, 13),
}

ANY_LOOP: dict[str, Case] = {
    "batches by hand": (anyloop.handmade_batches, 14),
    "batches by hand, in epochs": (anyloop.in_epochs, 17),
    "until it is stopped": (anyloop.until_it_is_stopped, 14),
    "steps in groups": (anyloop.in_groups, 14),
    "by next": (anyloop.by_next(group=1), 14),
    "by next, accumulating": (anyloop.by_next(group=3), 14),
    "by next, accumulating, workers": (anyloop.by_next(group=3, num_workers=2), 14),
    "micro-batches inside out": (anyloop.micro_batches_inside_out, 20),
    "full batch": (anyloop.full_batch, 14),
    "LBFGS": (anyloop.second_order, 14),
    "left by a break": (anyloop.left_by_break, 30),
}
EXACT |= ANY_LOOP

TOLD: dict[str, Case] = {
    "generator that is tracked and not found": (loops.tracked_generator_that_is_not_found, 6),
    "islice, in the first epoch": (loops.first_seven, 3),
    "enumerate and break, one epoch behind": (loops.counted_by_hand, 10),
    "dataset that counts": (loops.over(loops.Counting), 11),
    "cache of what was drawn": (loops.over(loops.KeepsWhatItDrew), 9),
    "cache of what was drawn, persistent workers": (
        loops.over(loops.KeepsWhatItDrew, num_workers=2, persistent_workers=True),
        9,
    ),
    "cache of what was drawn, one sample a batch": (
        loops.over(loops.KeepsWhatItDrew, num_workers=2, persistent_workers=True, batch_size=None),
        9,
    ),
    "dataset that counts, workers": (loops.over(loops.Counting, num_workers=2), 11),
    "iterable that counts its passes": (loops.iterable(loops.CountsItsPasses), 29),
    "stream": (loops.iterable(loops.UsedUp), 17),
    "order of long tensors": (loops.order_of_long_tensors, 7),
    "beside a plain loader": (loops.beside_a_plain_loader, 10),
    "generator of the loop": (loops.generator_of_the_loop, 29),
    "enumerate that shows late": (loops.enumerate_that_shows_late, 5),
    "enumerate of steps": (loops.enumerate_of_steps, 9),
    "the only epoch, cut off": (loops.only_epoch_cut_off, 5),
    "another batch size": (loops.another_batch_size, 13),
    "another sampler": (loops.another_sampler, 13),
    "inputs shifted": (loops.forgets("inputs"), 14),
    "targets shifted": (loops.forgets("targets"), 14),
}


HOW = ("kill", "stop")


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.one_in(7)
def test_ends_as_without_an_interruption(tmp_path: Path, name: str, how: str) -> None:
    loop, step = EXACT[name]
    whole = outcome(loop, tmp_path / "whole")
    resumed = outcome(loop, tmp_path / "resumed", (how, step))
    assert whole.code == resumed.code == 0, resumed.log
    assert resumed.end == whole.end != {}
    assert not [line for line in whole.said if "ends after" not in line]
    if how == "stop" and name != "full batch":  # has no steps
        assert resumed.replayed > 0


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", TOLD)
@pytest.mark.one_in(13)
def test_what_is_not_exact_is_said(tmp_path: Path, name: str, how: str) -> None:
    loop, step = TOLD[name]
    whole = outcome(loop, tmp_path / "whole")
    resumed = outcome(loop, tmp_path / "resumed", (how, step))
    assert whole.end != {}
    assert resumed.said or resumed.code == 4 or (how == "kill" and resumed.end == whole.end)


@pytest.mark.parametrize("name", ANY_LOOP)
@pytest.mark.one_in(4)
def test_what_has_ended_is_complete(tmp_path: Path, name: str) -> None:
    loop, _ = ANY_LOOP[name]
    first = outcome(loop, tmp_path)
    again = outcome(loop, tmp_path)
    assert again.code == 0 and again.end == first.end != {}, again.log


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("plain", "interrupt"),
        ("workers", "stop"),
        *(
            pytest.param(name, how, marks=pytest.mark.slow)
            for name, how in [
                *(("plain", "stop"), ("workers", "interrupt")),
                *((name, how) for name in ("steps", "side by side", "accumulating") for how in ("interrupt", "stop")),
            ]
        ),
    ],
)
def test_a_stop_is_proven_by_the_steps_trained_meanwhile(tmp_path: Path, name: str, how: str) -> None:
    loop, _ = EXACT[name]
    whole = outcome(loop, tmp_path / "whole")
    replayed = {}
    for step in (1, 12, 13, 20):
        resumed = outcome(loop, tmp_path / f"stopped in {step}", (how, step))
        assert resumed.end == whole.end
        replayed[step] = resumed.replayed
        assert resumed.replayed or "Nothing to compare this resume with" in resumed.log
    # On a busy machine a worker may give no batch before the state is written; the log says that nothing was compared.
    enough = any if name == "workers" else all
    assert enough(replayed.values()), replayed


def test_a_spent_budget_is_proven_too(tmp_path: Path) -> None:
    whole = outcome(loops.plain, tmp_path / "whole")
    stopped = outcome(loops.plain, tmp_path / "stopped", stop_after=1e-9)
    assert stopped.code == 75 and stopped.end == {}
    resumed = outcome(loops.plain, tmp_path / "stopped")
    assert resumed.replayed > 0 and resumed.end == whole.end


@pytest.mark.parametrize("options", [{}, {"num_workers": 2}, {"num_workers": 2, "persistent_workers": True}])
def test_the_epoch_that_a_dataset_is_told_is_the_users(tmp_path: Path, options: dict[str, Any]) -> None:
    whole = outcome(loops.epochs_counted_from_0(**options), tmp_path)
    assert [whole.end[f"growth.{place}"].split()[0] for place in range(3)] == ["1.0", "1.1", "1.2"]


def test_looking_at_a_stream_takes_nothing_from_it(tmp_path: Path) -> None:
    assert outcome(loops.stream_once, tmp_path).end["seen"] == f"int {2 * loops.SAMPLES}"
