"""Origins: whether code was written by the user, or came with a library."""

import sys
import sysconfig
from functools import cache
from pathlib import Path

_OURS = Path(__file__).resolve().parents[1]
_TYPED_IN = ("<stdin>", "<string>", "<ipython", "<doctest", "<console")


def is_users(kind: type) -> bool:
    """Whether a class is the user's own."""
    if kind.__module__ == "__main__":
        return True
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return file is not None and is_users_file(file)


@cache
def is_users_file(name: str) -> bool:
    """Whether the code of a file of this name, as in ``co_filename``, is the user's own."""
    if name.startswith("<"):
        return name.startswith(_TYPED_IN)
    path = Path(name).resolve()
    libraries = [Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    return "site-packages" not in path.parts and not any(path.is_relative_to(one) for one in (*libraries, _OURS))
