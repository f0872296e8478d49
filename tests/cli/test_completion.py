"""``unbroken completion``: a real shell completes with it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Command


def test_bash_completes_commands_and_flags(unbroken: Command, tmp_path: Path) -> None:
    script = tmp_path / "unbroken.bash"
    script.write_text(unbroken("completion", "bash").out)
    ask = f"""source {script}
complete=$(complete -p unbroken | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
COMP_WORDS=(unbroken res); COMP_CWORD=1; $complete; echo "${{COMPREPLY[@]}}"
COMP_WORDS=(unbroken prune --ke); COMP_CWORD=2; $complete; echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    commands, flags = done.stdout.splitlines()
    assert {"resume-point", "restore"} == set(commands.split())
    assert {"--keep", "--keep-best", "--keep-every", "--keep-every-steps", "--keep-space"} == set(flags.split())


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_completes_commands_and_flags(unbroken: Command, tmp_path: Path) -> None:
    script = tmp_path / "unbroken.fish"
    script.write_text(unbroken("completion", "fish").out)
    ask = f"source {script}; complete -C 'unbroken res'; echo ===; complete -C 'unbroken prune --ke'"
    done = subprocess.run(["fish", "--no-config", "-c", ask], capture_output=True, text=True, check=True)
    commands, flags = done.stdout.split("===\n", 1)
    assert {"resume-point", "restore"} == {line.split("\t")[0] for line in commands.splitlines()}
    assert {"--keep", "--keep-best", "--keep-space"} <= {line.split("\t")[0] for line in flags.splitlines()}


def test_what_is_no_shell_is_a_usage_error(unbroken: Command) -> None:
    assert unbroken("completion", "cmd").code == 2
