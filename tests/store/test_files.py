import ast
import contextlib
import errno
import hashlib
import itertools
import os
import random
import subprocess
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_crash import Zygote, copier, tree

import tracefactory
from tracefactory.errors import IntegrityError, ResourceError
from tracefactory.store import files
from tracefactory.store.files import (
    TEMPORARY,
    disk_errors,
    parquet_bytes,
    read_parquet,
    sweep_temporaries,
    write_all,
    write_atomic,
)

many = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def zygote():
    server = Zygote()
    yield server
    server.close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB of its own."""
    room = tmp_path / "small"
    room.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tracefactory-test", str(room)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"a full disk needs a mount of its own, and mount says: {done.stderr.strip()}")
    yield room
    subprocess.run(["umount", str(room)], check=True)


# ---- write_atomic ----


@pytest.mark.parametrize("before", [None, b"old" * 4000])
def test_a_write_killed_at_any_step_leaves_the_old_file_or_the_new(zygote, tmp_path, before):
    start = tmp_path / "start"
    (start / "deep").mkdir(parents=True)
    if before is not None:
        (start / "deep" / "file").write_bytes(before)
    seen = set()
    for n, at, path in zygote.every_step("write", copier(start, tmp_path)):
        target = path / "deep" / "file"
        content = target.read_bytes() if target.exists() else None
        assert content in (before, b"new" * 5000), (n, at)
        seen.add(content)
        left = [name for name in tree(path) if name != "deep/file"]
        assert all(Path(name).name.startswith(TEMPORARY) for name in left), (n, at)
        assert sweep_temporaries(path) == len(left)
        assert set(tree(path)) <= {"deep/file"}
    assert seen == {before, b"new" * 5000}


def test_a_write_makes_the_folders_it_needs_and_leaves_no_temporary(tmp_path):
    write_atomic(tmp_path / "a" / "b" / "c", b"1")
    write_atomic(tmp_path / "a" / "b" / "c", memoryview(b"2"))
    assert tree(tmp_path) == {"a/b/c": b"2"}


@pytest.mark.parametrize("name", ["n" * 255, "\u00fc" * 127, "\u65e5" * 85])
def test_any_name_that_the_file_system_takes_can_be_written(tmp_path, name):
    write_atomic(tmp_path / name, b"1")
    assert tree(tmp_path) == {name: b"1"}


def test_a_write_on_a_full_disk_leaves_the_old_file_and_no_temporary(small_disk):
    write_atomic(small_disk / "file", b"old")
    with pytest.raises(ResourceError, match="disk full"):
        write_atomic(small_disk / "file", b"n" * 100_000)
    assert tree(small_disk) == {"file": b"old"}
    write_atomic(small_disk / "file", b"n" * 10_000)
    assert tree(small_disk) == {"file": b"n" * 10_000}


def test_a_write_onto_a_folder_is_refused_and_leaves_no_temporary(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        write_atomic(tmp_path / "folder", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk full"),
        (errno.EDQUOT, "disk full"),
        (errno.EROFS, "--folder"),
        (errno.EACCES, "--folder"),
    ],
)
def test_a_refusal_says_what_to_do(number, words):
    with (
        pytest.raises(ResourceError, match=words),
        disk_errors(Path("/x"), 5),
    ):
        raise OSError(number, os.strerror(number))


def test_other_errors_pass_as_they_are():
    with pytest.raises(OSError, match="x"), disk_errors(Path("/x"), 5):
        raise OSError(errno.EIO, "x")


def test_write_all_writes_all_of_it_through_a_narrow_pipe():
    heard, told = os.pipe()
    data = os.urandom(300_000)
    os.set_blocking(told, True)
    found = []
    with os.fdopen(heard, "rb") as pipe:
        reader = threading.Thread(target=lambda: found.append(pipe.read()))
        reader.start()
        write_all(told, data)
        os.close(told)
        reader.join(30)
    assert found == [data]


# ---- Parquet ----

texts = st.text(st.characters(codec="utf-8"), max_size=8)
tables = st.lists(
    st.fixed_dictionaries(
        {
            "id": texts,
            "n": st.none() | st.integers(-5, 5),
            "yes": st.none() | st.booleans(),
            "words": st.none() | st.lists(st.none() | texts, max_size=3),
            "pair": st.none() | st.fixed_dictionaries({"a": texts, "b": st.none() | st.booleans()}),
        }
    ),
    max_size=30,
)
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        ("n", pa.int64()),
        ("yes", pa.bool_()),
        ("words", pa.list_(pa.string())),
        ("pair", pa.struct([("a", pa.string()), ("b", pa.bool_())])),
    ]
)


@many
@given(rows=tables, cuts=st.lists(st.integers(0, 30), max_size=4), published=st.booleans())
def test_same_rows_are_same_bytes_however_they_came_to_lie_in_memory(
    rows, cuts, published, monkeypatch, tmp_path
):
    # small, so that thirty rows are many row groups
    monkeypatch.setattr(files, "ROW_GROUP_BYTES", 400)
    monkeypatch.setattr(files, "PUBLISHED_ROW_GROUP_BYTES", 400)
    whole = pa.Table.from_pylist(rows, schema=SCHEMA)
    want = bytes(parquet_bytes(whole, published=published))

    at = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    pieces = [whole.slice(a, b - a) for a, b in itertools.pairwise(at)]
    empty = SCHEMA.empty_table()
    chunked = pa.concat_tables([empty, *pieces, empty])
    around = pa.concat_tables([whole.slice(0, 3), whole, whole.slice(0, 2)]).combine_chunks()
    sliced = around.slice(min(3, len(rows)), len(rows))
    path = tmp_path / "t.parquet"
    path.write_bytes(want)
    named = whole.replace_schema_metadata({"a": "b"})
    back = read_parquet(path).cast(SCHEMA)  # Parquet calls the inside of a list `element`
    for same in (chunked, sliced, named, back):
        assert same.equals(whole)
        assert bytes(parquet_bytes(same, published=published)) == want


@pytest.mark.parametrize("published", [False, True])
def test_chunks_that_cross_pages_change_no_bytes(published):
    noise = random.Random(1)
    words = [noise.randbytes(noise.randrange(60)).hex() for _ in range(30_000)]
    whole = pa.table({"t": words, "l": [[w] * (len(w) % 3) for w in words], "n": range(30_000)})
    cuts = sorted({0, 1, 1023, 1500, 20_001, *noise.sample(range(30_000), 20), 30_000})
    chunked = pa.concat_tables(whole.slice(a, b - a) for a, b in itertools.pairwise(cuts))
    assert parquet_bytes(chunked, published=published) == parquet_bytes(whole, published=published)


@pytest.mark.parametrize("published", [False, True])
def test_validity_bitmaps_that_say_nothing_change_no_bytes(published, monkeypatch):
    monkeypatch.setattr(files, "ROW_GROUP_BYTES", 20_000)
    monkeypatch.setattr(files, "PUBLISHED_ROW_GROUP_BYTES", 20_000)
    plain = pa.table({f"c{i}": [f"v{i}{j}" for j in range(2000)] for i in range(10)})
    hole = pa.table({name: pa.array([None], pa.string()) for name in plain.column_names})
    bitmaps = pa.concat_tables([plain, hole]).combine_chunks().slice(0, len(plain))
    assert bitmaps.nbytes > plain.nbytes
    assert parquet_bytes(bitmaps, published=published) == parquet_bytes(plain, published=published)


def test_row_groups_stay_under_their_size(tmp_path):
    wide = pa.table({"t": [os.urandom(5000).hex() for _ in range(2000)]})
    path = tmp_path / "t.parquet"
    write_atomic(path, parquet_bytes(wide))
    meta = pq.read_metadata(path)
    sizes = [meta.row_group(i).total_byte_size for i in range(meta.num_row_groups)]
    assert len(sizes) > 3
    assert max(sizes) < 1.1 * files.ROW_GROUP_BYTES
    path.write_bytes(parquet_bytes(wide, published=True))
    assert pq.read_metadata(path).num_row_groups == 1
    assert read_parquet(path).equals(wide)


def some_table():
    return pa.table(
        {
            "id": [f"row-{i}" for i in range(200)],
            "n": [i if i % 7 else None for i in range(200)],
            "words": [[str(i)] * (i % 3) for i in range(200)],
            "noise": [os.urandom(12).hex() for _ in range(200)],
        }
    )


def pages(data):
    """Where the pages of all columns lie: [start, end), headers included."""
    meta = pq.read_metadata(pa.BufferReader(data))
    for group in range(meta.num_row_groups):
        for i in range(meta.num_columns):
            column = meta.row_group(group).column(i)
            start = column.dictionary_page_offset or column.data_page_offset
            yield start, start + column.total_compressed_size


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("filters", [None, [("n", ">=", 0)]])
def test_a_flipped_bit_in_a_page_is_found_on_reading(tmp_path, published, filters):
    want = some_table()
    data = bytes(parquet_bytes(want, published=published))
    path = tmp_path / "t.parquet"
    path.write_bytes(data)
    good = read_parquet(path, filters=filters)
    found = harmless = 0
    for start, end in pages(data):
        step = max(1, (end - start) // 25)
        for at in range(start, end, step):
            damaged = bytearray(data)
            damaged[at] ^= 1 << at % 8
            path.write_bytes(damaged)
            found += 1
            with contextlib.suppress(IntegrityError):
                # statistics in a page's header are not covered, and not used for the rows either
                assert read_parquet(path, filters=filters).equals(good), at
                harmless += 1
    assert found > 5 * harmless
    path.write_bytes(data[:100] + b"?" + data[101:])
    with pytest.raises(IntegrityError, match=str(path)):
        read_parquet(path, filters=filters)


def test_every_flip_in_the_end_of_a_file_reads_or_is_an_integrity_error(tmp_path):
    data = bytes(parquet_bytes(some_table()))
    end_of_pages = max(end for _, end in pages(data))
    path = tmp_path / "t.parquet"
    for at in range(end_of_pages, len(data), 5):
        damaged = bytearray(data)
        damaged[at] ^= 0x80
        path.write_bytes(damaged)
        with contextlib.suppress(IntegrityError):
            read_parquet(path)


@pytest.mark.parametrize("filters", [None, [("n", ">=", 0)]])
def test_a_truncated_or_missing_file_is_an_integrity_error(tmp_path, filters):
    data = bytes(parquet_bytes(some_table()))
    path = tmp_path / "t.parquet"
    for keep in [0, 1, 3, 4, 7, 8, 12, *range(13, len(data), 211), len(data) - 1]:
        path.write_bytes(data[:keep])
        with pytest.raises(IntegrityError, match="fsck"):
            read_parquet(path, filters=filters)
    path.unlink()
    with pytest.raises(IntegrityError):
        read_parquet(path, filters=filters)


def test_columns_and_filters_read_what_they_name(tmp_path):
    path, want = tmp_path / "t.parquet", some_table()
    write_atomic(path, parquet_bytes(want))
    assert read_parquet(path, ["n", "id"]).equals(want.select(["n", "id"]))
    assert read_parquet(path, ["id"], [("n", "<", 3)])["id"].to_pylist() == ["row-1", "row-2"]
    assert files.sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()


# ---- the one room that renames ----

ALLOWED = {
    "cli/doctor.py": "a probe of the very call, on files of its own",
    "publisher/store_of.py": "a file of a target, which is no run folder",
    "publisher/scratch.py": "the lock of a temporary folder, which nobody reads",
}


def renames(text):
    """Lines that rename files. Frames are renamed by a dict literal, strings by two arguments."""
    for node in ast.walk(ast.parse(text)):
        names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
        if names & {"rename", "renames", "replace", "move"} and node.module in ("os", "shutil"):
            yield node.lineno
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, owner = node.func.attr, ast.unparse(node.func.value)
        paths_only = not any(isinstance(arg, ast.Dict | ast.DictComp) for arg in node.args)
        if (
            (owner, name) in (("os", "rename"), ("os", "renames"), ("os", "replace"))
            or (owner, name) == ("shutil", "move")
            or (name == "replace" and len(node.args) == 1 and not node.keywords and paths_only)
            or (name == "replace" and [word.arg for word in node.keywords] == ["target"])
            or (name == "rename" and paths_only)
        ):
            yield node.lineno


def test_the_search_finds_what_it_looks_for():
    found = renames(
        "import os, shutil\nos.rename(a, b)\nos.replace(a, b)\nshutil.move(a, b)\npath.rename(b)\n"
        "Path(x).replace(y)\nfrom os import replace\npath.replace(target=b)\n"
        "'a'.replace('b', 'c')\nframe.rename({'a': 'b'})\nreplace(task, skip=())\n"
        "when.replace(hour=1)\n"
    )
    assert sorted(found) == [2, 3, 4, 5, 6, 7, 8]


def test_only_the_store_renames_files():
    root = Path(tracefactory.__file__).parent
    found, read = [], 0
    for folder in (root, *(root / room for room in ("verifiers", "schemas", "pipelines"))):
        for path in folder.rglob("*.py"):
            name = str(path.relative_to(root))
            if not name.startswith("store/") and name not in ALLOWED:
                found += [f"{name}:{line}" for line in renames(path.read_text("utf-8"))]
                read += 1
    assert read > 30
    assert found == []
    assert any(renames((root / "store" / "files.py").read_text("utf-8")))
