"""What can go wrong on the way to the Hub: after each, the old release or the whole new one."""

import hashlib
import signal
import subprocess
import threading
import time

import pytest
from publishing import (
    REPO,
    assert_never_a_part,
    checkout,
    publish,
    rows_of_folder,
    start,
)

COMMIT = r"^POST .*/commit/"
PUT = r"^PUT /lfs/"


@pytest.fixture
def first(server, environ, base):
    """What publishing `base` said; then the log is empty."""
    done = publish(environ, base, REPO, "--no-xet")
    server.log.clear()
    return done


def shown(server, tmp_path, name="shown"):
    return rows_of_folder(checkout(server, tmp_path / name))


@pytest.mark.parametrize(
    ("on", "what", "times"),
    [
        (COMMIT, {"status": 429, "headers": {"Retry-After": "2"}}, 2),
        (COMMIT, {"status": 503}, 2),
        (COMMIT, {"status": 409}, 1),
        (COMMIT, {"drop": "before"}, 2),
        (COMMIT, {"drop": "after"}, 1),
        (PUT, {"status": 500}, 2),
        (PUT, {"drop": "before"}, 2),
        (r"/preupload/", {"status": 429, "headers": {"Retry-After": "1"}}, 1),
        (r"objects/batch", {"drop": "after"}, 1),
        (r"^POST .*/tag/", {"status": 429, "headers": {"Retry-After": "1"}}, 1),
        (r"^POST .*/tag/", {"drop": "after"}, 1),
        (r"^GET .*/revision/main", {"status": 502}, 2),
        (r"^GET .*/tree/", {"drop": "before"}, 1),
        (r"^(HEAD|GET) .*/resolve/.*manifest.json", {"status": 503}, 2),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_passes_is_waited_for(server, environ, first, more, tmp_path, on, what, times):
    fault = server.fault(on, times=times, **what)
    began = time.monotonic()
    done = publish(environ, more, REPO, "--no-xet")
    assert fault.times == 0
    asked = float(what.get("headers", {}).get("Retry-After", 0)) * times
    assert time.monotonic() - began > asked
    assert assert_never_a_part(server) == [first["release"], done["release"]]
    assert shown(server, tmp_path) == rows_of_folder(more / "dataset")
    assert server.repos[REPO].tags[done["tag"]] == server.repos[REPO].main


def test_a_repository_that_cannot_be_created_at_once_is_tried_again(server, environ, base):
    server.fault(r"/api/repos/create", status=503)
    done = publish(environ, base, REPO, "--no-xet")
    assert assert_never_a_part(server) == [done["release"]]


def test_a_refusal_that_will_not_pass_ends_it_at_once(server, environ, first, more):
    fault = server.fault(COMMIT, times=9, status=403)
    said = publish(environ, more, REPO, "--no-xet", code=4)["said"]
    assert "token" in said
    assert fault.times == 8
    assert assert_never_a_part(server) == [first["release"]]


def test_a_wait_that_is_too_long_is_not_sat_out(server, environ, first, more):
    server.fault(COMMIT, times=9, status=429, headers={"Retry-After": "7200"})
    said = publish(environ, more, REPO, "--no-xet", code=4)["said"]
    assert "7,200 s" in said
    assert assert_never_a_part(server) == [first["release"]]


@pytest.mark.parametrize("on", [PUT, r"/preupload/", COMMIT, r"^POST .*/tag/"])
def test_killed_anywhere_it_goes_on_and_sends_nothing_twice(
    server, environ, first, stricter, tmp_path, on
):
    hold = threading.Event()
    fault = server.fault(on, hold=hold, drop="before")
    with start(environ, stricter, REPO, "--no-xet") as process:
        assert fault.reached.wait(120)
        process.send_signal(signal.SIGKILL)
    hold.set()
    wanted = rows_of_folder(stricter / "dataset")
    visible = shown(server, tmp_path, "between")
    assert visible == (
        wanted if "tag" in on else rows_of_folder(first_folder(server, tmp_path, first))
    )
    done = publish(environ, stricter, REPO, "--no-xet")
    assert shown(server, tmp_path) == wanted
    assert assert_never_a_part(server) == [first["release"], done["release"]]
    assert server.repos[REPO].tags[done["tag"]] == server.repos[REPO].main
    sent = [path for method, path, _ in server.log if method == "PUT"]
    assert len(sent) == len(set(sent)), "a file was sent twice"


def first_folder(server, tmp_path, first):
    return checkout(server, tmp_path / "first", first["tag"])


def test_killed_again_and_again_it_arrives(server, environ, first, stricter, tmp_path):
    """kill -9 after 0.5, 1.0, ... seconds, whatever it was doing."""
    seconds, ended = 0.5, False
    while not ended:
        with start(environ, stricter, REPO, "--no-xet") as process:
            try:
                process.wait(seconds)
                ended = True
            except subprocess.TimeoutExpired:
                process.kill()
        assert_never_a_part(server)
        seconds += 0.5
    assert process.returncode == 0
    assert shown(server, tmp_path) == rows_of_folder(stricter / "dataset")
    sent = [path for method, path, _ in server.log if method == "PUT"]
    assert len(sent) == len(set(sent)), "a file was sent twice"


def test_somebody_else_s_commit_in_between_is_not_overwritten(
    server, environ, first, more, tmp_path
):
    server.fault(COMMIT, first=lambda: server.push(REPO, {"README.md": b"mine"}))
    said = publish(environ, more, REPO, "--no-xet", code=4)["said"]
    assert "moved" in said
    assert server.read(REPO, "README.md") == b"mine"
    assert shown(server, tmp_path) == shown(server, tmp_path, "old")
    server.log.clear()
    publish(environ, more, REPO, "--no-xet")
    assert shown(server, tmp_path, "then") == rows_of_folder(more / "dataset")
    shards = [path for method, path, n in server.log if method == "PUT" and n > 20_000]
    assert shards == [], "what was sent before the refusal was sent again"


def test_of_two_at_once_one_wins_and_the_other_says_so(server, environ, first, more, stricter):
    """Both look at the same head; the first is held back at its commit until the second is done."""
    hold = threading.Event()
    fault = server.fault(COMMIT, hold=hold)
    with start(environ, more, REPO, "--no-xet") as process:
        assert fault.reached.wait(120)
        done = publish(environ, stricter, REPO, "--no-xet")
        hold.set()
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 4
    assert "moved" in said
    assert assert_never_a_part(server) == [first["release"], done["release"]]


def test_the_same_release_by_two_at_once_is_one_release(server, environ, first, more):
    hold = threading.Event()
    fault = server.fault(COMMIT, hold=hold)
    with start(environ, more, REPO, "--no-xet") as process:
        assert fault.reached.wait(120)
        done = publish(environ, more, REPO, "--no-xet")
        hold.set()
        process.communicate(timeout=120)
    assert process.returncode == 0
    assert assert_never_a_part(server) == [first["release"], done["release"]]


def test_a_head_that_is_behind_is_found_out(server, environ, first, more, base, tmp_path):
    """The list says the commit before; a commit onto that is refused, then the truth is seen."""
    publish(environ, more, REPO, "--no-xet")
    server.behind = 2
    publish(environ, more, REPO, "--no-xet")
    assert len(server.repos[REPO].commits) == 3, "the release that was there is not made again"
    assert shown(server, tmp_path) == rows_of_folder(more / "dataset")


def test_files_that_show_late_are_waited_for(server, environ, first, more, tmp_path):
    old = server.files(REPO)
    server.unseen = {
        "SHA256SUMS": 2,
        "manifest/manifest.json": 1,
        "sft/train-00000.parquet": 1,
    }
    done = publish(environ, more, REPO, "--no-xet")
    assert server.files(REPO)["sft/train-00000.parquet"] == old["sft/train-00000.parquet"]
    assert done["kept_shards"] == first["new_shards"]
    assert assert_never_a_part(server) == [first["release"], done["release"]]


def test_a_shard_that_never_shows_is_sent_again(server, environ, first, more, tmp_path):
    server.unseen = {"sft/train-00000.parquet": 10_000}
    publish(environ, more, REPO, "--no-xet")
    server.unseen = {}
    assert shown(server, tmp_path) == rows_of_folder(more / "dataset")
    assert_never_a_part(server)


@pytest.mark.parametrize("on", [PUT, COMMIT])
def test_a_connection_that_hangs_is_given_up(server, environ, first, more, on):
    hold = threading.Event()
    server.fault(on, times=99, hold=hold)
    began = time.monotonic()
    try:
        said = publish(environ, more, REPO, "--no-xet", "--stalled-after", "2", code=4)["said"]
    finally:
        hold.set()
    assert "--no-xet" in said
    assert time.monotonic() - began < 60


def test_a_slow_connection_that_moves_is_not_given_up(server, environ, first, more):
    """Each answer takes a second less than what is allowed."""
    for on in (PUT, COMMIT, r"/preupload/"):
        server.fault(on, first=lambda: time.sleep(2))
    done = publish(environ, more, REPO, "--no-xet", "--stalled-after", "4")
    assert assert_never_a_part(server) == [first["release"], done["release"]]


def test_a_damaged_release_is_not_gone_on_from(server, environ, first, more):
    manifest = server.read(REPO, "manifest/manifest.json")
    server.push(REPO, {"manifest/manifest.json": manifest.replace(b'"seed": 7', b'"seed": 8')})
    said = publish(environ, more, REPO, "--no-xet", code=6)["said"]
    assert "manifest/manifest.json" in said
    digest = hashlib.sha256(server.read(REPO, "manifest/manifest.json")).hexdigest()
    assert digest != first["release"]


def test_where_xet_does_not_work_the_way_around_it_is_named(server, environ, base):
    """This server has no Xet, so every transfer by it is refused; plain HTTP is one word away."""
    server.fault(r"/xet-write-token/", times=99, status=403)
    said = publish(environ, base, REPO, code=4)["said"]
    assert "--no-xet" in said
    assert assert_never_a_part(server) == []
    publish(environ, base, REPO, "--no-xet")
