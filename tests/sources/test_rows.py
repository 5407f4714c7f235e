import csv
import dataclasses
import gzip
import json
import math
import os
import tracemalloc
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracefactory.sources.rows import MIB, BadRow, Piece, Row, SourceError, pieces, read

# a test writes its file anew for each example
writes = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)

texts = st.text(st.characters(codec="utf-8"), max_size=12)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
json_rows = st.lists(st.dictionaries(texts, json_values, max_size=4), min_size=1, max_size=12)


def everything(path, target_bytes=64 * MIB, **options):
    return [row for piece in pieces(path, target_bytes) for row in read(piece, **options)]


def values(found):
    assert [type(row) for row in found] == [Row] * len(found), found
    return [row.value for row in found]


def reasons(found):
    return [(row.line, row.reason) if isinstance(row, BadRow) else row.line for row in found]


def write(path, data):
    path.write_bytes(data)
    return path


def write_zst(path, data):
    with pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd") as out:
        out.write(data)
    return path


def write_any(path, data):
    if path.suffix == ".zst":
        return write_zst(path, data)
    return write(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


# --- What is written is read -------------------------------------------------------------------


@writes
@given(
    rows=json_rows,
    target=st.integers(1, 400),
    newline=st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n"]),
    last=st.booleans(),
    bom=st.booleans(),
)
def test_jsonl_pieces_of_any_size_give_each_row_once(tmp_path, rows, target, newline, last, bom):
    data = newline.join(json.dumps(row, ensure_ascii=len(row) % 2 == 0).encode() for row in rows)
    path = write(tmp_path / "a.jsonl", b"\xef\xbb\xbf" * bom + data + newline * last)
    whole = everything(path)
    assert values(whole) == rows
    assert [row.line for row in whole] == list(
        range(1, len(rows) * newline.count(b"\n") + 1, newline.count(b"\n"))
    )
    cut = pieces(path, target)
    assert everything(path, target) == whole
    assert [piece.start for piece in cut[1:]] == [piece.stop for piece in cut[:-1]]
    assert all(piece.stop - piece.start >= target for piece in cut[:-1])


@writes
@given(
    rows=json_rows,
    indent=st.sampled_from([None, 0, 2]),
    wrapped=st.booleans(),
    suffix=st.sampled_from(["", ".gz", ".zst"]),
)
def test_json_round_trip(tmp_path, rows, indent, wrapped, suffix):
    value = {"version": 1, 'a,{"': {"n": "]"}, "data": rows, "after": None} if wrapped else rows
    path = write_any(tmp_path / f"a.json{suffix}", json.dumps(value, indent=indent).encode())
    found = everything(path)
    assert values(found) == rows
    assert [row.line for row in found] == list(range(1, len(rows) + 1))


@writes
@given(rows=json_rows, size=st.integers(1, 7))
def test_json_is_cut_right_wherever_a_block_ends(tmp_path, rows, size):
    path = write(tmp_path / "a.json", json.dumps(rows).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracefactory.sources.rows._BLOCK_BYTES", size)
        assert values(everything(path)) == rows


csv_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@writes
@given(
    data=st.data(),
    names=st.lists(csv_texts, min_size=2, max_size=4, unique=True),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_csv_round_trip(tmp_path, data, names, end):
    fields = st.tuples(*[csv_texts] * len(names))
    rows = data.draw(st.lists(fields, min_size=1, max_size=8))
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    found = everything(path)
    assert values(found) == [dict(zip(names, row, strict=True)) for row in rows]
    assert [row.line for row in found] == list(range(1, len(rows) + 1))


@writes
@given(
    rows=st.lists(
        st.fixed_dictionaries({"t": st.none() | texts, "n": st.integers(-(2**63), 2**63 - 1)}),
        min_size=1,
    ),
    group=st.integers(1, 5),
    target=st.integers(1, 1_000),
)
def test_parquet_pieces_of_any_size_give_each_row_once(tmp_path, rows, group, target):
    path = tmp_path / "a.parquet"
    schema = pa.schema([("t", pa.string()), ("n", pa.int64())])
    pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=group)
    found = everything(path, target)
    assert values(found) == rows
    assert [row.line for row in found] == list(range(1, len(rows) + 1))
    assert [piece.start for piece in pieces(path, target)[1:]] == [
        piece.stop for piece in pieces(path, target)[:-1]
    ]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.NDJSON", "a.json", "a.csv"])
def test_text_formats_are_read_packed_too(tmp_path, name, suffix):
    data = {"a.json": b'[{"a": "1"}, {"a": "2"}]', "a.csv": b"a\n1\n2\n"}.get(
        name, b'{"a": "1"}\n{"a": "2"}\n'
    )
    assert values(everything(write_any(tmp_path / f"{name}{suffix}", data))) == [
        {"a": "1"},
        {"a": "2"},
    ]


def test_a_gzip_of_several_members_is_one_file(tmp_path):
    path = write(
        tmp_path / "a.jsonl.gz",
        gzip.compress(b'{"a": 1}\n', mtime=0) + gzip.compress(b'{"a": 2}\n'),
    )
    assert values(everything(path)) == [{"a": 1}, {"a": 2}]


def test_a_piece_survives_json(tmp_path):
    path = write(tmp_path / "a.jsonl", b'{"a": 1}\n{"a": 2}\n')
    cut = pieces(path, 1)
    assert len(cut) == 2
    assert [Piece(**json.loads(json.dumps(dataclasses.asdict(piece)))) for piece in cut] == cut


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet"])
def test_only_the_wanted_columns_come(tmp_path, name):
    path = tmp_path / name
    if name == "a.parquet":
        pq.write_table(pa.table({"a": ["1"], "b": ["2"], "b.c": ["3"]}), path)
    else:
        data = {
            "a.jsonl": '{"a":"1","b":"2","b.c":"3"}',
            "a.json": '[{"a":"1","b":"2","b.c":"3"}]',
            "a.csv": "a,b,b.c\n1,2,3\n",
        }
        path.write_text(data[name])
    assert values(everything(path, columns={"b", "absent"})) == [{"b": "2"}]
    assert values(everything(path, columns=["b.c", "a"])) == [{"a": "1", "b.c": "3"}]
    assert values(everything(path, columns={"absent"})) == [{}]


@pytest.mark.parametrize(
    "number", ["18446744073709551616", "-9223372036854775809", "1" * 4_300, "-" + "9" * 100]
)
def test_big_integers_are_exact(tmp_path, number):
    path = write(tmp_path / "a.jsonl", b'{"a": {"b": [%s]}, "f": 1e300}' % number.encode())
    assert values(everything(path)) == [{"a": {"b": [int(number)]}, "f": 1e300}]


# --- What is malformed comes out as such -------------------------------------------------------

BAD_LINES = [
    (b"{", "not_json"),
    (b"hello", "not_json"),
    (b'{"a": 1} {"a": 2}', "not_json"),
    (b'{"a": NaN}', "not_json"),
    (b'{"a": -Infinity}', "not_json"),
    (b'{"a": 01}', "not_json"),
    (b'{"a": "\t"}', "not_json"),
    (b'{"a": "\xff"}', "not_utf8"),
    (b'\xff\xfe{\x00"\x00', "not_utf8"),
    (b'{"a": "\xed\xa0\x80"}', "not_utf8"),
    (b"[1]", "not_object"),
    (b"null", "not_object"),
    (b'"text"', "not_object"),
    (b"123456789012345678901234567890", "not_object"),
    (b"\0\0\0\0", "nul_byte"),
    (b'{"a": "\0"}', "nul_byte"),
    (b'{"a": "\\ud800"}', "lone_surrogate"),
    (b'{"a": 1e999}', "number_too_large"),
    (b'{"a": ' + b"1" * 4_301 + b"}", "number_too_long"),
    (b'{"a": ' + b"[" * 201 + b"]" * 201 + b"}", "too_deep"),
    (b'{"a": ' + b"[" * 900 + b"1" * 30 + b"]" * 900 + b"}", "too_deep"),
    (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
    (b'{"a": "' + b"x" * 300_000 + b'"}', "line_too_long"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_is_reported_between_its_good_neighbours(tmp_path, line, reason):
    path = write(tmp_path / "a.jsonl", b'{"n": 1}\n\n' + line + b'\n{"n": 2}\n')
    for target in (1, 64 * MIB):
        found = everything(path, target, max_line_bytes=250_000)
        assert reasons(found) == [1, (3, reason), 4]
        assert len(found[1].excerpt) <= 200
        assert found[1].excerpt.isprintable()


# What is no JSON at all may also lose its own quotes or brackets, and with them its neighbours.
BALANCED = [case for case in BAD_LINES if case[1] != "not_json" and not case[0].startswith(b"\xff")]


@pytest.mark.parametrize(("line", "reason"), BALANCED, ids=range(len(BALANCED)))
def test_a_bad_element_is_reported_between_its_good_neighbours(tmp_path, line, reason):
    path = write(tmp_path / "a.json", b'[{"n": 1},\n' + line + b',{"n": 2}]')
    assert reasons(everything(path, max_line_bytes=250_000)) == [1, (2, reason), 3]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ('[{"n": 1}, {"n": NaN}, {"n": 3}]', [1, (2, "not_json"), 3]),
        ('[{"n": 1}, x, {"n": 3}]', [1, (2, "not_json"), 3]),
        ('[{"n": 1},, {"n": 3}]', [1, (2, "not_json"), 3]),
        ('[{"n": 1}, ]', [1, (2, "not_json")]),
        ('[{"n": 1} {"n": 2}, {"n": 3}]', [(1, "not_json"), 2]),
        ('[{"n": 1}, "a": 2]', [1, (2, "not_object"), (3, "not_json")]),
        ('[{"n": 1}, {"n": 2', [1, (2, "truncated")]),
        ('[{"n": 1}, {"n": "2\\', [1, (2, "truncated")]),
        ('[{"n": 1}', [1, (2, "truncated")]),
        ('[{"n": 1}]]', [1, (2, "trailing_data")]),
        ('[{"n": 1}}', [1, (2, "not_json")]),
        ('{"a": [{"n": 1}], "b": [{"n": 2}]}', [1, (2, "second_list")]),
        ('{"a": [{"n": 1}], "b"', [1, (2, "truncated")]),
        ("[1, [2], {}]", [(1, "not_object"), (2, "not_object"), 3]),
    ],
)
def test_a_broken_array_keeps_its_good_elements(tmp_path, text, want):
    assert reasons(everything(write(tmp_path / "a.json", text.encode()))) == want


@pytest.mark.parametrize(
    ("body", "want"),
    [
        (b"1,2\n3,4,5\n6,7\n", [1, (2, "too_many_fields"), 3]),
        (b"1,2\n3\n6,7\n", [1, (2, "too_few_fields"), 3]),
        (b"1,2\n\r\n\n6,7", [1, 2]),
        (b"1,2\n3,\xff\n6,7\n", [1, (2, "not_utf8"), 3]),
        (b'1,2\n"3\n\xff",4\n6,7\n', [1, (2, "not_utf8"), 3]),
        (b"1,2\n3,\0\n6,7\n", [1, (2, "nul_byte"), 3]),
        (b'1,2\n"3"x,4\n6,7\n', [1, (2, "not_csv"), 3]),
        (b"1,2\n3\rx,4\n6,7\n", [1, (2, "not_csv"), 3]),
        (b'1,2\n3,"4\n6,7\n', [1, (2, "not_csv")]),
        (b"1,2\n3," + b"x" * 2_000 + b"\n6,7\n", [1, (2, "line_too_long"), 3]),
        (b'1,2\n3,"' + b"x" * 900 + b"\n" + b"x" * 900 + b"\n6,7\n", [1, (2, "line_too_long"), 3]),
    ],
)
def test_a_bad_csv_record_is_reported_between_its_good_neighbours(tmp_path, body, want):
    path = write(tmp_path / "a.csv", b"\xef\xbb\xbfa,b\n" + body)
    found = everything(path, max_line_bytes=1_000)
    assert reasons(found) == want
    assert found[0] == Row(1, {"a": "1", "b": "2"})


def test_a_csv_field_may_be_longer_than_the_module_likes(tmp_path):
    path = write(tmp_path / "a.csv", b"a,b\n1," + b"x" * 300_000 + b"\n")
    assert len(values(everything(path))[0]["b"]) == 300_000


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_a_packed_file_that_breaks_off_keeps_what_came_before(tmp_path, name, suffix):
    noise = [os.urandom(50).hex() for _ in range(20_000)]
    if name == "a.csv":
        data = "\n".join(["a", *noise])
    else:
        objects = [f'{{"a": "{text}"}}' for text in noise]
        data = "\n".join(objects) if name == "a.jsonl" else f"[{','.join(objects)}]"
    path = write_any(tmp_path / f"{name}{suffix}", data.encode())
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    *good, last = everything(path)
    assert len(good) > 1_000
    assert values(good) == [{"a": text} for text in noise[: len(good)]]
    assert reasons([last]) == [(len(good) + 1, "broken_compression")]


def test_parquet_text_that_is_not_utf8_costs_one_row(tmp_path):
    raw = pa.array([b"good", b"\xff bad", b"fine"], pa.binary())
    table = pa.table({"a": pa.Array.from_buffers(pa.string(), 3, raw.buffers()), "n": [1, 2, 3]})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    found = everything(path)
    assert reasons(found) == [1, (2, "not_utf8"), 3]
    assert found[1].excerpt == r"\xff bad"
    assert found[2] == Row(3, {"a": "fine", "n": 3})


def test_a_damaged_row_group_costs_no_other(tmp_path):
    path = tmp_path / "a.parquet"
    noise = [os.urandom(20).hex() for _ in range(300)]
    pq.write_table(
        pa.table({"a": noise}), path, row_group_size=100, use_dictionary=False, compression="zstd"
    )
    column = pq.read_metadata(path).row_group(1).column(0)
    data = bytearray(path.read_bytes())
    begin = column.data_page_offset
    data[begin : begin + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(data)
    found = everything(path)
    assert reasons(found) == [*range(1, 101), (101, "broken_row_group"), *range(201, 301)]


def huge_line_files(tmp_path):
    """200 MB in one line, between two good ones; the same as JSON and CSV."""
    filler = b"x" * MIB
    for name, before, after in [
        ("a.jsonl", b'{"n": 1}\n{"n": "', b'"}\n{"n": 3}\n'),
        ("a.json", b'[{"n": 1},{"n": "', b'"},{"n": 3}]'),
        ("a.csv", b"n\n1\n", b"\n3\n"),
        ("a.jsonl.gz", b'{"n": 1}\n{"n": "', b'"}\n{"n": 3}\n'),
    ]:
        path = tmp_path / name
        with (
            gzip.open(path, "wb", compresslevel=1)
            if name.endswith(".gz")
            else path.open("wb") as out
        ):
            out.write(before)
            for _ in range(200):
                out.write(filler)
            out.write(after)
        yield path
        path.unlink()


def test_a_huge_line_is_passed_over_in_bounded_memory(tmp_path):
    for path in huge_line_files(tmp_path):
        tracemalloc.start()
        found = everything(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert reasons(found) == [1, (2, "line_too_long"), 3]
        assert peak < 80 * MIB, path.name


def test_a_huge_line_of_nul_bytes_takes_no_disk(tmp_path):
    path = tmp_path / "a.jsonl"
    with path.open("wb") as out:
        out.write(b'{"n": 1}\n')
        out.truncate(70 * MIB)  # sparse: what a crash leaves behind
    assert reasons(everything(path)) == [1, (2, "line_too_long")]
    assert reasons(everything(path, max_line_bytes=80 * MIB)) == [1, (2, "nul_byte")]


def test_reading_a_prefix_of_a_big_row_group_is_cheap(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"a": [str(i) * 2_000 for i in range(20_000)]}), path, use_dictionary=False
    )
    before = pa.total_allocated_bytes()
    rows = read(pieces(path)[0])
    assert next(rows) == Row(1, {"a": "0" * 2_000})
    assert pa.total_allocated_bytes() - before < 40 * MIB
    rows.close()


@writes
@given(
    data=st.lists(
        st.sampled_from([*map(bytes, [[b] for b in b'[]{},:"\\ \n\ra1\xff\0'])])
        | st.binary(max_size=3)
    ),
    name=st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.jsonl.gz", "a.json.zst", "a.csv.gz"]),
    cut=st.integers(0, 5),
)
def test_any_bytes_give_rows_bad_rows_or_a_source_error(tmp_path, data, name, cut):
    path = write_any(tmp_path / name, b"".join(data))
    path.write_bytes(path.read_bytes()[: path.stat().st_size - cut])
    try:
        found = everything(path, 3, max_line_bytes=10)
    except SourceError:
        return
    assert [row.line for row in found] == sorted({row.line for row in found})
    assert all(len(row.excerpt) <= 200 for row in found if isinstance(row, BadRow))


# --- What is no source at all ------------------------------------------------------------------


def test_a_wrong_name_is_answered_with_the_nearest(tmp_path):
    write(tmp_path / "train.jsonl", b"{}\n")
    write(tmp_path / "other.csv", b"a\n")
    with pytest.raises(SourceError, match=r"trian\.jsonl: does not exist.*'train\.jsonl'"):
        pieces(tmp_path / "trian.jsonl")
    with pytest.raises(SourceError, match=r"nearest name in .* is 'train\.jsonl'"):
        pieces(tmp_path / "trains" / "part.jsonl")
    (tmp_path / "void").mkdir()
    with pytest.raises(SourceError, match="is empty"):
        pieces(tmp_path / "void" / "a.jsonl")
    with pytest.raises(SourceError, match=r"matches nothing.*train\.jsonl"):
        pieces(tmp_path / "*.parquet")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.jsonl", b"", "is empty"),
        ("a.parquet", b"", "is empty"),
        ("a.txt", b"{}", "unknown extension"),
        ("a", b"{}", "unknown extension"),
        ("a.gz", gzip.compress(b"{}", mtime=0), "unknown extension"),
        ("a.parquet", b'{"a": 1}\n', "looks like plain text"),
        ("a.parquet", b"PAR1 and no footer", "broken Parquet"),
        ("a.parquet.gz", gzip.compress(b"PAR1", mtime=0), "looks like gzip"),
        ("a.jsonl", b"PAR1xxxxPAR1", "looks like Parquet"),
        ("a.csv", gzip.compress(b"a\n1\n", mtime=0), "looks like gzip"),
        ("a.jsonl.gz", b'{"a": 1}\n', "looks like plain text"),
        ("a.jsonl.zst", gzip.compress(b"{}", mtime=0), "looks like gzip"),
        ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
    ],
)
def test_what_is_seen_at_once_is_refused_at_once(tmp_path, name, data, says):
    with pytest.raises(SourceError, match=says):
        pieces(write(tmp_path / name, data))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.jsonl", b"\n \r\n", "has no rows"),
        ("a.jsonl", b"\xef\xbb\xbf", "has no rows"),
        ("a.json", b"[]", "has no rows"),
        ("a.json", b" ", "has no rows"),
        ("a.json", b'{"data": []}', "has no rows"),
        ("a.json", b'"text"', "begins with"),
        ("a.json", b'{"a": 1}\n{"a": 2}\n', "say format jsonl"),
        ("a.json", b'{"a": 1}', "no list"),
        ("a.json", b"{}", "no list"),
        ("a.csv", b"a,b\n", "has no rows"),
        ("a.csv", b"\n\n", "has no rows"),
        ("a.csv", b"a,a\n1,2\n", "several columns named a"),
        ("a.csv", b"a,\xff\n1,2\n", "header line is bad"),
        ("a.jsonl.gz", gzip.compress(b"", mtime=0), "has no rows"),
        ("a.jsonl.gz", gzip.compress(b"{}", mtime=0)[:10], "cannot be unpacked"),
        ("a.jsonl.gz", b"\x1f\x8b" + b"x" * 100, "cannot be unpacked"),
        ("a.jsonl.zst", b"\x28\xb5\x2f\xfd" + b"\xff" * 100, "cannot be unpacked"),
    ],
)
def test_what_reading_shows_is_refused_then(tmp_path, name, data, says):
    with pytest.raises(SourceError, match=says):
        everything(write(tmp_path / name, data))


def test_parquet_without_rows_and_with_a_name_twice(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": pa.array([], pa.string())}), path)
    with pytest.raises(SourceError, match="has no rows"):
        pieces(path)
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), path)
    with pytest.raises(SourceError, match="several columns named a"):
        pieces(path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_file_that_changed_since_it_was_cut_is_refused(tmp_path, name):
    path = tmp_path / name
    if name == "a.parquet":
        pq.write_table(pa.table({"a": [1]}), path)
    else:
        path.write_bytes(b'{"a": 1}\n')
    [piece] = pieces(path)
    with path.open("ab") as out:
        out.write(b"more")
    with pytest.raises(SourceError, match="when the pieces were made"):
        list(read(piece))
    path.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        list(read(piece))


def test_an_unreadable_file_is_refused(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything: run this as another user")
    path = write(tmp_path / "a.jsonl", b"{}\n")
    path.chmod(0)
    with pytest.raises(SourceError, match="Permission denied"):
        pieces(path)
    folder = tmp_path / "locked"
    folder.mkdir(mode=0)
    with pytest.raises(SourceError, match="Permission denied"):
        pieces(tmp_path / "locked")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        pieces(tmp_path / "a.jsonl")


def test_a_target_below_one_byte_is_refused(tmp_path):
    with pytest.raises(SourceError, match="at least 1"):
        pieces(write(tmp_path / "a.jsonl", b"{}\n"), 0)


# --- Folders, globs, formats -------------------------------------------------------------------


def names(found):
    return [Path(piece.path).name for piece in found]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / ".git").mkdir()
    for name in [
        "b.jsonl",
        "a.csv",
        "deep/c.jsonl",
        ".hidden.jsonl",
        ".git/d.jsonl",
        "README.md",
        "e.txt",
    ]:
        write(tmp_path / name, b'{"a": 1}\n')
    return tmp_path


def test_a_folder_gives_its_readable_files_in_order(folder):
    assert names(pieces(folder)) == ["a.csv", "b.jsonl", "c.jsonl"]
    assert names(pieces(folder, format="jsonl")) == ["b.jsonl", "c.jsonl"]


def test_a_glob_gives_what_it_matches(folder):
    assert names(pieces(folder / "*.jsonl")) == ["b.jsonl"]
    assert names(pieces(folder / "**" / "*.jsonl")) == ["b.jsonl", "c.jsonl"]
    assert names(pieces(folder / ".g*" / "*")) == ["d.jsonl"]
    assert names(pieces(folder / "dee*")) == ["c.jsonl"]


def test_a_name_with_a_bracket_is_a_name_first(tmp_path):
    assert names(pieces(write(tmp_path / "a[1].jsonl", b"{}\n"))) == ["a[1].jsonl"]


def test_a_folder_without_readable_files_says_what_it_holds(folder):
    with pytest.raises(SourceError, match=r"wanted parquet, found .*README\.md"):
        pieces(folder, format="parquet")


def test_the_format_can_be_said(folder):
    [piece] = pieces(folder / "e.txt", format="jsonl")
    assert list(read(piece)) == [Row(1, {"a": 1})]
    [piece] = pieces(write_any(folder / "e.txt.gz", b'{"a": 1}\n'), format="jsonl")
    assert list(read(piece)) == [Row(1, {"a": 1})]


def test_infinity_in_a_list_of_good_numbers(tmp_path):
    path = write(tmp_path / "a.jsonl", orjson.dumps({"a": [0.5, 1e308, -0.0]}))
    [row] = values(everything(path))
    assert math.copysign(1, row["a"][2]) == -1
