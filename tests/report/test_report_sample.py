"""The rows that a report shows in full: drawn by hash, the same for everyone."""

import hashlib

from report_releases import row, shard, traces, write

from tracefactory.report.sample import FILES, choose


def files(folder, n=2, rows=100, config="sft", row_group_size=None):
    made = []
    for index in range(n):
        stats = shard(config, index, traces(rows, config))
        path = folder / stats.path
        write(path, [row(1000 * index + i, config) for i in range(rows)], config, row_group_size)
        made.append((stats, path))
    return made


def rank(seed, name):
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()


def test_the_rows_are_those_with_the_smallest_hashes(tmp_path):
    made = files(tmp_path)
    ids = [f"p{1000 * index + i}/model/0" for index in range(2) for i in range(100)]
    drawn = choose(made, "seed").accepted
    assert [one.id for one in drawn] == sorted(ids, key=lambda name: rank("seed", name))[:8]
    number = int(drawn[0].id[1:].partition("/")[0])
    assert drawn[0].messages == (
        ("user", f"What is {number} + 1?"),
        ("assistant", f"<think>\n{number}+1\n</think>\n\n{number + 1}"),
    )
    assert drawn[0].facts["final_answer"] == str(number + 1)
    assert drawn[0].path == f"sft/train-{number // 1000:05d}.parquet"


def test_it_does_not_depend_on_the_order_of_the_files_but_on_the_seed(tmp_path):
    made = [*files(tmp_path), *files(tmp_path, config="rejected")]
    assert choose(made, "seed") == choose(made[::-1], "seed")
    assert choose(made, "seed").accepted != choose(made, "other").accepted
    assert {one.facts["status"] for one in choose(made, "seed").rejected} == {"incorrect"}


def test_few_files_are_read_of_many(tmp_path):
    made = files(tmp_path, n=FILES + 5, rows=20)
    read = {one.path for one in choose(made, "seed", n=50).accepted}
    for stats, path in made:
        if stats.path not in read:
            path.unlink()  # choosing does not need them
    assert len(read) <= FILES
    assert {one.path for one in choose(made, "seed", n=50).accepted} == read


def test_one_row_group_of_a_file_is_read(tmp_path):
    made = files(tmp_path, n=1, rows=4000, row_group_size=1500)
    numbers = [int(one.id[1:].partition("/")[0]) for one in choose(made, "seed", n=100).accepted]
    assert len({number // 1500 for number in numbers}) == 1
    assert len(set(numbers)) == 100


def test_fewer_rows_than_asked_for_and_empty_files(tmp_path):
    made = [*files(tmp_path, n=1, rows=3), *files(tmp_path, n=1, rows=0, config="rejected")]
    drawn = choose(made, "seed")
    assert (len(drawn.accepted), len(drawn.rejected)) == (3, 0)
    assert choose([], "seed").accepted == ()
