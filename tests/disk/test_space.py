from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbroken.disk.space import free_bytes, human, require_space
from unbroken.errors import DiskError

_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (1_234_567_890, "1.2 GB"),
        (5 * 10**18, "5000.0 PB"),
    ],
)
def test_sizes_as_people_read_them(count: int, said: str) -> None:
    assert human(count) == said


@given(st.integers(min_value=0, max_value=10**17))
def test_what_is_said_is_right_to_its_last_digit(count: int) -> None:
    number, unit = human(count).split()
    assert abs(float(number) * _UNITS[unit] - count) <= 0.0501 * _UNITS[unit]
    assert float(number) < 1000 or unit == "PB"


@pytest.mark.mounts
def test_free_space_is_that_of_the_disk_the_folder_is_or_will_be_on(mount: Callable[[str], Path]) -> None:
    disk = mount("size=1m")
    assert free_bytes(disk) == 1 << 20
    (disk / "x").write_bytes(bytes(1 << 19))
    assert free_bytes(disk / "not" / "yet" / "made") == 1 << 19


@pytest.mark.mounts
def test_too_little_space_is_refused_with_all_a_user_needs(mount: Callable[[str], Path]) -> None:
    disk = mount("size=1m")
    require_space(disk, 1 << 20)
    with pytest.raises(DiskError) as refused:
        require_space(disk, (1 << 20) + 1)
    assert refused.value.values == {"path": disk, "needed": "1.0 MB", "free": "1.0 MB"}
    assert str(disk) in str(refused.value)
