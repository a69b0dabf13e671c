"""From a path to the bytes of one table, and what format these bytes are in.

Belongs here: missing, empty and packed files, and telling formats apart by content.  Does
not belong here: parsing any format.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from pathlib import Path

from ares_resources.errors import BadInput

MAXIMUM_BYTES = 4 * 1024**3
ALLOWED_FORMATS = "CSV, zip or gz of CSV, Parquet, feather, freqtrade JSON"


def read_payload(path: Path) -> bytes:
    """The unpacked content of a file, UTF-8 byte-order mark removed.

    Raises
    ------
    BadInput
        If it is missing, a folder, empty, too large unpacked, or a broken archive.
    """
    data = _file_bytes(path)
    if data[:2] == b"PK":
        data = _from_zip(path, data)
    elif data[:2] == b"\x1f\x8b":
        data = _from_gzip(path, data)
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise BadInput(f"{path} is empty; allowed: a file with bars ({ALLOWED_FORMATS})")
    return data


def payload_format(path: Path, data: bytes) -> str:
    """ "parquet", "feather", "json" or "csv", by content; the name does not count.

    Raises
    ------
    BadInput
        If it is none of these.
    """
    head = data[:4096]
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:6] == b"ARROW1":
        return "feather"
    if b"\x00" in head or head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadInput(f"{path} is of no known format; allowed: {ALLOWED_FORMATS}")
    return "json" if head.lstrip()[:1] in (b"[", b"{") else "csv"


def _file_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise BadInput(f"{path} is a folder; allowed: files ({ALLOWED_FORMATS})")
    try:
        size = path.stat().st_size
        if size > MAXIMUM_BYTES:
            raise BadInput(f"{path} holds {size} bytes; allowed: at most {MAXIMUM_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error


def _from_zip(path: Path, data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) != 1:
                names = ", ".join(member.filename for member in members[:3])
                raise BadInput(f"{path} holds {len(members)} files ({names}); allowed: one")
            with archive.open(members[0]) as file:
                return _limited(path, file.read(MAXIMUM_BYTES + 1))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadInput(f"{path} is a broken or encrypted zip: {error}") from error


def _from_gzip(path: Path, data: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as file:
            return _limited(path, file.read(MAXIMUM_BYTES + 1))
    except (OSError, zlib.error, EOFError) as error:
        raise BadInput(f"{path} is a broken gzip: {error}") from error


def _limited(path: Path, data: bytes) -> bytes:
    if len(data) > MAXIMUM_BYTES:
        raise BadInput(f"{path} unpacks to more than {MAXIMUM_BYTES} bytes; allowed: at most that")
    return data
