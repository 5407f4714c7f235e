"""Append-only logs of lines `crc32c json`: receipts and journals.

A damaged line (torn tail, flipped bit, foreign text) is skipped and named; all others count. A
log that ends in a torn line is closed with a newline before the next append, so that the torn
line never swallows the good one after it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import google_crc32c
import orjson

from tracefactory.store.files import disk_errors, write_all


@dataclass(frozen=True, slots=True)
class Line:
    """One good line of a log."""

    number: int
    data: Mapping[str, Any]
    offset: int
    """Where the line starts, in bytes; `read_at` finds it again."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One line that cannot be trusted."""

    path: Path
    number: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.number}: {self.reason}; the line is skipped"


def frame(data: Mapping[str, Any]) -> bytes:
    """One line: eight hex digits of the CRC-32C of the JSON, a space, the JSON, a newline."""
    body = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    return b"%08x %b\n" % (google_crc32c.value(body), body)


def parse(line: bytes) -> Mapping[str, Any] | str:
    """Read back one line; a string says why it cannot be trusted."""
    if not line.endswith(b"\n"):
        return "torn line (no newline at the end)"
    checksum, separator, body = line[:8], line[8:9], line[9:-1]
    if separator != b" " or b"%08x" % google_crc32c.value(body) != checksum:
        return "checksum does not match"
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "not JSON"
    return cast("Mapping[str, Any]", data) if isinstance(data, dict) else "not a JSON object"


def replay(path: Path) -> Iterator[Line | Damage]:
    """All lines in order, good or damaged; none if there is no file. Never raises on content."""
    if not path.exists():
        return
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            start, offset = offset, offset + len(line)
            if line == b"\n":  # what closes a torn tail
                continue
            found = parse(line)
            if isinstance(found, str):
                yield Damage(path, number, found)
            else:
                yield Line(number, found, start)


def read_at(path: Path, offset: int) -> Mapping[str, Any]:
    """The good line that starts at `offset`.

    Raises:
        ValueError: there is none any more.
    """
    with path.open("rb") as file:
        file.seek(offset)
        found = parse(file.readline())
    if isinstance(found, str):
        raise ValueError(f"{path} at byte {offset}: {found}")
    return found


class Log:
    """A log open for appending, by one process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with disk_errors(path, 0):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            size = os.fstat(self._fd).st_size
            if size and os.pread(self._fd, 1, size - 1) != b"\n":
                write_all(self._fd, b"\n")

    def append(self, *records: Mapping[str, Any], sync: bool = True) -> int:
        """Add records; with `sync` they survive a power cut, without it they survive kill -9.

        Returns the offset of the first, for `read_at`.

        Raises:
            ResourceError: disk full; the log stays readable.
        """
        data = b"".join(map(frame, records))
        start = os.fstat(self._fd).st_size
        with disk_errors(self.path, len(data)):
            try:
                write_all(self._fd, data)
            except OSError:
                os.ftruncate(self._fd, start)  # a half line would only be noise in the next replay
                raise
            if sync:
                os.fsync(self._fd)
        return start

    def close(self) -> None:
        """Sync and close; safe to call twice."""
        if self._fd >= 0:
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
