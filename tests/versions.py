"""The tests on every Python found here with the oldest and the newest torch that install: ``python -m tests.versions``.

Each pair has an environment of its own under ``.venv-versions/``, which is kept for the next time. Where torch comes
only as a build with CUDA, which takes gigabytes, the pair is left out, and said, unless ``--cuda`` is given.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".venv-versions"
_PLACES = (
    "~/.pyenv/versions/*/bin",
    "~/.local/share/uv/python/*/bin",
    "/usr/local/bin",
    "/opt/*/bin",
    "/opt/hostedtoolcache/Python/*/*/bin",
)
_IMPORTS = (
    "import pkgutil, importlib, unbroken, forecaster\n"
    "for package in (unbroken, forecaster):\n"
    "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
    "        if not module.name.endswith(('__main__', 'sitecustomize')):\n"
    "            importlib.import_module(module.name)\n"
)
SLICES = {"imports": ("tests/docs/test_examples.py", "tests/test_messages.py")}

Version = tuple[int, ...]


@dataclass(frozen=True)
class Interpreter:
    """A Python that is installed here."""

    path: Path
    version: Version

    @property
    def minor(self) -> Version:
        return self.version[:2]


@dataclass(frozen=True)
class Result:
    """How one pair did: ``failed`` is False also for one that was left out."""

    python: Version
    torch: str
    said: str
    failed: bool = False


def supported() -> tuple[Version, Version]:
    """The oldest Python and the oldest torch that pyproject.toml promises."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    torch = next(line for line in project["dependencies"] if line.startswith("torch>="))
    return version(project["requires-python"].removeprefix(">=")), version(torch.removeprefix("torch>="))


def version(text: str) -> Version:
    """``"2.6.0+cpu"`` → ``(2, 6, 0)``."""
    return tuple(int(part) for part in re.match(r"\d+(\.\d+)*", text)[0].split("."))  # type: ignore[index]


def spelled(of: Version) -> str:
    return ".".join(map(str, of))


def interpreters(oldest: Version) -> list[Interpreter]:
    """Of every minor version from ``oldest`` on the newest one found on the path or where they are usually kept."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for pattern in _PLACES:
        absolute = Path(pattern).expanduser()
        folders += sorted(Path("/").glob(str(absolute.relative_to("/"))))
    named = (
        path for folder in folders for path in folder.glob("python3.*") if re.fullmatch(r"python3\.\d+", path.name)
    )
    return newest_of_each(filter(None, map(asked, dict.fromkeys(path.resolve() for path in named))), oldest)


def asked(path: Path) -> Interpreter | None:
    """The interpreter at ``path``; None where it does not start."""
    script = "import sys, venv; print('.'.join(map(str, sys.version_info[:3])))"
    try:
        said = subprocess.run([str(path), "-c", script], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Interpreter(path, version(said.stdout)) if said.returncode == 0 and said.stdout else None


def newest_of_each(found: Iterable[Interpreter], oldest: Version) -> list[Interpreter]:
    newest: dict[Version, Interpreter] = {}
    for one in found:
        if one.minor >= oldest and one.version > newest.get(one.minor, Interpreter(Path(), ())).version:
            newest[one.minor] = one
    return [newest[minor] for minor in sorted(newest)]


def oldest_release(listing: str, oldest: Version) -> str | None:
    """Of what ``pip index versions`` prints, the oldest release that is not older than ``oldest``."""
    line = re.search(r"^Available versions: (.*)$", listing, re.MULTILINE)
    names = line[1].split(", ") if line else []
    return min((name for name in names if version(name) >= oldest), key=version, default=None)


def brings_cuda(metadata: Mapping[str, Any]) -> bool:
    """Whether a release of torch, by its metadata, installs NVIDIA's libraries on Linux."""
    return any(re.match(r"nvidia-|cuda-", line) for line in metadata.get("requires_dist", ()))


def chosen_torches(python: Interpreter, oldest: Version) -> dict[str, bool]:
    """The oldest and the newest torch that pip would install for ``python``, and whether each brings CUDA."""
    pip = [str(python.path), "-m", "pip"]
    listing = subprocess.run([*pip, "index", "versions", "torch"], capture_output=True, text=True).stdout
    first = oldest_release(listing, oldest)
    found = {}
    for wanted in ("torch", *([f"torch=={first}"] if first else [])):
        plan = [*pip, "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-", wanted]
        done = subprocess.run(plan, capture_output=True, text=True)
        if done.returncode == 0:
            (release,) = json.loads(done.stdout)["install"]
            found[release["metadata"]["version"]] = brings_cuda(release["metadata"])
    return found


def prepared(python: Interpreter, torch: str) -> Path:
    """The interpreter of an environment with this torch and all that the tests need."""
    folder = ENVIRONMENTS / f"{spelled(python.minor)}-torch{torch}"
    binary = folder / "bin" / "python"
    if (folder / "ready").exists():
        return binary
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([str(python.path), "-m", "venv", str(folder)], check=True)
    subprocess.run(
        [str(binary), "-m", "pip", "install", "--quiet", "-e", f"{ROOT}[test]", f"torch=={torch}"], check=True
    )
    (folder / "ready").touch()
    return binary


def tried(binary: Path, tests: Sequence[str]) -> tuple[str, bool]:
    """The last line of what the tests say, after every module could be imported; whether something failed."""
    environment = {**os.environ, "PATH": f"{binary.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    imported = subprocess.run([str(binary), "-c", _IMPORTS], cwd=ROOT, env=environment, capture_output=True, text=True)
    if imported.returncode != 0:
        return last_line(imported.stderr), True
    ran = subprocess.run(
        [str(binary), "-m", "pytest", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if ran.returncode != 0:
        print(ran.stdout[-20_000:])
    return last_line(ran.stdout), ran.returncode != 0


def last_line(text: str) -> str:
    return next((line.strip("= ") for line in reversed(text.splitlines()) if line.strip()), "")


def results(pairs: Iterable[tuple[Interpreter, str, bool]], tests: Sequence[str], *, cuda: bool) -> Iterable[Result]:
    for python, torch, is_cuda in pairs:
        if is_cuda and not cuda:
            yield Result(python.version, torch, "left out: only a build with CUDA is offered here (--cuda installs it)")
            continue
        try:
            binary = prepared(python, torch)
        except subprocess.CalledProcessError as error:
            yield Result(python.version, torch, f"does not install: {error}", failed=True)
            continue
        yield Result(python.version, torch, *tried(binary, tests))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=__doc__)
    parser.add_argument("--only", choices=SLICES, help="a short slice of the tests")
    parser.add_argument("--cuda", action="store_true", help="install builds with CUDA too, gigabytes each")
    parser.add_argument("tests", nargs="*", help="what pytest is given (default: the quick suite)")
    given = parser.parse_args(argv)
    python, torch = supported()
    found = interpreters(python)
    pairs = chain.from_iterable(
        (
            (one, name, cuda)
            for name, cuda in sorted(chosen_torches(one, torch).items(), key=lambda item: version(item[0]))
        )
        for one in found
    )
    failed = False
    for result in results(pairs, SLICES[given.only] if given.only else given.tests, cuda=given.cuda):
        failed |= result.failed
        mark = "FAILED " if result.failed else ""
        print(f"Python {spelled(result.python)}, torch {result.torch}: {mark}{result.said}", flush=True)
    return int(failed or not found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
