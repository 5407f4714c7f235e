import subprocess

import google_crc32c
import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from store_crash import Zygote, start

from tracefactory.errors import ResourceError
from tracefactory.store.home import Journal
from tracefactory.store.log import Damage, Line, Log, frame, parse, read_at, replay

many = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def zygote():
    server = Zygote()
    yield server
    server.close()


texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["\n", "\r\n", "\u2028", "\x00", "a\nb", "\U0001f600", "00000000 {}\n"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(texts, values, max_size=4)


def good(path):
    return [dict(line.data) for line in replay(path) if isinstance(line, Line)]


def bad(path):
    return [line.number for line in replay(path) if isinstance(line, Damage)]


def fresh(tmp_path):
    path = tmp_path / "a.log"
    path.unlink(missing_ok=True)
    return path


def written(path, some):
    with Log(path) as log:
        for record in some:
            log.append(record)
    return path.read_bytes()


# ---- what goes in comes out ----


@many
@given(batches=st.lists(st.lists(records, max_size=3), max_size=6), sync=st.booleans())
@example(batches=[[{"text": "x\n" * 3_000_000}], [{}]], sync=True)
def test_records_come_back_in_order_and_where_append_said(tmp_path, batches, sync):
    path = fresh(tmp_path)
    starts = []
    for batch in batches:  # opened anew each time, as after a restart
        with Log(path) as log:
            starts.append(log.append(*batch, sync=sync))
    assert good(path) == [record for batch in batches for record in batch]
    assert bad(path) == []
    for offset, batch in zip(starts, batches, strict=True):
        if batch:
            assert read_at(path, offset) == batch[0]
    for line in replay(path):
        assert read_at(path, line.offset) == line.data


@many
@given(record=records)
def test_one_record_is_one_line(record):
    line = frame(record)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert parse(line) == record


def test_no_file_is_no_lines(tmp_path):
    assert list(replay(tmp_path / "none.log")) == []


@pytest.mark.parametrize("data", [[1], "text", 1, None])
def test_a_line_that_is_no_object_is_damage(tmp_path, data):
    path = tmp_path / "a.log"
    path.write_bytes(frame(data) + frame({"a": 1}))
    assert (bad(path), good(path)) == ([1], [{"a": 1}])


def test_a_well_summed_line_that_is_no_json_is_damage(tmp_path):
    path = tmp_path / "a.log"
    bodies = [b"{", b"\xff", b"[" * 100_000, b""]
    path.write_bytes(b"".join(b"%08x %b\n" % (google_crc32c.value(b), b) for b in bodies))
    assert bad(path) == [1, 2, 3, 4]


# ---- torn tails ----


def test_a_log_torn_at_any_byte_loses_only_the_torn_line(tmp_path):
    some = [{"n": 0}, {"n": 1, "t": "\u00fc\n" * 5}, {"n": 2, "t": "last \U0001f600"}]
    path = fresh(tmp_path)
    data = written(path, some)
    whole = [len(frame(some[0])), len(frame(some[0])) + len(frame(some[1])), len(data)]
    for keep in range(whole[0], len(data) + 1):
        path.write_bytes(data[:keep])
        n_whole = sum(end <= keep for end in whole)
        assert good(path) == some[:n_whole], keep
        torn = keep not in whole
        assert bad(path) == ([n_whole + 1] if torn else [])

        with Log(path) as log:
            at = log.append({"next": keep})
        assert read_at(path, at) == {"next": keep}
        healed = keep + 1 in whole  # only the newline was missing
        assert good(path) == [*some[: n_whole + healed], {"next": keep}], keep
        assert len(bad(path)) == (torn and not healed)


def test_a_log_torn_again_and_again_keeps_every_good_line(tmp_path):
    path = fresh(tmp_path)
    for i in range(20):
        with Log(path) as log:
            log.append({"i": i})
        with path.open("ab") as file:
            file.write(frame({"lost": i})[: i + 1])
    assert good(path) == [{"i": i} for i in range(20)]
    assert len(bad(path)) == 20


# ---- damage in the middle ----

some_records = [{"n": i, "t": "j*J" * i, "u": "\u00e4"} for i in range(6)]


@many
@given(data=st.data())
def test_any_flipped_bit_damages_its_own_line_and_is_named(tmp_path, data):
    path = fresh(tmp_path)
    plain = written(path, some_records)
    at = data.draw(st.integers(0, len(plain) - 1))
    damaged = bytearray(plain)
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    line = plain[:at].count(b"\n")
    touched = {line, line + 1} if plain[at] == 10 else {line}  # two lines became one
    assert good(path) == [r for i, r in enumerate(some_records) if i not in touched]
    named = bad(path)
    assert named[0] == line + 1
    assert named[-1] <= line + 2  # one line may have become two
    damages = [str(d) for d in replay(path) if isinstance(d, Damage)]
    assert damages[0].startswith(f"{path}:{line + 1}: ")


@many
@given(garbage=st.binary(min_size=1, max_size=60), line=st.integers(0, 6))
@example(garbage=b"hello\nthere\n", line=3)
@example(garbage=b"00000000 {}\n", line=0)
@example(garbage=b"\n\n", line=6)
def test_foreign_text_between_lines_costs_at_most_the_line_it_runs_into(tmp_path, garbage, line):
    path = fresh(tmp_path)
    lines = written(path, some_records).splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:line], garbage, *lines[line:]]))
    runs_into = not garbage.endswith(b"\n")
    assert good(path) == [r for i, r in enumerate(some_records) if not (i == line and runs_into)]
    if garbage.strip(b"\n"):
        first = len(garbage) - len(garbage.lstrip(b"\n"))
        assert bad(path)[0] == line + 1 + first


@many
@given(noise=st.binary(max_size=300))
def test_a_file_of_anything_never_raises_and_can_be_appended_to(tmp_path, noise):
    path = fresh(tmp_path)
    path.write_bytes(noise)
    before = good(path)
    assert before == []
    with Log(path) as log:
        at = log.append({"a": 1})
    assert good(path) == [{"a": 1}]
    assert read_at(path, at) == {"a": 1}


def test_read_at_a_wrong_place_is_a_value_error(tmp_path):
    path = fresh(tmp_path)
    data = written(path, [{"a": 1}, {"b": 2}])
    for offset in [*range(1, len(frame({"a": 1}))), len(data), len(data) + 100]:
        with pytest.raises(ValueError, match=r"torn|checksum"):
            read_at(path, offset)


# ---- full disks ----


def test_on_a_full_disk_the_log_stays_readable_and_goes_on_when_there_is_space(tmp_path):
    room = tmp_path / "small"
    room.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tracefactory-test", str(room)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a full disk needs a mount of its own, and mount says: {done.stderr.strip()}")
    try:
        path = room / "a.log"
        (room / "other").write_bytes(b"x" * 20_000)
        with Log(path) as log:
            kept = []

            def fill():
                for i in range(1000):
                    log.append({"i": i, "t": "x" * 777})
                    kept.append(i)

            with pytest.raises(ResourceError, match="disk full"):
                fill()
            assert [record["i"] for record in good(path)] == kept
            assert bad(path) == []
            with pytest.raises(ResourceError):  # more than there will ever be
                log.append({"t": "x" * 100_000})
            assert [record["i"] for record in good(path)] == kept
            (room / "other").unlink()
            at = log.append({"after": 1})
            assert read_at(path, at) == {"after": 1}
        assert bad(path) == []
        assert len(good(path)) == len(kept) + 1 > 10
    finally:
        subprocess.run(["umount", str(room)], check=True)


def test_a_write_that_stops_at_any_byte_takes_nothing_from_the_log(tmp_path, zygote):
    path = fresh(tmp_path)
    written(path, [{"first": 1}])
    assert zygote.crash("append_under_limits", tmp_path, 0) is None
    assert good(path) == [{"first": 1}]
    assert bad(path) == []


# ---- journals ----


def test_a_journal_replays_all_attempts_and_skips_what_is_torn(tmp_path):
    for attempt in range(3):
        journal = Journal(tmp_path / "journal", "c.r0.abc")
        for i in range(2):
            journal.append({"attempt": attempt, "i": i})
        journal.close()
        journal.close()
    other = Journal(tmp_path / "journal", "c.r0.abd")
    other.append({"other": 1})
    other.close()
    files = sorted((tmp_path / "journal").glob("c.r0.abc.*.log"))
    assert len(files) == 3
    files[1].write_bytes(files[1].read_bytes()[:-3])
    again = Journal(tmp_path / "journal", "c.r0.abc")
    found = list(again.replay())
    assert len(found) == 5
    assert list(again.replay()) == found
    again.remove()
    assert list(again.replay()) == []
    assert [dict(r) for r in other.replay()] == [{"other": 1}]


def test_a_journal_keeps_everything_that_append_returned_from_when_the_process_is_killed(tmp_path):
    process = start("journal", tmp_path)
    n = 0
    while n < 500:
        n += len(process.stdout.read1(100))
    process.kill()
    n += len(process.stdout.read())
    process.stdout.close()
    process.wait(30)
    found = [record["i"] for record in Journal(tmp_path, "c").replay()]
    assert found == list(range(len(found)))
    assert len(found) >= n


def test_lines_are_json_for_people(tmp_path):
    path = fresh(tmp_path)
    written(path, [{"b": 1, "a": "\u00fc"}])
    assert orjson.loads(path.read_bytes()[9:]) == {"a": "\u00fc", "b": 1}
    assert path.read_bytes()[9:] == '{"a":"\u00fc","b":1}\n'.encode()
