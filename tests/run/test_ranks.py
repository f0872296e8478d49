"""Several processes that train together are refused in one sentence, and none waits for another."""

from pathlib import Path

import pytest

from tests.run.scripts import run_script

LOOP = """
run = unbroken.Run("ck")
run.track(model=model)
try:
    for epoch in run.epochs(1):
        print("trained")
except unbroken.GuardError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_a_world_of_more_than_one_is_refused(tmp_path: Path) -> None:
    ended = run_script(tmp_path, LOOP, variables={"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"})
    assert ended.code == 4 and "one of 2 ranks (WORLD_SIZE)" in ended.out, ended.said
    assert len(ended.out.splitlines()) == 1 and not (tmp_path / "ck").exists()


@pytest.mark.parametrize(
    "variables", [{}, {"WORLD_SIZE": "1"}, {"WORLD_SIZE": ""}, {"SLURM_NTASKS": "4", "SLURM_NNODES": "2"}]
)
def test_one_process_is_not_refused(tmp_path: Path, variables: dict[str, str]) -> None:
    ended = run_script(tmp_path, LOOP, variables=variables)
    assert ended.code == 0 and ended.out == "trained\n", ended.said


def test_a_group_of_two_without_the_variable_is_refused_in_each_of_its_processes(tmp_path: Path) -> None:
    spawned = """
import torch.multiprocessing as mp

def worker(rank):
    meet = "file://" + os.path.abspath("meet")
    torch.distributed.init_process_group("gloo", init_method=meet, rank=rank, world_size=2)
    run = unbroken.Run(f"ck{rank}")
    run.track(model=model)
    try:
        for epoch in run.epochs(1):
            print("trained")
    except unbroken.GuardError as error:
        print(error, flush=True)
        os._exit(error.exit_code)

if __name__ == "__main__":
    workers = [mp.get_context("fork").Process(target=worker, args=(rank,)) for rank in range(2)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
    sys.exit(max(process.exitcode for process in workers))
"""
    ended = run_script(tmp_path, spawned)
    assert ended.code == 4 and ended.out.count("one of 2 ranks (torch.distributed)") == 2, ended.said
    assert not list(tmp_path.glob("ck*"))
