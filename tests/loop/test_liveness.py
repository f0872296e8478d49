"""Which names are read before they are set, from where a function waits."""

import sys
from collections.abc import Iterator

from unbroken.loop.liveness import LOCAL, live_at, live_at_entry


def looked_at(found: list[set[str]]) -> Iterator[int]:
    for number in range(3):
        frame = sys._getframe(1)
        found.append({name.removeprefix(LOCAL) for name in live_at(frame) if name.startswith(LOCAL)})
        yield number


def test_a_loop_reads_what_it_gathers_and_not_what_it_sets() -> None:
    found: list[set[str]] = []
    total, best, last, unused = 0, 9, None, 1
    for number in looked_at(found):
        last = number * 2
        total += last
        if number < best:
            best = number
    print(last, unused)
    assert found[0] == {"total", "best", "unused", "found"}
    assert found[0] == found[1] == found[2]


def test_a_loop_inside_is_taken_to_run() -> None:
    found: list[set[str]] = []
    value = 1
    for number in looked_at(found):
        for inner in range(number):
            value = inner
        print(value)
    assert "value" not in found[0]


def test_a_name_of_a_function_inside_is_read() -> None:
    found: list[set[str]] = []
    best = 1

    def judge(number: int) -> None:
        nonlocal best
        best = min(best, number)

    for number in looked_at(found):
        judge(number)
    assert "best" in found[0]


def test_what_a_function_reads_first() -> None:
    def function(a: int, b: int) -> int:
        b = a + 1
        a = b
        return a + b

    assert live_at_entry(function.__code__) == {LOCAL + "a"}
