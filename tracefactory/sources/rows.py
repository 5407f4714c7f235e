"""Read a user's files as rows: JSONL, JSON, CSV and Parquet, the text ones also as .gz or .zst.

`pieces` says how a path can be read in parallel, `read` streams one piece in bounded memory.

A bad line is data: it comes out as a `BadRow` with a stable reason, in its place, and nothing is
left out in silence. A bad set-up (no such file, an empty file, a file that is not what its name
says) is a `SourceError`.

Not here: what a row means (mapping.py), and any guess at a column's type: CSV values are text. Of
two equal keys in one JSON object the last counts, as in every common parser.
"""

import codecs
import csv
import difflib
import glob
import gzip
import json
import math
import os
import re
import zlib
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tracefactory.errors import SourceError as SourceError

Format = Literal["jsonl", "json", "csv", "parquet"]
Compression = Literal["", "gz", "zst"]

MIB = 1024 * 1024
MAX_LINE_BYTES = 64 * MIB
MAX_EXCERPT_CHARS = 200
MAX_DEPTH = 200
"""Brackets inside brackets. orjson writes 254: a much deeper row could be read but not written."""
MAX_DIGITS = 4_300
"""Digits of one number; Python's own limit, because reading digits takes quadratic time."""

_FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_COMPRESSIONS: dict[str, Compression] = {".gz": "gz", ".zst": "zst"}
_MAGIC: dict[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PAR1": "Parquet",
    b"version https://git-lfs": "a Git LFS pointer",
}
_BLOCK_BYTES = MIB
_UNPACK_BYTES = 64 * 1024
_BATCH_ROWS = 256
_HEAD_BYTES = 4 * MAX_EXCERPT_CHARS  # enough for an excerpt of four-byte characters
_BEYOND_64_BITS = float(2**63)


@dataclass(frozen=True, slots=True)
class Row:
    """One object of the file."""

    line: int
    """From 1: the line in JSONL; in the other formats the number of the row, bad ones counted."""
    value: dict[str, object]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line or row that cannot be used; where a file breaks off, all that would have followed."""

    line: int
    reason: str
    """Short, stable, countable: `not_json`, `not_utf8`, `line_too_long`, ..."""
    excerpt: str
    """Its beginning, printable, at most 200 characters; for Parquet what the reader said."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one worker reads: a file, or a part that no other overlaps. All fields are JSON."""

    path: str
    format: Format
    compression: Compression
    start: int
    """First byte, always the beginning of a line; in Parquet the first row group."""
    stop: int
    """One after the last byte (row group)."""
    first_line: int
    """The number of the first line (row) in it."""
    size: int
    """Bytes of the whole file when the pieces were made: another size now is another file."""


class _BrokenStreamError(Exception):
    """A compressed file that breaks off after some good data."""


class _RecordTooLongError(Exception):
    """A CSV record that goes over the limit: most often a quote that is never closed."""


# --- Which files, which pieces -----------------------------------------------------------------


def pieces(
    path: Path, target_bytes: int = 64 * MIB, *, format: Format | None = None
) -> list[Piece]:
    """Cut what `path` names into parts of about `target_bytes` that can be read in parallel.

    `path` is a file, a folder (all readable files below it, hidden ones left out) or a glob;
    several files come in sorted order. JSONL is cut between lines and Parquet between row groups;
    the others stay whole. A long JSONL file is read once here, so that a line has the same number
    whatever the target.

    Raises:
        SourceError: no such path, no permission, no readable file in it, an empty file, or a file
            that is not what its extension (or `format`) says.
    """
    if target_bytes < 1:
        raise SourceError(f"target_bytes is {target_bytes}; it must be at least 1")
    try:
        files = _files(path, format)
        return [piece for file in files for piece in _cut(file, target_bytes, format)]
    except OSError as error:
        raise _unreadable(error.filename or path, error) from error


def _files(path: Path, format: Format | None) -> list[Path]:
    if path.is_dir():
        found = _inside(path)
    elif path.exists():
        return [path]
    elif glob.has_magic(str(path)):
        found = _matches(path)
    else:
        raise SourceError(_no_such(path))
    wanted = {format} if format else set(_FORMATS.values())
    readable = sorted({file for file in found if _kind(file)[0] in wanted})
    if not readable:
        names = ", ".join(sorted(file.name for file in found)[:10]) or "nothing"
        asked = format or ", ".join(_FORMATS)
        raise SourceError(f"{path}: no file to read: wanted {asked}, found {names}; check the path")
    return readable


def _inside(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> NoReturn:
        raise error  # os.walk would leave an unreadable folder out in silence

    found: list[Path] = []
    for here, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(here, name) for name in names if not name.startswith(".")]
    return found


def _matches(path: Path) -> list[Path]:
    parts = path.parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:first])
    if not base.is_dir():
        raise SourceError(_no_such(base))
    found = list(base.glob("/".join(parts[first:])))
    if not any(
        part.startswith(".") for part in parts[first:]
    ):  # * means no hidden file, as in a shell
        found = [file for file in found if "/." not in f"/{file.relative_to(base)}"]
    if not found:
        held = ", ".join(sorted(child.name for child in base.iterdir())[:10]) or "nothing"
        raise SourceError(f"{path}: matches nothing; {base} holds {held}; check the pattern")
    return [file for match in found for file in (_inside(match) if match.is_dir() else [match])]


def _no_such(path: Path) -> str:
    parent, name = path.parent, path.name
    while not parent.is_dir() and parent != parent.parent:
        parent, name = parent.parent, parent.name
    siblings = sorted(child.name for child in parent.iterdir())
    near = difflib.get_close_matches(name, siblings, n=1, cutoff=0.0)
    hint = f"the nearest name in {parent} is {near[0]!r}" if near else f"{parent} is empty"
    return f"{path}: does not exist; {hint}; check the path"


def _unreadable(path: object, error: BaseException) -> SourceError:
    why = getattr(error, "strerror", None) or error
    return SourceError(f"{path}: cannot be read ({why}); check what it is, and its permissions")


def _kind(file: Path) -> tuple[Format | None, Compression]:
    """Format and compression by extension; the format is None if the extension says nothing."""
    suffixes = [suffix.lower() for suffix in file.suffixes] or [""]
    compression: Compression = _COMPRESSIONS.get(suffixes[-1], "")
    if compression:
        suffixes.pop()
    return _FORMATS.get(suffixes[-1]) if suffixes else None, compression


def _cut(file: Path, target_bytes: int, format: Format | None) -> list[Piece]:
    by_name, compression = _kind(file)
    chosen = format or by_name
    if chosen is None:
        raise SourceError(
            f"{file}: unknown extension; known are {', '.join(_FORMATS)} (also .gz, .zst); "
            "rename it, or say its format"
        )
    if not file.is_file():
        raise SourceError(f"{file}: is neither a file nor a folder; name a file")
    size = file.stat().st_size
    if size == 0:
        raise SourceError(f"{file}: is empty (0 bytes); write it again, or leave it out")
    _check_magic(file, chosen, compression)
    if chosen == "parquet":
        return _cut_parquet(file, size, target_bytes)
    starts = [(0, 1)]
    if chosen == "jsonl" and not compression and size > target_bytes:
        starts = _line_starts(file, size, target_bytes)
    stops = [start for start, _ in starts[1:]] + [size]
    return [
        Piece(str(file), chosen, compression, start, stop, line, size)
        for (start, line), stop in zip(starts, stops, strict=True)
    ]


def _check_magic(file: Path, format: Format, compression: Compression) -> None:
    with file.open("rb") as stream:
        head = stream.read(32)
    found = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "plain text")
    packed = {"": "plain text", "gz": "gzip", "zst": "Zstandard"}[compression]
    wanted = "Parquet" if format == "parquet" else packed
    if found != wanted:
        raise SourceError(
            f"{file}: should be {wanted} by its name, but looks like {found} (it begins with "
            f"{head[:8]!r}); give it the right extension, or fetch it again"
        )


def _line_starts(file: Path, size: int, target_bytes: int) -> list[tuple[int, int]]:
    """Byte and number of each piece's first line: the next one `target_bytes` after the last."""
    starts = [(0, 1)]
    line, offset = 1, 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            at = 0
            while True:
                # the newline just before the wanted byte already makes a line begin there
                wanted = starts[-1][0] + target_bytes - 1 - offset
                newline = block.find(b"\n", max(at, wanted))
                if newline < 0:
                    break
                line += block.count(b"\n", at, newline + 1)
                at = newline + 1
                if offset + at < size:
                    starts.append((offset + at, line))
            line += block.count(b"\n", at)
            offset += len(block)
    return starts


def _cut_parquet(file: Path, size: int, target_bytes: int) -> list[Piece]:
    with _open_parquet(str(file)) as opened:
        names: list[str] = opened.schema_arrow.names
        _check_names(str(file), names)
        groups = [opened.metadata.row_group(i) for i in range(opened.metadata.num_row_groups)]
        sizes = [(int(group.total_byte_size), int(group.num_rows)) for group in groups]
        promised = int(opened.metadata.num_rows)
    n_rows = sum(rows for _, rows in sizes)
    if n_rows != promised:
        raise SourceError(
            f"{file}: is broken Parquet (promises {promised} rows, has {n_rows}); write it again"
        )
    if not n_rows:
        raise SourceError(f"{file}: has no rows; write it again, or leave it out")
    found: list[Piece] = []
    start, held, row, first = 0, 0, 1, 1
    for i, (group_bytes, rows) in enumerate(sizes):
        held, row = held + group_bytes, row + rows
        if held >= target_bytes or i == len(sizes) - 1:
            found.append(Piece(str(file), "parquet", "", start, i + 1, first, size))
            start, held, first = i + 1, 0, row
    return found


def _open_parquet(path: str) -> Any:  # noqa: ANN401  (pyarrow has no types)
    try:
        # pre-buffered, a whole row group would be in memory before its first row
        file: Any = pq.ParquetFile(path, pre_buffer=False, buffer_size=_BLOCK_BYTES)
        list(file.schema_arrow.names)  # where a damaged name shows itself
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path}: is broken Parquet ({error}); write or fetch it again"
        ) from error
    return file


def _check_names(path: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(f"{path}: has several columns named {', '.join(twice)}; rename them")


# --- Reading a piece ---------------------------------------------------------------------------


def read(
    piece: Piece, *, columns: Collection[str] | None = None, max_line_bytes: int = MAX_LINE_BYTES
) -> Iterator[Row | BadRow]:
    """Stream the rows of a piece in file order, with only the named columns if any are named.

    Blank lines are skipped, a byte order mark is ignored. A line (JSON element, CSV record) of more
    than `max_line_bytes` is a BadRow and is never in memory as a whole.

    Raises:
        SourceError: while iterating: the file is gone, changed its size, has no rows, or turns out
            not to be what its extension says.
    """
    wanted = None if columns is None else frozenset(columns)
    if piece.format == "parquet":
        rows = _read_parquet(piece, wanted)
    else:
        rows = _READERS[piece.format](piece, max_line_bytes)
    none_yet = True
    try:
        for row in rows:
            none_yet = False
            if wanted is not None and type(row) is Row:
                row = Row(row.line, {k: v for k, v in row.value.items() if k in wanted})
            yield row
    except OSError as error:
        raise _unreadable(piece.path, error) from error
    if none_yet and piece.first_line == 1 and piece.stop == piece.size:
        raise SourceError(f"{piece.path}: has no rows; write it again, or leave it out")


def _read_jsonl(piece: Piece, limit: int) -> Iterator[Row | BadRow]:
    number = piece.first_line - 1
    try:
        for raw in _lines(_blocks(piece), limit):
            number += 1
            if isinstance(raw, _TooLong):
                yield BadRow(number, "line_too_long", _excerpt(raw.head))
            elif row := _row(number, raw):
                yield row
    except _BrokenStreamError as error:
        yield BadRow(number + 1, "broken_compression", _excerpt(str(error)))


def _row(number: int, raw: bytes | bytearray) -> Row | BadRow | None:
    """The row of one JSON text; None if it is blank."""
    value, reason = _parse(raw)
    if isinstance(value, dict):
        return Row(number, cast("dict[str, object]", value))
    if not raw.strip():
        return None
    return BadRow(number, reason, _excerpt(raw))


def _blocks(piece: Piece) -> Iterator[bytes]:
    """The bytes of a text piece, unpacked, without a byte order mark.

    Raises:
        SourceError: if the file is another one now, or its compression is broken from the start.
        _BrokenStreamError: if the compression breaks later.
    """
    _check_size(piece)
    with Path(piece.path).open("rb") as file:
        first = piece.start == 0
        for block in _unpacked(file, piece) if piece.compression else _plain(file, piece):
            yield block.removeprefix(codecs.BOM_UTF8) if first else block
            first = False


def _check_size(piece: Piece) -> None:
    size = Path(piece.path).stat().st_size
    if size != piece.size:
        raise SourceError(
            f"{piece.path}: had {piece.size} bytes when the pieces were made, has {size} now; "
            "put the old file back, or start anew"
        )


def _plain(file: BinaryIO, piece: Piece) -> Iterator[bytes]:
    file.seek(piece.start)
    n_bytes = piece.stop - piece.start
    while n_bytes > 0 and (block := file.read(min(_BLOCK_BYTES, n_bytes))):
        n_bytes -= len(block)
        yield block


def _unpacked(file: BinaryIO, piece: Piece) -> Iterator[bytes]:
    # A read that meets the break gives nothing, so each is small; read1 stops before the break.
    take: Callable[[int], bytes] = (
        gzip.GzipFile(fileobj=file).read1
        if piece.compression == "gz"
        else pa.CompressedInputStream(pa.PythonFile(file), "zstd").read
    )
    any_yet = False
    try:
        while block := take(_UNPACK_BYTES):
            yield block
            any_yet = True
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        if not any_yet:
            raise SourceError(
                f"{piece.path}: cannot be unpacked ({error}); fetch or write it again"
            ) from error
        raise _BrokenStreamError(str(error)) from error


@dataclass(frozen=True, slots=True)
class _TooLong:
    """Stands for a text over the limit, of which only the head was kept."""

    head: bytes


class _Held:
    """Collects one text that comes in parts; from the limit on it keeps only the head."""

    def __init__(self, limit: int) -> None:
        self.limit, self.length, self._kept = limit, 0, bytearray()

    def add(self, part: bytes) -> None:
        self.length += len(part)
        if self.length <= self.limit:
            self._kept += part
        else:
            del self._kept[_HEAD_BYTES:]
            self._kept += part[: _HEAD_BYTES - len(self._kept)]

    def take(self) -> bytearray | _TooLong:
        """Hand over what was collected, and begin anew."""
        taken = self._kept if self.length <= self.limit else _TooLong(bytes(self._kept))
        self.length, self._kept = 0, bytearray()
        return taken


def _lines(blocks: Iterator[bytes], limit: int) -> Iterator[bytes | bytearray | _TooLong]:
    """Cut blocks at newlines, which are taken off."""
    held = _Held(limit)
    for block in blocks:
        *ended, rest = block.split(b"\n")
        if ended and held.length:
            held.add(ended[0])
            yield held.take()
            del ended[0]
        for line in ended:
            yield line if len(line) <= limit else _TooLong(line[:_HEAD_BYTES])
        held.add(rest)
    if held.length:
        yield held.take()


def _head(text: bytes | bytearray | _TooLong) -> str:
    return _excerpt(text.head if isinstance(text, _TooLong) else text)


def _excerpt(raw: bytes | bytearray | str) -> str:
    if not isinstance(raw, str):
        raw = raw[:_HEAD_BYTES].decode("utf-8", "backslashreplace")
    shown = (char if char.isprintable() else repr(char)[1:-1] for char in raw[:MAX_EXCERPT_CHARS])
    return "".join(shown)[:MAX_EXCERPT_CHARS]


# --- One JSON text -----------------------------------------------------------------------------


class _NumberError(Exception):
    """A JSON number that no Python number is: the message is the reason."""


def _parse(raw: bytes | bytearray) -> tuple[object, str]:
    """The object and "", or None and the reason."""
    try:
        value: object = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _parse_carefully(raw)
    if not isinstance(value, dict):
        return None, "not_object"
    deep, rounded = _survey(cast("dict[str, object]", value))
    if deep:
        return None, "too_deep"
    return _parse_carefully(raw) if rounded else (cast("object", value), "")


def _parse_carefully(raw: bytes | bytearray) -> tuple[object, str]:
    """Parse what orjson refuses or rounds: find the reason, or the exact big integers."""
    try:
        text = str(raw, "utf-8")
        if "\0" in text:
            return None, "nul_byte"
        value: object = json.loads(
            text, parse_int=_integer, parse_float=_float, parse_constant=_constant
        )
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        return None, "not_utf8"
    except UnicodeEncodeError:
        return None, "lone_surrogate"  # \ud800 alone: fine as JSON, but no UTF-8 file can hold it
    except _NumberError as error:
        return None, str(error)
    except RecursionError:
        return None, "too_deep"
    except ValueError:
        return None, "not_json"
    if not isinstance(value, dict):
        return None, "not_object"
    deep, _ = _survey(cast("dict[str, object]", value))
    return (None, "too_deep") if deep else (cast("object", value), "")


def _survey(value: dict[str, object]) -> tuple[bool, bool]:
    """Is it too deep, and may a number in it have been rounded?

    orjson turns an integer of more than 64 bits into a float without a word, so each float of that
    size is suspect. Looking at the values is far cheaper than looking for digits in the text.
    """
    rounded = False
    level: list[Any] = [value]  # dicts and lists: isinstance would cost the types in each child
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            for child in node.values() if type(node) is dict else node:
                kind = type(child)
                if kind is dict or kind is list:
                    below.append(child)
                elif kind is float and abs(child) >= _BEYOND_64_BITS:
                    rounded = True
        if not below:
            return False, rounded
        level = below
    return True, rounded


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _NumberError("number_too_long")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _NumberError("number_too_large")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are no JSON


# --- A JSON array ------------------------------------------------------------------------------

# a whole string, or the quote of one that goes on in the next block, or a bracket
_DEEP_MARK = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
_TOP_MARK = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\],:]', re.DOTALL)
_STRING_BODY = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*")


class _BrokenJsonError(Exception):
    """The structure around the elements is lost; the arguments are a reason and an excerpt."""


class _JsonText:
    """A JSON text that comes in blocks, cut into the texts of its values by counting brackets."""

    def __init__(self, blocks: Iterator[bytes], limit: int) -> None:
        self._blocks, self._limit = blocks, limit
        self._block, self._at = b"", 0

    def _more(self) -> bool:
        while self._at >= len(self._block):
            block = next(self._blocks, None)
            if block is None:
                return False
            self._block, self._at = block, 0
        return True

    def peek(self) -> bytes:
        """The next byte that is not white space; b"" at the end."""
        while self._more():
            self._at = cast("re.Match[bytes]", _SPACE.match(self._block, self._at)).end()
            if self._at < len(self._block):
                return self._block[self._at : self._at + 1]
        return b""

    def skip(self) -> None:
        """Step over the byte that `peek` showed."""
        self._at += 1

    def value(self) -> bytearray | _TooLong:
        """All up to the next comma, colon or closing bracket outside of any string and bracket.

        Raises:
            _BrokenJsonError: if the file ends first.
        """
        held, depth, quoted, escaped = _Held(self._limit), 0, False, False
        while self._more():
            block, start = self._block, self._at
            at, escaped = start + escaped, False
            while at < len(block):
                if quoted:
                    at = cast("re.Match[bytes]", _STRING_BODY.match(block, at)).end()
                    # it stops at the closing quote, or at a backslash whose partner is not here yet
                    escaped = block[at : at + 1] == b"\\"
                    quoted = block[at : at + 1] != b'"'
                    at += 1
                    continue
                found = (_DEEP_MARK if depth else _TOP_MARK).search(block, at)
                if found is None:
                    break
                mark, at = found[0], found.end()
                if mark == b'"':
                    quoted = True
                elif mark in b"{[":
                    depth += 1
                elif mark in b"}],:":
                    if depth == 0:
                        held.add(block[start : found.start()])
                        self._at = found.start()
                        return held.take()
                    depth -= 1
            held.add(block[start:])
            self._at = len(block)
        if not depth and not quoted and held.length:
            return held.take()  # whole itself: what is cut off comes after it
        raise _BrokenJsonError("truncated", _head(held.take()))


def _read_json(piece: Piece, limit: int) -> Iterator[Row | BadRow]:
    text = _JsonText(_blocks(piece), limit)
    number = 0
    try:
        opened = text.peek()
        text.skip()
        if not opened:
            return
        if opened not in b"[{":
            raise SourceError(
                f"{piece.path}: a JSON file of rows begins with [ or {{, this one with {opened!r}; "
                "say its format, or write it again"
            )
        for element in _elements(text) if opened == b"[" else _listed(text, piece.path):
            number += 1
            yield _element_row(number, element)
        if rest := text.peek():
            yield BadRow(number + 1, "trailing_data", _excerpt(rest))
    except _BrokenJsonError as error:
        reason, excerpt = error.args
        yield BadRow(number + 1, reason, excerpt)
    except _BrokenStreamError as error:
        yield BadRow(number + 1, "broken_compression", _excerpt(str(error)))


def _element_row(number: int, raw: bytearray | _TooLong) -> Row | BadRow:
    if isinstance(raw, _TooLong):
        return BadRow(number, "line_too_long", _excerpt(raw.head))
    return _row(number, raw) or BadRow(number, "not_json", "")  # blank: two commas in a row


def _elements(text: _JsonText) -> Generator[bytearray | _TooLong]:
    """The texts in an array whose `[` has been read, up to its `]`."""
    if text.peek() == b"]":
        text.skip()
        return
    while True:
        text.peek()
        yield text.value()
        follows = _expect(text, b",]")
        if follows == b"]":
            return


def _listed(text: _JsonText, path: str) -> Generator[bytearray | _TooLong]:
    """The texts in the one list of an object whose `{` has been read; other values are skipped."""
    found = False
    follows = b"," if text.peek() != b"}" else _expect(text, b"}")
    while follows == b",":
        key = text.value()
        _expect(text, b":")
        if text.peek() != b"[":
            text.value()
        elif found:
            raise _BrokenJsonError("second_list", _head(key))
        else:
            text.skip()
            found = True
            yield from _elements(text)
        follows = _expect(text, b",}")
    if not found:
        more = "one object after another: say format jsonl" if text.peek() else "no list"
        raise SourceError(
            f"{path}: wanted an array of objects, or an object with one; found {more}"
        )


def _expect(text: _JsonText, allowed: bytes) -> bytes:
    found = text.peek()
    if not found:
        raise _BrokenJsonError("truncated", "")
    if found not in allowed:
        raise _BrokenJsonError("not_json", _excerpt(found))
    text.skip()
    return found


# --- CSV ---------------------------------------------------------------------------------------


class _CsvLines:
    """Feeds lines to the csv module and remembers what went into the record being read."""

    def __init__(self, lines: Iterator[bytes | bytearray | _TooLong], limit: int) -> None:
        self._lines, self._limit = lines, limit
        self.begin()

    def begin(self) -> None:
        """Forget the last record."""
        self.reason, self.head, self._taken = "", b"", 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = next(self._lines)
        if isinstance(raw, _TooLong):
            self.reason, self.head = "line_too_long", self.head or raw.head
            return "\n"
        self.head = self.head or bytes(raw[:_HEAD_BYTES])
        self._taken += len(raw)
        if self._taken > self._limit:
            raise _RecordTooLongError
        if b"\0" in raw:
            self.reason = self.reason or "nul_byte"
        try:
            return str(raw, "utf-8") + "\n"
        except UnicodeDecodeError:
            self.reason = self.reason or "not_utf8"
            return str(raw, "utf-8", "replace") + "\n"


def _read_csv(piece: Piece, limit: int) -> Iterator[Row | BadRow]:
    # The csv module has one limit for the process, 128 KiB; ours is per record, in _CsvLines.
    csv.field_size_limit(max(limit + 1, csv.field_size_limit()))
    lines = _CsvLines(_lines(_blocks(piece), limit), limit)
    records = _records(lines)
    names, reason = next(records, ([], ""))
    if reason:
        raise SourceError(
            f"{piece.path}: the header line is bad ({reason}): {_excerpt(lines.head)}; "
            "write the file again as UTF-8 CSV"
        )
    _check_names(piece.path, names)
    number = 0
    for number, (fields, reason) in enumerate(records, 1):
        if not reason and len(fields) != len(names):
            reason = "too_many_fields" if len(fields) > len(names) else "too_few_fields"
        if reason:
            yield BadRow(number, reason, _excerpt(lines.head))
        else:
            yield Row(number, dict(zip(names, fields, strict=True)))


def _records(lines: _CsvLines) -> Iterator[tuple[list[str], str]]:
    """Each record's fields and "", or its reason. After an error csv begins anew with a line."""
    reader = csv.reader(lines, strict=True)
    while True:
        lines.begin()
        fields: list[str] = []
        try:
            fields = next(reader)
            reason = lines.reason
        except StopIteration:
            return
        except _RecordTooLongError:
            reason = "line_too_long"
        except csv.Error:
            reason = lines.reason or "not_csv"
        except _BrokenStreamError as error:
            lines.head, reason = str(error).encode(), "broken_compression"
        if fields or reason:
            yield fields, reason


# --- Parquet -----------------------------------------------------------------------------------


def _read_parquet(piece: Piece, wanted: frozenset[str] | None) -> Iterator[Row | BadRow]:
    _check_size(piece)
    number = piece.first_line
    with _open_parquet(piece.path) as file:
        names = [name for name in file.schema_arrow.names if wanted is None or name in wanted]
        for group in range(piece.start, piece.stop):
            row = number
            try:
                for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=names):
                    yield from _batch_rows(row, batch)
                    row += int(batch.num_rows)
                if row != number + int(file.metadata.row_group(group).num_rows):
                    yield BadRow(row, "broken_row_group", "ends before its number of rows")
            except (OSError, pa.ArrowException) as error:
                # stands for the rest of this group; the next one may be whole
                yield BadRow(row, "broken_row_group", _excerpt(str(error)))
            number += int(file.metadata.row_group(group).num_rows)


def _batch_rows(first: int, batch: Any) -> Iterator[Row | BadRow]:  # noqa: ANN401  (pyarrow has no types)
    try:
        values: list[dict[str, object]] = batch.to_pylist()
    except (ValueError, OverflowError):
        if batch.num_rows > 1:
            for i in range(batch.num_rows):
                yield from _batch_rows(first + i, batch.slice(i, 1))
            return
        yield _unreadable_value(first, batch)
        return
    for number, value in enumerate(values, first):
        yield Row(number, value)


def _unreadable_value(number: int, batch: Any) -> BadRow:  # noqa: ANN401  (pyarrow has no types)
    for name in batch.schema.names:
        try:
            batch.column(name).to_pylist()
        except UnicodeDecodeError as error:
            return BadRow(number, "not_utf8", _excerpt(error.object))
        except (ValueError, OverflowError) as error:
            return BadRow(number, "unreadable_value", _excerpt(f"{name}: {error}"))
    return BadRow(number, "unreadable_value", "")


_READERS: dict[Format, Callable[[Piece, int], Iterator[Row | BadRow]]] = {
    "jsonl": _read_jsonl,
    "json": _read_json,
    "csv": _read_csv,
}
