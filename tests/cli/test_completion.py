"""``unbroken completion``: a real shell completes with it."""

import subprocess
from pathlib import Path

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
    assert {"--keep", "--keep-space"} == set(flags.split())


def test_what_is_no_shell_is_a_usage_error(unbroken: Command) -> None:
    assert unbroken("completion", "fish").code == 2
