"""The packages that the training program needs and the library does not: asked for before anything is read."""

from importlib.util import find_spec

from forecaster.errors import InputError

# pyarrow, of the same extra, is asked for only where a Parquet file is read.
_PACKAGES = ("matplotlib", "pandas")


def require_packages() -> None:
    """Raise InputError with the command that installs them, where packages of the extra ``forecaster`` are missing."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise InputError("packages_missing", names=", ".join(missing))
