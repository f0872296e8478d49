"""What a data file is, by its first bytes; a kind that is not read here is refused with the way to one that is."""

import shlex
import zipfile
from pathlib import Path

from forecaster.errors import InputError
from forecaster.messages import shortened

GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
HEAD = 16  # bytes, enough to know a kind by

_EXCEL_97 = b"\xd0\xcf\x11\xe0"
_ZIP = b"PK\x03\x04"
_FEATHER = (b"ARROW1", b"FEA1")
# What is packed otherwise than with gzip, and the command that unpacks it beside itself.
_PACKED = ((b"BZh", "bzip2 -dk"), (b"\xfd7zXZ\0", "xz -dk"), (b"\x28\xb5\x2f\xfd", "zstd -d"))
_OTHERS = (
    (b"\x89HDF", "HDF5"),
    (b"SQLite format 3", "SQLite"),
    (b"ORC", "ORC"),
    (b"\x93NUMPY", "NumPy"),
    *((bytes([0x80, protocol]), "pickle") for protocol in range(2, 6)),
    (b"7z\xbc\xaf", "7z"),
    (b"Rar!", "RAR"),
    (b"%PDF", "PDF"),
)
_TEXT_OTHERS = ((b"<", "HTML/XML"), (b"{", "JSON"), (b"[", "JSON"))


def refuse_other_kinds(head: bytes, path: Path) -> None:
    """Raises InputError where the file, or what it unpacks to, begins as something that is no CSV and no Parquet."""
    if head.startswith(_ZIP):
        raise _of_zip(path)
    if head.startswith(_EXCEL_97):
        raise _excel(path)
    if head.startswith(_FEATHER):
        raise InputError("data_feather", path=path, code=_converted("read_feather", path, "parquet"))
    for magic, command in _PACKED:
        if head.startswith(magic):
            raise InputError("data_packed", path=path, command=f"{command} {shlex.quote(str(path))}")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for start, others in ((head, _OTHERS), (text, _TEXT_OTHERS)):
        for magic, kind in others:
            if start.startswith(magic):
                raise InputError("data_other_kind", path=path, kind=kind)


def _of_zip(path: Path) -> InputError:
    """A workbook is a zip archive, too; which of both a damaged one was, its name tells."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):  # damaged, or inside gzip
        names = []
    if any(name.startswith("xl/") for name in names) or path.suffix.lower() in (".xlsx", ".xlsm", ".xlsb"):
        return _excel(path)
    held = ", ".join(shortened(name) for name in names[:3]) or "?"
    return InputError("data_zip", path=path, names=held, command=f"unzip {shlex.quote(str(path))}")


def _excel(path: Path) -> InputError:
    return InputError("data_excel", path=path, code=_converted("read_excel", path, "csv"))


def _converted(read: str, path: Path, suffix: str) -> str:
    """The line of pandas that writes ``path`` as a file that is read here."""
    target = str(path.with_suffix(f".{suffix}"))
    if suffix == "parquet":
        return f"pandas.{read}({str(path)!r}).to_parquet({target!r})"
    return f"pandas.{read}({str(path)!r}, dtype=str).to_csv({target!r}, index=False)"
