"""Atomic writes: a reader sees a whole file or none, whatever dies when.

A write goes to a temporary of its own (`.tmp-...`, unique per attempt), is fsynced, renamed, and
the folder is fsynced. The final name of an output holds its sha256, so two attempts at the same
work never write one name with two contents.
"""

import contextlib
import errno
import hashlib
import os
import socket
import uuid
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tracefactory.errors import IntegrityError, ResourceError

TEMPORARY = ".tmp-"
_compute: Any = pc  # its functions are made at import, where no type checker sees them
_FULL = {errno.ENOSPC, errno.EDQUOT}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.ENOENT, errno.ENOTDIR}

PUBLISHED_ROW_GROUP_BYTES = 96 << 20
"""Uncompressed; the Hub's viewer and streaming readers want row groups under 100 MB."""

ROW_GROUP_BYTES = 1 << 20
"""Uncompressed; small, so that a reader of a range of sorted rows reads little else: a chunk of an
import reads one group of every file that was sorted before it."""


@contextlib.contextmanager
def disk_errors(path: Path, n_bytes: int) -> Generator[None]:
    """Turn the operating system's refusals into an error that says what to do.

    Raises:
        ResourceError: no space, no quota, no permission.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ResourceError(
                f"disk full: {path} needs {n_bytes:,} bytes ({error.strerror}). Nothing finished "
                "is lost: free some space and give the same command again."
            ) from error
        if error.errno in _REFUSED:
            raise ResourceError(
                f"cannot write {path} ({error.strerror}); make the folder writable or choose "
                "another with --folder"
            ) from error
        raise


def sync_folder(folder: Path) -> None:
    """Make renames in this folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write every byte: os.write may stop short on a nearly full disk."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_new(path: Path, data: bytes | memoryview) -> None:
    """Write and sync a file that is not there yet; a crash may leave a part of it."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def write_atomic(path: Path, data: bytes | memoryview) -> None:
    """Put `data` at `path` whole or not at all, and durably.

    Raises:
        ResourceError: disk full or folder not writable; the target is untouched then.
    """
    with disk_errors(path, len(data)):
        path.parent.mkdir(parents=True, exist_ok=True)
        owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        temporary = path.with_name(f"{TEMPORARY}{owner}")
        try:
            write_new(temporary, data)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def sweep_temporaries(root: Path) -> int:
    """Remove what writes that died left behind; the caller holds the run's lock."""
    found = 0
    for folder, _, names in os.walk(root):
        for name in names:
            if name.startswith(TEMPORARY):
                (Path(folder) / name).unlink(missing_ok=True)
                found += 1
    return found


def _value_bytes(column: pa.ChunkedArray) -> int:
    """Size of the values alone: `nbytes` also counts how a table came about (slices, bitmaps)."""
    kind = column.type
    if pa.types.is_struct(kind):
        return sum(_value_bytes(_compute.struct_field(column, i)) for i in range(kind.num_fields))
    if pa.types.is_list(kind):
        return 4 * len(column) + _value_bytes(_compute.list_flatten(column))
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return 4 * len(column) + (_compute.sum(_compute.binary_length(column)).as_py() or 0)
    return 8 * len(column)


def parquet_bytes(table: pa.Table, *, published: bool = False) -> memoryview:
    """Serialise a table by the one Parquet writer: same rows, same bytes (for one pyarrow version).

    `published` files are compressed harder and cut at content-defined chunks, so that a re-release
    that changes few rows re-uploads few bytes. All pages carry a checksum.
    """
    table = table.replace_schema_metadata(None).combine_chunks()
    options: dict[str, Any] = {
        "compression": "zstd",
        "compression_level": 1,
        "write_page_checksum": True,
        "store_schema": True,
    }
    if published:
        options |= {
            "compression_level": 6,
            "write_page_index": True,
            "use_content_defined_chunking": {
                "min_chunk_size": 64 << 10,
                "max_chunk_size": 256 << 10,
                "norm_level": 0,
            },
        }
    else:  # hashes never repeat: a dictionary of them is a second copy
        options["use_dictionary"] = [f.name for f in table.schema if f.type != pa.uint64()]
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, **options) as writer:
        if table.num_rows:  # readers that stream fail on a row group without rows
            writer.write_table(table, row_group_size=row_group_rows(table, published=published))
    return memoryview(cast("Any", sink.getvalue()))


def row_group_rows(table: pa.Table, *, published: bool) -> int:
    """Rows of a row group: as many as fit its size, counted from the values alone."""
    size = PUBLISHED_ROW_GROUP_BYTES if published else ROW_GROUP_BYTES
    values: int = sum(map(_value_bytes, table.columns))
    per_row = values // max(1, int(table.num_rows))
    return max(1, min(1 << 20, size // max(1, per_row)))


def sha256_of(path: Path) -> str:
    """Digest of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_parquet(
    path: Path,
    columns: Sequence[str] | None = None,
    filters: Sequence[tuple[str, str, object]] | None = None,
) -> pa.Table:
    """Read a table, its page checksums verified. `filters` prune row groups, then rows.

    Raises:
        IntegrityError: the file is missing, torn, or a page is not what its checksum says.
    """
    try:
        if filters is None:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                return file.read(
                    columns=None if columns is None else list(columns), use_threads=False
                )
        return pq.read_table(
            path,
            columns=None if columns is None else list(columns),
            filters=list(filters),
            use_threads=False,
            page_checksum_verification=True,
        )
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise IntegrityError(
            f"{path}: cannot be read back ({str(error)[:200]}). Run `tracefactory fsck` on the run "
            "folder to see what is damaged; `fsck --sweep` sets it aside, and a run makes it again."
        ) from error
