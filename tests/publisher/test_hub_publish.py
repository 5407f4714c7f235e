"""Publishing to the Hub: what arrives, what is sent again, what readers load."""

import hashlib
import json
import subprocess
import sys

from hub_server import blob
from publishing import (
    COMMAND,
    REPO,
    assert_never_a_part,
    assert_whole,
    checkout,
    keys,
    publish,
    rows_of_folder,
    start,
)

WIRE = r"PUT|POST .*/commit/"

LOAD = """\
import hashlib, json, os, sys
from pathlib import Path
import datasets, huggingface_hub
datasets.disable_progress_bars()
repo, tag = sys.argv[1:]
config = {"trust_remote_code": False} if False else {}
found = {"plain": {}, "tagged": {}, "streamed": {}}
for name in ("sft", "rl", "pretrain", "rejected", "shard_stats"):
    found["plain"][name] = {s: len(d) for s, d in datasets.load_dataset(repo, name).items()}
found["default"] = len(datasets.load_dataset(repo, split="train"))
found["tagged"]["sft"] = len(datasets.load_dataset(repo, "sft", revision=tag, split="train"))
streamed = datasets.load_dataset(repo, "sft", split="train", streaming=True)
found["streamed"]["sft"] = sum(1 for _ in streamed)
folder = Path(huggingface_hub.snapshot_download(repo, repo_type="dataset"))
found["snapshot"] = {
    str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
    for path in folder.rglob("*") if path.is_file()
}
print(json.dumps(found))
"""


# They say where the release is, which it did not know before; and the sums have them all.
MADE_ANEW = {
    "README.md", "SHA256SUMS", "dataset_info.json", "manifest/manifest.json", "report.html"
}  # fmt: skip


def test_a_release_arrives_whole_private_and_tagged(server, environ, base, tmp_path):
    done = publish(environ, base, REPO, "--no-xet")
    repo = server.repos[REPO]
    assert repo.private
    assert repo.tags == {done["tag"]: repo.main}
    assert done["tag"] == f"r-{done['release'][:12]}"
    assert len(repo.commits) == 2, "the bare first one, and the release in one commit"
    assert assert_never_a_part(server) == [done["release"]]
    there = checkout(server, tmp_path / "there")
    for path in (base / "dataset").rglob("*"):
        name = str(path.relative_to(base / "dataset"))
        if path.is_file() and name not in MADE_ANEW:
            assert (there / name).read_bytes() == path.read_bytes(), name
    info = json.loads((there / "dataset_info.json").read_bytes())
    assert info["sft"]["hf_hub_url"] == REPO
    assert f'load_dataset("{REPO}"' in (there / "README.md").read_text("utf-8")


def test_readers_load_it(server, environ, base, tmp_path):
    done = publish(environ, base, f"hf://datasets/{REPO}", "--no-xet")
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, REPO, done["tag"]],
        env=environ | {"HF_HUB_DISABLE_XET": "1"}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr[-3000:]
    found = json.loads(loaded.stdout)
    rows = done["rows"]
    for name, splits in found["plain"].items():
        if name != "shard_stats":
            assert splits == {
                k.partition("/")[2]: n for k, n in rows.items() if k.startswith(f"{name}/")
            }
    counted = (found["default"], found["tagged"]["sft"], found["streamed"]["sft"])
    assert counted == (rows["sft/train"],) * 3
    assert_whole(found["snapshot"], server.read(REPO, "SHA256SUMS"))


def test_auditors_find_it_sound_by_its_name_first_and_settled(
    server, environ, base, stricter, tmp_path
):
    key, public = keys(tmp_path)
    for run in (base, stricter):
        done = publish(environ, run, REPO, "--no-xet", "--sign", key)
        found = subprocess.run(
            [COMMAND, "audit", f"hf://datasets/{REPO}@{done['tag']}", "--inline", "--planted", "20",
             "--key", public, "--expect", done["release"]],
            env=environ | {"HF_HUB_DISABLE_XET": "1"}, capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        assert found.returncode == 0, found.stdout + found.stderr
        assert "SOUND" in found.stdout


def test_rows_without_a_licence_are_published_only_under_one_that_is_stated(
    server, environ, tmp_path
):
    rows = [{"q": f"What is {n} + 1?", "a": str(n + 1)} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "recipe.yaml").write_text(UNLICENSED)
    subprocess.run(
        [COMMAND, "run", "recipe.yaml", "--inline", "--folder", "run"],
        cwd=tmp_path, check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    refused = publish(environ, tmp_path / "run", REPO, "--no-xet", code=2)
    assert "without a known licence" in refused["said"]
    assert "--license" in refused["said"]
    assert REPO not in server.repos
    publish(environ, tmp_path / "run", REPO, "--no-xet", "--license", "CC-BY-4.0")
    assert "license: cc-by-4.0" in server.read(REPO, "README.md").decode()


UNLICENSED = """\
name: unlicensed
seed: 7
stages:
  attempts:
    use: import
    path: rows.jsonl
    license: unknown
    problem: {statement: q, reference: a}
    attempts: [{teacher: me, text: a}]
  verdicts: {use: verify, from: attempts, verifier: numeric}
  dataset: {use: publish, from: verdicts, statuses: [correct, no_answer, incorrect]}
"""


def test_an_unchanged_release_sends_nothing(server, environ, base):
    first = publish(environ, base, REPO, "--no-xet")
    server.log.clear()
    again = publish(environ, base, REPO, "--no-xet")
    assert not again["changed"]
    assert again["release"] == first["release"]
    assert server.count("^(POST|PUT)") == 0
    assert len(server.repos[REPO].commits) == 2


def test_a_dataset_folder_elsewhere_is_the_same_release(server, environ, base, tmp_path):
    publish(environ, base, REPO, "--no-xet")
    assert not publish(environ, base / "dataset", REPO, "--no-xet")["changed"]


def test_more_rows_go_to_new_shards_and_the_old_ones_stay(server, environ, base, more, tmp_path):
    first = publish(environ, base, REPO, "--no-xet")
    old = server.files(REPO)
    server.log.clear()
    done = publish(environ, more, REPO, "--no-xet")
    new = server.files(REPO)
    shards = {
        path for path in old if path.endswith(".parquet") and not path.startswith("manifest/")
    }
    assert {path for path in shards if new.get(path) == old[path]} == shards
    assert done["kept_shards"] == len(shards)
    assert done["shard_bytes"] < 0.2 * first["shard_bytes"]
    sent = [path for method, path, _ in server.log if method == "PUT"]
    assert not {f"/lfs/{old[path]}" for path in shards} & set(sent)
    there = rows_of_folder(checkout(server, tmp_path / "there"))
    assert there == rows_of_folder(more / "dataset")
    assert len(assert_never_a_part(server)) == 2
    manifest = json.loads(server.read(REPO, "manifest/manifest.json"))
    assert manifest["parent_release"] == first["release"]
    assert not publish(environ, more, REPO, "--no-xet")["changed"]


def test_rows_that_moved_are_moved_and_every_tag_still_stands(
    server, environ, base, stricter, tmp_path
):
    first = publish(environ, base, REPO, "--no-xet")
    done = publish(environ, stricter, REPO, "--no-xet")
    there = rows_of_folder(checkout(server, tmp_path / "there"))
    assert there == rows_of_folder(stricter / "dataset")
    assert there["sft/train"] != rows_of_folder(base / "dataset")["sft/train"]
    old = rows_of_folder(checkout(server, tmp_path / "old", first["tag"]))
    assert old == rows_of_folder(base / "dataset")
    assert done["tag"] != first["tag"]
    back = publish(environ, base, REPO, "--no-xet")
    assert rows_of_folder(checkout(server, tmp_path / "back")) == old
    assert len({first["tag"], done["tag"], back["tag"]}) == 3
    assert len(assert_never_a_part(server)) == 3


def test_dry_run_says_what_would_be_sent_and_sends_nothing(server, environ, base, more):
    would = publish(environ, base, REPO, "--dry-run", "--no-xet")
    assert REPO not in server.repos
    did = publish(environ, base, REPO, "--no-xet")
    keys = (
        "sent_files",
        "sent_bytes",
        "shard_bytes",
        "new_shards",
        "kept_shards",
        "release",
        "rows",
    )
    assert [would[key] for key in keys] == [did[key] for key in keys]
    commits = len(server.repos[REPO].commits)
    server.log.clear()
    would = publish(environ, more, REPO, "--dry-run", "--no-xet")
    assert server.count("^(POST|PUT)") == 0
    assert len(server.repos[REPO].commits) == commits
    did = publish(environ, more, REPO, "--no-xet")
    assert [would[key] for key in keys] == [did[key] for key in keys]


def test_what_somebody_else_put_there_is_left_alone(server, environ, base):
    server.push(REPO, {"README.md": b"hello", "data.csv": b"a,b\n"})
    refused = publish(environ, base, REPO, "--no-xet", code=2)
    assert "data.csv" in refused["said"]
    assert set(server.files(REPO)) == {"README.md", "data.csv"}


def test_a_repository_with_nothing_but_a_card_is_taken(server, environ, base):
    server.push(REPO, {"README.md": b"hello", ".gitattributes": b""})
    publish(environ, base, REPO, "--no-xet")
    assert len(assert_never_a_part(server)) == 1


def test_a_stranger_s_file_beside_a_release_stays(server, environ, base, more):
    publish(environ, base, REPO, "--no-xet")
    server.push(REPO, {"LICENSE": b"MIT"})
    publish(environ, more, REPO, "--no-xet")
    assert server.read(REPO, "LICENSE") == b"MIT"


def test_a_shard_that_was_changed_by_hand_is_put_right(server, environ, base, tmp_path):
    first = publish(environ, base, REPO, "--no-xet")
    server.push(REPO, {"sft/train-00000.parquet": b"not parquet"})
    done = publish(environ, base, REPO, "--no-xet")
    assert done["new_shards"] == 1
    assert done["kept_shards"] == first["new_shards"] - 1
    there = rows_of_folder(checkout(server, tmp_path / "there"))
    assert there == rows_of_folder(base / "dataset")


def test_private_is_not_public(server, environ, base):
    publish(environ, base, REPO, "--no-xet", "--public")
    assert not server.repos[REPO].private
    assert "public" in publish(environ, base, REPO, "--no-xet", "--private", code=2)["said"]


def test_a_tag_of_one_s_own_is_never_moved(server, environ, base, more):
    publish(environ, base, REPO, "--no-xet", "--tag", "v1")
    main = server.repos[REPO].main
    refused = publish(environ, more, REPO, "--no-xet", "--tag", "v1", code=2)
    assert "v1" in refused["said"]
    assert server.repos[REPO].tags == {"v1": main}
    assert server.repos[REPO].main == main, "refused before anything was sent"
    publish(environ, more, REPO, "--no-xet", "--tag", "v2", "--message", "Four problems more")
    assert server.repos[REPO].commits[server.repos[REPO].main].title == "Four problems more"


def test_a_damaged_local_shard_is_not_published(server, environ, base, tmp_path):
    folder = tmp_path / "copy"
    for path in (base / "dataset").rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(base / "dataset")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    shard = folder / "sft" / "train-00000.parquet"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    refused = publish(environ, folder, REPO, "--no-xet", code=6)
    assert "sft/train-00000.parquet" in refused["said"]
    assert "SHA256SUMS" not in server.files(REPO)


def test_words_that_can_be_read_two_ways_are_refused(server, environ, base, tmp_path):
    (tmp_path / "me").mkdir()
    for words, hint in (
        ((base, "hf://models/a/b"), "datasets"),
        ((base, f"hf://datasets/{REPO}@main"), "without a revision"),
        ((base, "nowhere:///x"), "nowhere"),
        ((base, tmp_path / "x", "--tag", "v1"), "--tag"),
        ((tmp_path, REPO), "no release"),
        ((base, REPO, "--sign", tmp_path / "no.pem"), "no.pem"),
    ):
        assert hint in publish(environ, *words, code=2)["said"]
    with start(environ | {}, base, REPO, cwd=tmp_path) as process:
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert f"./{REPO}" in said
    assert server.repos == {}


def test_the_server_names_blobs_as_git_does():
    assert blob(b"").oid == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert hashlib.sha1(b"blob 0\0").hexdigest() == blob(b"").oid
