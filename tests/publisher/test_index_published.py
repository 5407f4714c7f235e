"""The index of a release goes where its shards go, whatever was published before; others find it.

`against:` is tested here too as far as it reads from the Hub; how rows are compared is tested in
tests/stages/test_dedupe_near.py.
"""

import hashlib
import subprocess

import orjson
import pyarrow.parquet as pq
import pytest
from hub_server import blob
from publishing import (
    COMMAND,
    REPO,
    Silent,
    assert_never_a_part,
    assert_whole,
    checkout,
    digests,
    publish,
)

from tracefactory.audit.asked import Asked
from tracefactory.audit.examine import audit_release
from tracefactory.audit.place import opened
from tracefactory.cluster import InlinePool
from tracefactory.publisher.files import Files
from tracefactory.publisher.publish import publish as publish_here
from tracefactory.repeats import index as indexes

RECIPE = """\
name: set
seed: 7
stages:
  problems:
    use: sample
    chunk: {{rows: 20}}
    families: [{{name: gcd, count: {count}, split: {{test: 5}}}}]
  attempts: {{use: generate, from: problems, teacher: {{kind: solver, slip_rate: 0.3}}}}
  verdicts: {{use: verify, from: attempts}}
  kept: {{use: filter, from: verdicts, keep: ["status = 'correct'"]}}
  unique: {{use: dedupe, from: kept, level: {level}{against}}}
  dataset: {{use: publish, from: unique, shard: {{rows: 40}}}}
"""
INTEGRITY = Asked(recheck=False, planted=0)


def run(folder, count=60, level="near", against="", environ=None, code=0):
    """A run folder with a release; or what the run said."""
    folder.mkdir(parents=True, exist_ok=True)
    text = RECIPE.format(count=count, level=level, against=against)
    (folder / "recipe.yaml").write_text(text, "utf-8")
    done = subprocess.run(
        [COMMAND, "run", "recipe.yaml", "--inline", "--folder", "run"],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == code, done.stderr[-3000:]
    return folder / "run" if code == 0 else done.stderr


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    return run(tmp_path_factory.mktemp("runs") / "near")


@pytest.fixture(scope="module")
def more(tmp_path_factory):
    return run(tmp_path_factory.mktemp("runs") / "more", count=70)


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    return run(tmp_path_factory.mktemp("runs") / "exact", level="exact")


def sent(target, dataset):
    """Publish to a folder; the outcome, and the folder of the release."""
    done = publish_here(dataset, Files(str(target), Silent()), Silent())
    with opened(str(target), None, foreign=False) as place:
        assert place.release is not None
        return done, place.release


def index_files(release):
    return {name: sha for name, sha in digests(release).items() if name.startswith("index/")}


def assert_indexed(release):
    """Each shard of sft and rl has its part of the index, which follows from its rows."""
    manifest = orjson.loads((release / "manifest/manifest.json").read_bytes())
    lines = indexes.instructions_of(manifest["recipe"])
    paths = [f["path"] for f in manifest["files"] if f["path"].partition("/")[0] in ("sft", "rl")]
    assert len(paths) > 3
    names = [name for path in paths for name in indexes.names_of(path)]
    assert index_files(release).keys() == {indexes.SPEC, *names}
    for path in paths:
        made = indexes.index_of(release / path, path.partition("/")[0], lines)
        for name, table in zip(indexes.names_of(path), made, strict=True):
            assert pq.read_table(release / name).equals(table), name
    assert audit_release(release, INTEGRITY, InlinePool(), lambda *_: None).faults == []
    assert_whole(digests(release), (release / "SHA256SUMS").read_bytes())


def test_an_index_is_sent_with_its_shards(near, tmp_path):
    done, release = sent(tmp_path / "there", near)
    assert_indexed(release)
    assert index_files(release) == index_files(near / "dataset")
    again, _ = sent(tmp_path / "there", near)
    assert (done.changed, again.changed) == (True, False)
    assert again.sent_files == 0


def test_shards_that_stay_keep_their_index_and_new_ones_bring_theirs(near, more, tmp_path):
    _, before = sent(tmp_path / "there", near)
    done, release = sent(tmp_path / "there", more)
    assert done.kept_shards > 2
    assert done.new_shards > 1
    assert_indexed(release)
    old, new = index_files(before), index_files(release)
    stayed = {
        name for name, sha in digests(before).items()
        if name.startswith(("sft/", "rl/")) and digests(release).get(name) == sha
    }  # fmt: skip
    assert stayed
    for name in {part for path in stayed for part in indexes.names_of(path)}:
        assert new[name] == old[name]


def test_what_was_published_without_an_index_gets_one(exact, near, tmp_path):
    _, before = sent(tmp_path / "there", exact)
    assert not index_files(before)
    done, release = sent(tmp_path / "there", near)
    assert done.kept_shards > 2
    assert_indexed(release)


def test_an_index_goes_with_the_release_that_has_none(near, exact, tmp_path):
    sent(tmp_path / "there", near)
    done, release = sent(tmp_path / "there", exact)
    assert indexes.SPEC in done.gone
    assert not index_files(release)
    assert audit_release(release, INTEGRITY, InlinePool(), lambda *_: None).faults == []


def test_a_shard_in_other_hands_is_indexed_as_it_is_written(more, near, tmp_path):
    """Rows that go are taken out of published shards; the index follows."""
    sent(tmp_path / "there", more)
    done, release = sent(tmp_path / "there", near)
    assert done.new_shards
    assert_indexed(release)


BRANCHES = """\
name: branches
seed: 7
stages:
  problems: {use: sample, chunk: {rows: 20}, families: [{name: gcd, count: 40}]}
  attempts: {use: generate, from: problems, teacher: {kind: solver, slip_rate: 0.3}}
  verdicts: {use: verify, from: attempts}
  unique: {use: dedupe, from: verdicts, level: near}
  chosen: {use: select, from: unique, traces: {per_problem: 1}}
  stored:
    use: import
    path: stored.jsonl
    license: MIT
    chunk: {rows: 20}
    problem: {id: id, statement: question, reference: answer}
    attempts: [{text: reply, teacher: other}]
    verifier: numeric
  judged: {use: verify, from: stored}
  dataset: {use: publish, from: [chosen, judged], shard: {rows: 20}}
"""


def test_shards_of_branches_that_no_near_dedupe_saw_are_indexed_too(tmp_path):
    (tmp_path / "recipe.yaml").write_text(BRANCHES, "utf-8")
    rows = [
        {"id": f"s{n}", "question": f"What is {n} + 1?", "answer": str(n + 1),
         "reply": f"It is one more than {n}.\n\nThe answer is {n + 1}."}
        for n in range(40)
    ]  # fmt: skip
    (tmp_path / "stored.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    done = subprocess.run(
        [COMMAND, "run", "recipe.yaml", "--inline", "--folder", "run"],
        cwd=tmp_path, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert_indexed(tmp_path / "run/dataset")
    _, release = sent(tmp_path / "there", tmp_path / "run")
    assert_indexed(release)


# --- On the Hub, and read from there -------------------------------------------------------------

AGAINST = f", against: [hf://datasets/{REPO}]"


@pytest.fixture
def online(server, environ, near):
    """The Hub with the release on it."""
    publish(environ, near, REPO, "--no-xet")
    return environ | {"HF_HUB_DISABLE_XET": "1"}


def loaded(server, since=0):
    """Files that were read from the Hub."""
    asked = [path for _, path, _ in server.log[since:] if "/resolve/" in path]
    return {path.partition("/resolve/")[2].partition("/")[2] for path in asked}


def test_the_hub_has_the_index_and_a_second_publication_sends_none_of_it(
    server, online, near, more, tmp_path
):
    first = checkout(server, tmp_path / "first")
    assert_indexed(first)
    assert publish(online, near, REPO, "--no-xet")["changed"] is False
    publish(online, more, REPO, "--no-xet")
    assert_indexed(checkout(server, tmp_path / "second"))
    assert len(assert_never_a_part(server)) == 2


def test_what_is_published_on_the_hub_is_dropped_by_its_index_alone(server, online, tmp_path):
    since = len(server.log)
    found = run(tmp_path / "later", count=70, against=AGAINST, environ=online)
    read = loaded(server, since)
    assert indexes.SPEC in read
    assert any(name.endswith(".bands.parquet") for name in read)
    assert not any(name.startswith(("sft/", "rl/")) for name in read)
    rejected = pq.read_table(found / "dataset/rejected").to_pylist()
    sha = hashlib.sha256(server.read(REPO, "manifest/manifest.json")).hexdigest()
    said = [row["drop_reason"] for row in rejected if row["dropped_by"] == "unique"]
    assert said
    assert all(one.startswith("published ") for one in said), said[:3]
    assert all(one.endswith(f", in set@{sha[:12]}") for one in said), said[:3]
    kept = pq.read_table(found / "dataset/sft").column("problem_id").to_pylist()
    before = {row["problem_id"] for row in rejected if row["dropped_by"] == "unique"}
    assert kept
    assert not before & set(kept)


def test_without_its_index_the_shards_on_the_hub_are_read_and_give_the_same(
    server, online, tmp_path
):
    with_index = run(tmp_path / "with", count=70, against=AGAINST, environ=online)
    repo = server.repos[REPO]
    tree = repo.at("main").tree
    repo.add("no index", {k: v for k, v in tree.items() if not k.startswith("index/")})
    since = len(server.log)
    without = run(tmp_path / "without", count=70, against=AGAINST, environ=online)
    assert any(name.startswith("sft/") for name in loaded(server, since))
    shards = ("sft", "rl", "rejected")
    for config in shards:
        left, right = (digests(folder / "dataset" / config) for folder in (with_index, without))
        assert left == right, config


def test_an_index_of_another_definition_on_the_hub_is_refused(server, online, tmp_path):
    repo = server.repos[REPO]
    tree = dict(repo.at("main").tree)
    changed = indexes.spec_bytes().replace(b'"rows": 8', b'"rows": 13')
    assert changed != indexes.spec_bytes()
    repo.add("another", tree | {indexes.SPEC: blob(changed)})
    said = run(tmp_path / "later", count=70, against=AGAINST, environ=online, code=2)
    assert f"hf://datasets/{REPO} was indexed under another definition" in " ".join(said.split())
    assert "differs in ['rows']" in " ".join(said.split())


def test_a_commit_is_read_as_it_was_whatever_came_after(server, online, tmp_path):
    repo = server.repos[REPO]
    sha = repo.main
    repo.add("emptied", {})
    pinned = f", against: [hf://datasets/{REPO}@{sha}]"
    found = run(tmp_path / "later", count=70, against=pinned, environ=online)
    rejected = pq.read_table(found / "dataset/rejected").to_pylist()
    assert any(str(row["drop_reason"]).startswith("published ") for row in rejected)
    said = run(tmp_path / "other", count=70, against=AGAINST, environ=online, code=2)
    assert "holds no release" in " ".join(said.split())
