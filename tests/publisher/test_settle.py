"""Settling: any sequence of releases, and each is there exactly, with no shard sent for nothing."""

import itertools
import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from made_releases import Row, made
from publishing import Silent, rows_of_folder

from tracefactory.publisher.files import Files
from tracefactory.publisher.local import open_local
from tracefactory.publisher.publish import Outcome, publish
from tracefactory.store.files import read_parquet

IDS = st.integers(0, 40)
RELEASE = st.dictionaries(IDS, st.sampled_from("ab"), max_size=30)
"""Text by id."""


def cut(rows: list[Row], parts: int, seed: int) -> list[list[Row]]:
    """Rows in shards, in an order of their own: where a row lies says nothing."""
    shuffled = random.Random(seed).sample(rows, len(rows))
    found = [shuffled[i::parts] for i in range(parts)]
    return [part for part in found if part] or [[]]


def send(folder: Path, there: Path) -> Outcome:
    return publish(folder, Files(str(there), Silent()), Silent())


def latest(there: Path) -> Path:
    return there / (there / "LATEST").read_text().strip()


def ids_of(path: Path) -> list[str]:
    return read_parquet(path, ["id"]).column("id").to_pylist()


def shards_of(there: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(latest(there).glob("sft/*.parquet"))}


@settings(max_examples=8)
@given(
    releases=st.lists(st.tuples(RELEASE, st.integers(1, 4)), min_size=2, max_size=3),
    seed=st.integers(0, 1000),
)
def test_what_is_published_is_exactly_the_last_release(tmp_path_factory, releases, seed):
    root = tmp_path_factory.mktemp("settle")
    there = root / "there"
    before: dict[str, tuple[list[str], dict[int, str]]] = {}
    for number, (texts, parts) in enumerate(releases):
        rows = [(f"id-{i}", f"{text} of {i} " * 20) for i, text in texts.items()]
        folder = made(
            root / str(number),
            {"train": cut(rows, parts, seed + number), "test": [[("t", "always the same")]]},
            recipe_id=f"{number:016x}",  # every release is of another recipe
        )
        done = send(folder, there)
        wanted, found = rows_of_folder(folder), rows_of_folder(latest(there))
        assert found.get("sft/train", {}) == wanted.get("sft/train", {})
        assert found["sft/test"] == wanted["sft/test"]
        assert done.rows == {"sft/test": 1, "sft/train": len(rows)}
        assert_kept(there, before, texts)
        before = {name: (ids_of(path), texts) for name, path in shards_of(there).items() if rows}
        again = send(folder, there)
        assert not again.changed
        stats = open_local(latest(there)).shards
        assert sum(s.stats.rows for s in stats) == len(rows) + 1


def assert_kept(
    there: Path, before: dict[str, tuple[list[str], dict[int, str]]], texts: dict[int, str]
) -> None:
    """Rows that stay lie in the shard they lay in, in the same order."""
    now = shards_of(there)
    for name, (ids, old) in before.items():
        if not name.startswith("train"):
            continue
        left = [i for i in ids if int(i.partition("-")[2]) in texts]
        assert left == (ids_of(now[name]) if name in now else []) or not texts
        same = [i for i in left if old[int(i[3:])] == texts[int(i[3:])]]
        if texts and len(same) == len(ids):
            assert now[name].exists()


def test_a_shard_s_bytes_change_only_when_its_rows_do(tmp_path):
    rows = [(f"id-{i}", f"text {i} " * 30) for i in range(400)]
    there = tmp_path / "there"
    send(made(tmp_path / "a", {"train": [rows[:200], rows[200:]]}), there)
    before = {name: path.read_bytes() for name, path in shards_of(there).items()}
    edited = [(i, text + "!" if i == "id-7" else text) for i, text in rows]
    folder = made(tmp_path / "b", {"train": cut(edited, 3, 7)}, recipe_id="1" * 16)
    done = send(folder, there)
    after = {name: path.read_bytes() for name, path in shards_of(there).items()}
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == ["train-00000.parquet"]
    assert done.new_shards == done.kept_shards == 1


def test_settling_is_the_same_every_time(tmp_path):
    first = [(f"id-{i}", f"text {i}") for i in range(300)]
    second = [(i, f"{text}?" if n % 40 == 0 else text) for n, (i, text) in enumerate(first)]
    second += [(f"new-{i}", "more") for i in range(130)]
    found = []
    for number in range(2):
        there = tmp_path / f"there-{number}"
        send(made(tmp_path / f"a-{number}", {"train": cut(first, 3, 1)}), there)
        send(made(tmp_path / f"b-{number}", {"train": cut(second, 4, 5)}), there)
        found.append({name: path.read_bytes() for name, path in shards_of(there).items()})
    assert found[0] == found[1]
    sizes = [len(ids_of(path)) for path in shards_of(tmp_path / "there-0").values()]
    assert max(sizes) <= 108, "new shards are no larger than the largest local one"


def test_a_release_whose_rows_were_never_listed_is_replaced(tmp_path):
    """A dataset folder that was copied to its place by hand: matched by their bytes."""
    rows = [(f"id-{i}", f"text {i}") for i in range(100)]
    folder = made(tmp_path / "a", {"train": [rows[:50], rows[50:]]})
    there = tmp_path / "there"
    (there / "releases").mkdir(parents=True)
    (there / "releases/byhand").symlink_to(folder)
    (there / "LATEST").write_text("releases/byhand\n")
    more = [*rows, ("new", "one")]
    send(made(tmp_path / "b", {"train": [more[:50], more[50:]]}), there)
    assert rows_of_folder(latest(there))["sft/train"].keys() == {i for i, _ in more}


def test_splits_and_configs_come_and_go(tmp_path):
    there = tmp_path / "there"
    a, b = [("a", "1")], [("b", "2")]
    for number, splits in enumerate(
        [
            {"train": [a]},
            {"train": [a], "test": [b]},
            {"train": [b]},
            {"train": [[]]},
            {"train": [a]},
        ]
    ):
        send(made(tmp_path / str(number), splits), there)
        names = {name.rpartition("-")[0] for name in shards_of(there)}
        assert names == set(splits)
        wanted = list(itertools.chain.from_iterable(splits["train"]))
        assert list(rows_of_folder(latest(there))["sft/train"]) == [i for i, _ in wanted]
