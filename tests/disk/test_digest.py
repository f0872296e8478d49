from pathlib import Path

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from unbroken.disk.digest import bytes_digest, file_digest


def test_the_digest_names_its_algorithm_and_is_the_published_one() -> None:
    assert bytes_digest(b"") == "xxh3_128:99aa06d3014798d86001c324468d497f"  # from xxHash's own test vectors
    assert bytes_digest(b"abc") == f"xxh3_128:{xxhash.xxh3_128_hexdigest(b'abc')}"


@given(st.lists(st.binary(max_size=50)))
def test_only_the_bytes_count_and_not_how_they_were_cut(parts: list[bytes]) -> None:
    assert bytes_digest(*parts) == bytes_digest(b"".join(parts))


def test_a_file_larger_than_the_buffer(tmp_path: Path) -> None:
    content = bytes(range(256)) * (4096 * 2 + 1)
    path = tmp_path / "large"
    path.write_bytes(content)
    assert file_digest(path) == bytes_digest(content)
    path.write_bytes(content[:-1] + b"\0")
    assert file_digest(path) != bytes_digest(content)


def test_a_missing_file_is_the_callers_to_judge(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "none")
