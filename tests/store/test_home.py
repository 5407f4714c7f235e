import json
import pickle

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_crash import Zygote, copier, receipt, start, table, tree

from tracefactory.errors import IntegrityError, RecipeError, ResourceError
from tracefactory.schemas.receipt import Output, Receipt
from tracefactory.store.files import TEMPORARY, sha256_of
from tracefactory.store.home import LOCK, RECEIPTS, Home, Receipts, RunFolder, canonical, digest
from tracefactory.store.log import Log, frame


@pytest.fixture(scope="module")
def zygote():
    server = Zygote()
    yield server
    server.close()


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "run")


# ---- outputs ----


def test_the_same_table_put_twice_is_the_same_file(home):
    one = home.put("raw", "c.r0", "attempts", table("a"))
    before = (home.path / one.name).stat()
    assert home.put("raw", "c.r0", "attempts", table("a")) == one
    assert (home.path / one.name).stat().st_mtime_ns == before.st_mtime_ns
    assert one.name == f"raw/c.r0.attempts-{one.sha256[:12]}.parquet"
    assert (one.rows, one.bytes) == (20, before.st_size)
    assert sha256_of(home.path / one.name) == one.sha256
    assert home.read(one).equals(table("a"))
    assert home.read(one, ["n"], [("n", "<", 2)])["n"].to_pylist() == [0, 1]
    assert list(tree(home.path)) == [one.name]


def test_a_file_of_the_right_name_and_wrong_size_is_written_again(home):
    one = home.put("raw", "c.r0", "attempts", table("a"))
    path = home.path / one.name
    whole = path.read_bytes()
    for wrong in (b"", whole[:-1], whole + b"x"):
        path.write_bytes(wrong)
        assert home.put("raw", "c.r0", "attempts", table("a")) == one
        assert path.read_bytes() == whole


def test_a_put_killed_at_any_step_leaves_a_whole_file_or_none(zygote, tmp_path):
    begin = tmp_path / "start"
    old = Home(begin).put("raw", "c.r0", "attempts", table("old"))
    outcomes = []
    for n, at, path in zygote.every_step("put", copier(begin, tmp_path)):
        names = [name for name in tree(path) if TEMPORARY not in name]
        assert old.name in names
        for name in names:
            assert sha256_of(path / name).startswith(name.split("-")[-1][:12]), (n, at)
        outcomes.append(len(names))
        again = Home(path).put("raw", "c.r0", "attempts", table("new"))
        assert Home(path).read(again).equals(table("new"))
        assert len([name for name in tree(path) if TEMPORARY not in name]) == 2
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {1, 2}


def test_processes_that_put_one_slot_at_once_all_end_whole(tmp_path):
    both = [start("puts", tmp_path, word) for word in ("a", "b")]
    said = [
        json.loads(line)
        for process in both
        for line in process.communicate(timeout=60)[0].splitlines()
    ]
    assert [process.returncode for process in both] == [0, 0]
    assert len(said) == 2 * 24 * 2
    for word, rows, fields in said:
        output = Output(**fields)
        assert sha256_of(tmp_path / output.name) == output.sha256
        assert Home(tmp_path).read(output).equals(table(word, rows))
    assert len(tree(tmp_path)) == 3 * 24


def test_present_is_a_matter_of_every_file_and_its_size(home):
    outputs = [home.put("raw", f"c{i}.r0", "attempts", table(f"t{i}")) for i in range(3)]
    done = receipt("raw/c.r0", *outputs)
    assert home.present(done)
    assert home.present(receipt("raw/none.r0"))
    for output in outputs:
        path = home.path / output.name
        whole = path.read_bytes()
        for wrong in (b"", whole[:-1], whole + b"x"):
            path.write_bytes(wrong)
            assert not home.present(done)
        path.unlink()
        assert not home.present(done)
        path.write_bytes(whole)
        assert home.present(done)
    (home.path / "raw").rename(home.path / "gone")
    assert not home.present(done)


def test_reading_what_is_gone_is_an_integrity_error(home):
    output = home.put("raw", "c.r0", "attempts", table("a"))
    (home.path / output.name).unlink()
    with pytest.raises(IntegrityError, match="fsck"):
        home.read(output)


def test_a_home_pickles(home):
    assert pickle.loads(pickle.dumps(home)) == home


def test_the_form_that_is_hashed_knows_no_order_of_keys():
    assert canonical({"b": 1, "a": {2: 3, "c": [1]}}) == canonical({"a": {"c": [1], 2: 3}, "b": 1})
    assert digest({"a": 1}) != digest({"a": "1"}) != digest({"a": 1.0})


# ---- receipts ----


def test_the_newest_receipt_of_a_slot_wins_now_and_after_a_restart(tmp_path):
    with RunFolder(tmp_path / "run") as run:
        for i in range(5):
            run.record(receipt("raw/a.r0", key=f"k{i}"))
            run.record(receipt(f"raw/{i}.r0"))
            assert run.receipts.get("raw/a.r0").key == f"k{i}"
        assert run.receipts.get("raw/none.r0") is None
        now = list(run.receipts)
    again = Receipts(tmp_path / "run" / RECEIPTS)
    assert list(again) == now
    assert list(again.slots()) == ["raw/a.r0", *(f"raw/{i}.r0" for i in range(5))]
    assert again.get("raw/a.r0") == receipt("raw/a.r0", key="k4")
    assert again.damaged == []


def test_a_receipt_comes_back_as_it_was(tmp_path):
    output = Output("attempts", "raw/x.parquet", "ab", 2**40, 7)
    one = Receipt(
        "raw/\u00fc.r0", "k", {"use": "a:b"}, (output, output), {"rows": 2**40},
        {"fact": "line\nline"}, ("p1", "p2"), 0.1, 1.7e9, "host:1",
    )  # fmt: skip
    with RunFolder(tmp_path / "run") as run:
        run.record(one)
    assert Receipts(tmp_path / "run" / RECEIPTS).get("raw/\u00fc.r0") == one
    assert Receipt.from_json(orjson.loads(orjson.dumps(one.to_json()))) == one


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
FIELDS = sorted(receipt("x").to_json())


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    gone=st.sets(st.sampled_from(FIELDS), max_size=2),
    other=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=3), json_values, max_size=3),
    foreign=st.dictionaries(st.text(max_size=5) | st.just("slot"), json_values, max_size=3),
)
def test_foreign_lines_and_other_versions_are_missing_receipts(tmp_path, gone, other, foreign):
    path = tmp_path / "r.log"
    good = receipt("raw/good.r0")
    odd = {**receipt("raw/odd.r0").to_json(), **other}
    odd = {name: value for name, value in odd.items() if name not in gone}
    path.write_bytes(frame(foreign) + frame(good.to_json()) + frame(odd) + frame(foreign))
    receipts = Receipts(path)
    assert receipts.damaged == []
    assert [r for r in receipts if r.slot == "raw/good.r0"] in ([good], [good, good])
    for slot in receipts.slots():
        assert isinstance(receipts.get(slot), Receipt | None)
    if gone - {"slot"} and not other:
        assert receipts.get("raw/odd.r0") is None


def test_an_output_of_another_version_makes_its_receipt_missing(tmp_path):
    path = tmp_path / "r.log"
    fields = {"role": "r", "name": "raw/x", "sha256": "s", "bytes": 1, "rows": 1}
    for i, outputs in enumerate(
        [
            [{**fields, "more": 1}],
            [{**fields, "name": 5}],
            [{**fields, "name": "\0"}],
            [{"name": "x"}],
            ["x"],
            [None],
            None,
            7,
            {"a": 1},
        ]
    ):
        path.write_bytes(frame({**receipt(f"raw/{i}.r0").to_json(), "outputs": outputs}))
        assert Receipts(path).get(f"raw/{i}.r0") is None


def test_a_damaged_line_makes_its_receipt_missing_and_is_named(tmp_path):
    path = tmp_path / "r.log"
    lines = [frame(receipt(f"raw/{i}.r0").to_json()) for i in range(3)]
    path.write_bytes(lines[0] + lines[1].replace(b'"k"', b'"q"') + lines[2])
    receipts = Receipts(path)
    assert list(receipts.slots()) == ["raw/0.r0", "raw/2.r0"]
    assert [damage.number for damage in receipts.damaged] == [2]


def test_a_line_that_is_damaged_after_the_start_makes_its_receipt_missing(tmp_path):
    path = tmp_path / "r.log"
    path.write_bytes(frame(receipt("raw/a.r0").to_json()))
    receipts = Receipts(path)
    path.write_bytes(path.read_bytes().replace(b'"k"', b'"q"'))
    assert receipts.get("raw/a.r0") is None
    assert list(receipts) == []


# ---- the folder ----


def test_a_driver_killed_at_any_step_leaves_a_receipt_or_none(zygote, tmp_path):
    begin = tmp_path / "start"
    with RunFolder(begin) as run:
        kept = receipt("raw/a.r0", run.home.put("raw", "a.r0", "attempts", table("a")))
        run.record(kept)
    (begin / "raw" / f"{TEMPORARY}host-1-ab").write_bytes(b"half")
    outcomes = []
    for n, at, path in zygote.every_step("record", copier(begin, tmp_path)):
        for _ in range(2):
            with RunFolder(path) as run:
                assert run.receipts.get("raw/a.r0") == kept
                found = run.receipts.get("raw/b.r0")
                assert found in (None, receipt("raw/b.r0")), (n, at)
                assert not any(TEMPORARY in name for name in tree(path))
                assert run.home.present(kept)
        outcomes.append(found is not None)
        with RunFolder(path) as run:
            run.record(receipt("raw/b.r0"))
            run.record(receipt("raw/c.r0"))
        again = Receipts(path / RECEIPTS)
        assert {r.slot for r in again} == {"raw/a.r0", "raw/b.r0", "raw/c.r0"}
        assert len(again.damaged) <= 1
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


def test_a_new_folder_killed_at_any_step_opens_again(zygote, tmp_path):
    begin = tmp_path / "start"
    begin.mkdir()
    for n, at, path in zygote.every_step("record", copier(begin, tmp_path)):
        with RunFolder(path) as run:
            assert run.receipts.get("raw/b.r0") in (None, receipt("raw/b.r0")), (n, at)


def test_an_open_folder_sweeps_what_dead_writes_left_and_nothing_else(tmp_path):
    with RunFolder(tmp_path / "run") as run:
        output = run.home.put("raw", "a.r0", "attempts", table("a"))
    for folder in ("raw", "quarantine", "journal"):
        (tmp_path / "run" / folder).mkdir(exist_ok=True)
        (tmp_path / "run" / folder / f"{TEMPORARY}x").write_bytes(b"half")
    with RunFolder(tmp_path / "run") as run:
        assert run.swept == 3
        assert run.home.read(output).equals(table("a"))
    with RunFolder(tmp_path / "run") as run:
        assert run.swept == 0


def test_a_folder_that_is_none_of_ours_is_refused_untouched(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / ".tmp-mine").write_bytes(b"dear")
    before = tree(tmp_path)
    with pytest.raises(RecipeError, match="--folder"):
        RunFolder(tmp_path / "photos")
    with pytest.raises(RecipeError, match="is a file"):
        RunFolder(tmp_path / "photos" / ".tmp-mine")
    assert tree(tmp_path) == before
    (tmp_path / "empty").mkdir()
    with RunFolder(tmp_path / "empty"):
        assert (tmp_path / "empty" / LOCK).exists()


def test_what_is_kept_for_people(tmp_path):
    with RunFolder(tmp_path / "run") as run:
        run.event("start", n=1)
        run.event("end")
        run.write_recipe({"b": 1, "a": [2]})
        run.quarantine("raw/a.r0", {"why": "it \u00fcbt"})
        path = run.path
    lines = (path / "events.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line)["event"] for line in lines] == ["start", "end"]
    assert list(orjson.loads((path / "recipe.resolved.json").read_bytes())) == ["b", "a"]
    assert orjson.loads((path / "quarantine" / "raw.a.r0.json").read_bytes()) == {
        "why": "it \u00fcbt"
    }


def test_a_path_that_is_no_folder_is_a_resource_error_or_says_so(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises((ResourceError, OSError)):
        RunFolder(tmp_path / "file" / "run")


def test_a_log_that_ends_torn_costs_a_driver_one_receipt(tmp_path):
    with RunFolder(tmp_path / "run") as run:
        for i in range(3):
            run.record(receipt(f"raw/{i}.r0"))
    path = tmp_path / "run" / RECEIPTS
    path.write_bytes(path.read_bytes()[:-10])
    with RunFolder(tmp_path / "run") as run:
        assert list(run.receipts.slots()) == ["raw/0.r0", "raw/1.r0"]
        run.record(receipt("raw/2.r0"))
        assert run.receipts.get("raw/2.r0") == receipt("raw/2.r0")
    with Log(path) as log:
        log.append(receipt("raw/3.r0").to_json())
    assert list(Receipts(path).slots()) == [f"raw/{i}.r0" for i in range(4)]
