"""Leaves out tests whose needs are not met here, and tells what was left out at the end."""

import pytest

from tests import needs
from tests.needs import NEEDS

_EVERY = "--nothing-left-out"
_LEFT_OUT = "left out, it needs "


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(_EVERY, action="store_true", help="fail if a test was left out for what the machine does not have")


def pytest_configure(config: pytest.Config) -> None:
    for name, need in NEEDS.items():
        config.addinivalue_line("markers", f"{name}: needs to {need.what}: {need.brought_by}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
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
        tests = "1 test was left out, which has" if count == 1 else f"{count} tests were left out, which have"
        terminalreporter.write_line(f"{tests} to {need.what}: {need.brought_by}", yellow=True)


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
