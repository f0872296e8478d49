"""How the tests are run: side by side, without those whose needs are not met here, which are told at the end."""

import os
import sys
import time
from collections.abc import Generator
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests import needs
from tests.needs import NEEDS

# Before torch is imported here or in a child. The tests run side by side, one thread each.
for _threads in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

# Hundreds of children import what is tested: compiled anew each time, that takes each a third of a second more.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# On a busy machine nothing is slow for a reason of its own.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

_EVERY = "--nothing-left-out"
_SAMPLE = "--one-in"
_DAY = 24 * 60 * 60  # seconds
_LEFT_OUT = "left out, it needs "

# What begins early does not keep one process busy when the others have ended; what shares long fixtures stays together.
_FIRST = ("docs/test_commands.py", "contract", "kill", "golden")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(_EVERY, action="store_true", help="fail if a test was left out for what the machine does not have")
    parser.addoption(
        _SAMPLE, type=int, metavar="N", help="one in N of the tests that have the usual time: others each day"
    )


def pytest_configure(config: pytest.Config) -> None:
    for name, need in NEEDS.items():
        config.addinivalue_line("markers", f"{name}: needs {need.what}: {need.brought_by}")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    items.sort(key=lambda item: _place(_group(item.nodeid)))
    _leave_variants_to_the_slow_ones(items)
    if config.getoption(_SAMPLE):
        _sample(config, items)
    yield
    _leave_out(items)


class _Together(LoadScopeScheduling):
    """One process runs all tests of a file, or of a folder whose files share what takes long to make."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Together(config, log)


def _place(group: str) -> int:
    return next((number for number, path in enumerate(_FIRST) if group.startswith(path)), len(_FIRST))


def _group(nodeid: str) -> str:
    path = nodeid.partition("::")[0].removeprefix("tests/")
    return next((folder for folder in _FIRST if path.startswith(f"{folder}/")), path)


def _leave_variants_to_the_slow_ones(items: list[pytest.Item]) -> None:
    """Of the cases of a test marked ``one_in(n)`` so many are quick, drawn by their names."""
    families: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("one_in"):
            families.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in families.values():
        (count,) = cases[0].get_closest_marker("one_in").args  # type: ignore[union-attr]
        cases.sort(key=lambda item: crc32(item.nodeid.encode()))
        for item in cases[-(-len(cases) // count) :]:
            item.add_marker(pytest.mark.slow)


def _sample(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave one in N of the tests: after N days each has run, so that none grows old unseen."""
    count = config.getoption(_SAMPLE)
    turn = int(time.time() / _DAY) % count

    def chosen(item: pytest.Item) -> bool:
        return item.get_closest_marker("timeout") is None and crc32(item.nodeid.encode()) % count == turn

    config.hook.pytest_deselected(items=[item for item in items if not chosen(item)])
    items[:] = [item for item in items if chosen(item)]


def _leave_out(items: list[pytest.Item]) -> None:
    marked = {item: [mark.name for mark in item.iter_markers()] for item in items}
    missing = set(needs.unmet(name for names in marked.values() for name in names))
    for item, names in marked.items():
        for name in missing & set(names):
            item.add_marker(pytest.mark.skip(reason=_LEFT_OUT + name))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    needs.announce(mark.name for mark in item.iter_markers())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, count in _left_out(terminalreporter).items():
        need = NEEDS[name]
        tests = "1 test left out, which needs" if count == 1 else f"{count} tests left out, which need"
        terminalreporter.write_line(f"{tests} {need.what}: {need.brought_by}", yellow=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and session.config.getoption(_EVERY) and _left_out(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _left_out(reporter: pytest.TerminalReporter) -> dict[str, int]:
    """How many tests were left out for each need."""
    counted = dict.fromkeys(NEEDS, 0)
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        _, found, name = reason.partition(_LEFT_OUT)
        if found:
            counted[name] += 1
    return {name: count for name, count in counted.items() if count}
