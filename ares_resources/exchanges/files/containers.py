"""From a path to the unpacked bytes of one table, as a stream, and what format they are in.

Belongs here: missing, empty and packed files, telling formats apart by content, checksums that
lie beside a dump.  Does not belong here: parsing any format.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from ares_resources.errors import BadInput

MAXIMUM_WHOLE_BYTES = 256 * 1024**2
"""Most bytes of a format that must be held whole (all but plain, zipped and gzipped CSV)."""
ALLOWED_FORMATS = "CSV, zip or gz of CSV, Parquet, feather, freqtrade JSON"
HEAD_BYTES = 1 << 16

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLOCK = 1 << 20
_BROKEN = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError)
_ZIP, _GZIP = b"PK", b"\x1f\x8b"


@dataclass(frozen=True)
class Payload:
    """An opened file: ``stream`` gives the unpacked bytes from their start.

    ``read_bytes`` tells how many bytes of the file itself have been read, of ``size``;
    ``fingerprint`` gives the XXH3-128 of the file's bytes, once the stream has been read.
    """

    path: Path
    format: str
    stream: io.BufferedReader
    head: bytes
    size: int
    read_bytes: Callable[[], int]
    fingerprint: Callable[[], str]

    def whole(self) -> bytes:
        """All bytes at once, for formats that cannot be read in blocks.

        Raises
        ------
        BadInput
            If there are more than :data:`MAXIMUM_WHOLE_BYTES`.
        """
        data = self.stream.read(MAXIMUM_WHOLE_BYTES + 1)
        if len(data) > MAXIMUM_WHOLE_BYTES:
            raise BadInput(
                f"unpacks to more than {MAXIMUM_WHOLE_BYTES} bytes; allowed: at most that, "
                "or the same bars as CSV"
            )
        return data


@contextlib.contextmanager
def open_payload(path: Path) -> Iterator[Payload]:
    """Open a file for reading in blocks; a UTF-8 byte-order mark is skipped.

    Raises
    ------
    BadInput
        If it is missing, a folder, empty, of no known format, or a broken archive; errors of
        an archive that show while the block reads are translated too.
    """
    if path.is_dir():
        raise BadInput(f"{path} is a folder; allowed: files ({ALLOWED_FORMATS})")
    magic = b""
    if path.exists() and not path.is_file():
        raise BadInput(f"{path} is a pipe or device; allowed: files ({ALLOWED_FORMATS})")
    try:
        with path.open("rb", buffering=0) as raw, contextlib.ExitStack() as opened:
            magic = raw.read(2) or b""
            raw.seek(0)
            yield _payload(path, magic, raw, opened)
    except _BROKEN as error:
        if magic not in (_ZIP, _GZIP):
            raise BadInput(f"{path} cannot be read: {error}") from error
        what = "broken gzip" if magic == _GZIP else "broken or encrypted zip"
        raise BadInput(f"{path} is a {what}: {error}") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error


def file_fingerprint(path: Path) -> str:
    """XXH3-128 of a file's bytes, hexadecimal: the name of its content in the source ledger."""
    import xxhash

    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def verify_checksum(path: Path) -> str | None:
    """Hold a file against ``<name>.CHECKSUM`` beside it, as Binance publishes them.

    Returns
    -------
    A note that it matched, or None where there is no such file.

    Raises
    ------
    BadInput
        If it does not match, or the checksum file holds none.
    """
    beside = path.with_name(f"{path.name}.CHECKSUM")
    if not beside.is_file():
        return None
    found = re.match(rb"\s*([0-9a-fA-F]{64})\b", beside.read_bytes()[:4096])
    if found is None:
        raise BadInput(f"{beside} holds no SHA-256; allowed: what Binance publishes beside a dump")
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != found[1].decode().lower():
        raise BadInput(
            f"{path} does not match its checksum: SHA-256 is {actual}, {beside.name} says "
            f"{found[1].decode().lower()}; download it again"
        )
    return "SHA-256 matches its .CHECKSUM"


def _payload(path: Path, magic: bytes, raw: BinaryIO, opened: contextlib.ExitStack) -> Payload:
    size = path.stat().st_size
    fingerprint = partial(file_fingerprint, path)
    if magic == _ZIP:
        unpacked: Any = _zip_member(path, raw, opened)
    elif magic == _GZIP:
        unpacked = opened.enter_context(gzip.GzipFile(fileobj=raw, mode="rb"))
    else:
        unpacked = _Fingerprinted(raw)
        fingerprint = unpacked.fingerprint
    stream = io.BufferedReader(unpacked, HEAD_BYTES)
    if stream.peek(3)[:3] == _BYTE_ORDER_MARK:
        stream.read(3)
    head = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
    if not head.strip():
        raise BadInput(f"{path} is empty; allowed: a file with bars ({ALLOWED_FORMATS})")
    file_format = _format(path, head)
    if file_format != "csv":  # their readers go their own ways through the file
        fingerprint = partial(file_fingerprint, path)
    return Payload(path, file_format, stream, head, size, raw.tell, fingerprint)


class _Fingerprinted(io.RawIOBase):
    """A file read once from its start to its end, its bytes digested on the way."""

    def __init__(self, file: BinaryIO) -> None:
        import xxhash

        self._file = file
        self._digest = xxhash.xxh3_128()

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as the file goes."""
        got = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self._digest.update(memoryview(buffer)[:got])
        return got

    def fingerprint(self) -> str:
        """Of all that was read."""
        return self._digest.hexdigest()


def _format(path: Path, head: bytes) -> str:
    """ "parquet", "feather", "json" or "csv", by content; the name does not count."""
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:6] == b"ARROW1":
        return "feather"
    if b"\x00" in head[:4096] or head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadInput(f"{path} is of no known format; allowed: {ALLOWED_FORMATS}")
    return "json" if head.lstrip()[:1] in (b"[", b"{") else "csv"


def _zip_member(path: Path, raw: BinaryIO, opened: contextlib.ExitStack) -> BinaryIO:
    archive = opened.enter_context(zipfile.ZipFile(raw))
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        names = ", ".join(member.filename for member in members[:3])
        raise BadInput(f"{path} holds {len(members)} files ({names}); allowed: one")
    if members[0].flag_bits & 1:
        raise BadInput(f"{path} is a broken or encrypted zip: it asks for a password")
    return opened.enter_context(archive.open(members[0]))  # type: ignore[return-value]
