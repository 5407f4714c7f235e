"""Bad inputs and bad places, through the command line as a user meets them.

Each ends with the right exit code and a message that says what was asked, what was found and what
to do; never with a traceback. TRACEFACTORY_LONG=1 adds a line of 1 GB.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

COMMAND = Path(sys.executable).with_name("tracefactory")
MIB = 1 << 20
IS_ROOT = os.geteuid() == 0

TEACHER = '''\
"""A teacher that knows every answer, and is wrong at every fifth problem."""

from tracefactory.teachers.contract import Completion, TeacherInfo


class Echo:
    def __init__(self, paid=False):
        self.info = TeacherInfo("echo", "1", "MIT", paid)

    async def complete(self, requests):
        for request in requests:
            answer = int(request.problem.reference) + (request.seed % 5 == 0)
            text = f"<think>\\nEasy.\\n</think>\\n\\n\\\\boxed{{{answer}}}"
            yield Completion(request.problem.id, request.index, text)
'''
RECIPE = """\
name: sums
seed: 7
stages:
  problems:
    use: sample
    chunk: {rows: 20}
    file:
      path: rows.jsonl
      problem: {statement: question, reference: answer, id: id}
  attempts:
    use: generate
    from: problems
    teacher: {kind: "echo_teacher:Echo"}
    attempts: {min: 2}
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts}
"""
STORED = """\
name: stored
seed: 7
stages:
  attempts:
    use: import
    path: rows.jsonl
    problem: {statement: question, reference: answer}
    attempts: [{teacher: model, text: solution}]
  verdicts: {use: verify, from: attempts}
  dataset: {use: publish, from: verdicts}
"""


def row(i, **more):
    return {
        "id": f"p{i}",
        "question": f"What is {i} + {i}?",
        "answer": str(2 * i),
        "solution": f"\\boxed{{{2 * i}}}",
        **more,
    }


def lines(*rows):
    return "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows)


class Done:
    """How a command ended: code, output, and the most memory it held."""

    def __init__(self, arguments, cwd, wrap=()):
        env = {**os.environ, "PYTHONPATH": str(cwd), "COLUMNS": "200"}
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            command = [*wrap, COMMAND, *map(str, arguments)]
            process = subprocess.Popen(command, cwd=cwd, env=env, stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = self.code = os.waitstatus_to_exitcode(status)
            self.out, self.err = (stream.seek(0) or stream.read() for stream in (out, err))
        self.max_bytes = usage.ru_maxrss * 1024

    def says(self, code, *words):
        """Assert the exit code and what a user reads."""
        assert self.code == code, self.err[-3000:]
        assert "Traceback" not in self.err + self.out
        flat = " ".join(self.err.split())
        for word in words:
            assert word in flat, (word, flat)
        return self


class Place:
    """A user's folder with the recipe, the teacher and rows.jsonl."""

    def __init__(self, path, recipe=RECIPE, rows=""):
        self.path = path
        path.mkdir(exist_ok=True)
        (path / "echo_teacher.py").write_text(TEACHER)
        (path / "recipe.yaml").write_text(recipe)
        (path / "rows.jsonl").write_text(rows)

    def tracefactory(self, *arguments, wrap=()):
        return Done(arguments, self.path, wrap)

    def run(self, *arguments, folder="run", wrap=()):
        return self.tracefactory(
            "run", "recipe.yaml", "--inline", "--folder", folder, *arguments, wrap=wrap
        )

    def manifest(self):
        return orjson.loads((self.path / "run/dataset/manifest/manifest.json").read_bytes())

    def malformed(self):
        found = self.tracefactory("inspect", "run", "--malformed", "--json").says(0)
        return [
            (Path(r["file"]).name, r["line"], r["reason"]) for r in json.loads(found.out)
        ]  # fmt: skip


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- Files that are not what they should be ----------------------------------------------------


def test_a_good_file_and_a_teacher_of_one_s_own_make_a_dataset(tmp_path):
    place = Place(tmp_path, rows=lines(*map(row, range(50))))
    place.run().says(0, "done in")
    funnel = place.manifest()["funnel"]
    assert funnel["problems.problems"] == 50
    assert funnel["attempts.attempts"] == 100
    assert 0 < funnel["verdicts.incorrect"] < 50
    table = pq.read_table(tmp_path / "run/dataset/sft")
    assert set(table.column("teacher").to_pylist()) == {"echo"}


def all_at_once(folder, cases, make):
    """Run one command a case, two at a time: most of it is waiting for imports."""

    def one(name):
        place, arguments = make(folder / name, cases[name])
        return place.run(*arguments), (place.path / "run" / "dataset").exists()

    folder.mkdir(exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(cases, pool.map(one, cases), strict=True))


FILES = {
    "empty": (b"", ["rows.jsonl", "is empty (0 bytes)", "write it again"]),
    "blank": (b"\n\n \n", ["rows.jsonl", "has no rows"]),
    "gzip": (
        b"\x1f\x8b\x08\0" + bytes(range(256)),
        ["rows.jsonl", "looks like gzip", "give it the right extension"],
    ),
    "binary": (
        bytes(range(256)) * 40,
        ["rows.jsonl", "not one of", "can be used", "not_utf8", "is it the right file"],
    ),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\n",
        ["looks like a Git LFS pointer", "fetch it again"],
    ),
    "column": (
        b'{"question": "What is 1 + 1?", "answr": 2, "id": "a"}\n',
        [
            "'answer' for reference (did you mean 'answr'?)",
            "answr, id, question",
            "correct the map",
        ],
    ),
    "reference": (
        b'{"question": "What is 1 + 1?", "answer": "two", "id": "a"}\n',
        ["not one of 1 rows", "bad_reference:unparsable"],
    ),
    "array": (b'[{"question": 1}]\n', ["not_object"]),
}


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory):
    def make(folder, case):
        place = Place(folder)
        (folder / "rows.jsonl").write_bytes(case[0])
        return place, ()

    return all_at_once(tmp_path_factory.mktemp("files"), FILES, make)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_which_nothing_can_be_used_is_named(bad_files, name):
    done, published = bad_files[name]
    done.says(2, *FILES[name][1])
    assert not published


PATHS = {
    "nowhere.jsonl": "does not exist; the nearest name in",
    "'*.parquet'": "matches nothing",
    "recipe.yaml": "unknown extension; known are .jsonl",
    "nothing": "no file to read: wanted",
}


def test_a_path_with_nothing_to_read_is_named(tmp_path):
    def make(folder, _):
        place = Place(folder, rows=lines(row(1)))
        (folder / "nothing").mkdir()
        return place, ("--set", f"stages.problems.file.path={folder.name}")

    for path, (done, _) in all_at_once(tmp_path / "all", PATHS, make).items():
        done.says(2, path.strip("'"), PATHS[path])


def test_a_column_of_attempts_that_no_row_has_is_an_error_and_no_empty_dataset(tmp_path):
    place = Place(tmp_path, STORED, lines(*map(row, range(5))))
    place.run("--set", "stages.attempts.attempts.0.text=solutions").says(
        2, "no row has 'solutions' for text (did you mean 'solution'?)"
    )
    (tmp_path / "rows.jsonl").write_text(lines(*(row(i, solution="") for i in range(5))))
    place.run().says(2, "5 problems, but not one attempt", "5 x attempt of model: empty:solution")


def test_duplicate_ids_keep_one_problem_and_contradictions_none(tmp_path):
    rows = [*map(row, range(40)), row(3), row(4, answer="9"), row(4, answer="10")]
    place = Place(tmp_path / "a", rows=lines(*rows))
    place.run().says(0)
    assert place.manifest()["rejected_rows"] == {
        "duplicate_id:other_content": 3,
        "duplicate_id:same_problem": 1,
    }
    assert place.manifest()["funnel"]["problems.problems"] == 39
    reasons = {reason for _, _, reason in place.malformed()}
    assert reasons == {"duplicate_id:other_content", "duplicate_id:same_problem"}
    assert ("rows.jsonl", 41, "duplicate_id:same_problem") in place.malformed()
    other = Place(tmp_path / "b", rows=lines(*reversed(rows)))
    other.run().says(0)
    assert files_of(other.path / "run/dataset") == files_of(place.path / "run/dataset")


def test_stored_attempts_may_repeat_their_problem_and_not_change_it(tmp_path):
    rows = [
        *(row(1, solution=f"\\boxed{{{k}}}") for k in range(3)),
        row(2, solution="\\boxed{4}"),
        row(2, answer="5", solution="\\boxed{5}"),
    ]
    place = Place(tmp_path, STORED.replace("statement", "id: id, statement"), lines(*rows))
    place.run().says(0)
    # Nobody knows which reference of the second is right: its rows are listed, attempts and all.
    kept = place.manifest()["funnel"]["attempts.attempts"]
    assert kept == 3
    assert place.manifest()["rejected_rows"] == {"duplicate_id:other_content": 2}
    rows = pq.read_table(tmp_path / "run/dataset/rejected").to_pylist()
    rows += pq.read_table(tmp_path / "run/dataset/sft").to_pylist()
    assert sorted(r["id"] for r in rows) == [f"p1/model/{k}" for k in range(kept)]
    assert len({r["answer"] for r in rows}) == 1


def test_malformed_rows_are_listed_with_file_line_and_reason_and_counted(tmp_path):
    rows = lines(
        row(0),
        '{"question": "cut off',
        row(2, answer=None),
        row(3, answer="a lot"),
        "[1, 2]",
        row(5, answer=[5]),
        "",
        row(7, question="  "),
        row(8, answer=16),
    )
    place = Place(tmp_path, rows=rows)
    place.run().says(0, "not_json", "bad_reference:unparsable", "empty:answer")
    expected = {
        2: "not_json", 3: "empty:answer", 4: "bad_reference:unparsable", 5: "not_object",
        6: "list:answer", 8: "empty:question",
    }  # fmt: skip
    assert place.malformed() == [("rows.jsonl", n, reason) for n, reason in expected.items()]
    counts = {reason: list(expected.values()).count(reason) for reason in expected.values()}
    assert place.manifest()["rejected_rows"] == counts
    assert place.manifest()["funnel"]["problems.rejected"] == 6
    card = (tmp_path / "run/dataset/README.md").read_text()
    assert "* not_json: 1" in card


@pytest.mark.parametrize(
    "n_bytes",
    [
        200 * MIB,
        pytest.param(
            1024 * MIB,
            marks=pytest.mark.skipif(
                os.environ.get("TRACEFACTORY_LONG") != "1", reason="1 GB: TRACEFACTORY_LONG=1"
            ),
        ),
    ],
    ids=["200MB", "1GB"],
)
def test_an_endless_line_is_one_malformed_row_and_no_burden(tmp_path, n_bytes):
    place = Place(tmp_path, rows=lines(row(0)))
    usual = place.run(folder="usual").says(0).max_bytes
    with (tmp_path / "rows.jsonl").open("ab") as file:
        file.truncate(file.tell() + n_bytes)  # a hole: reads as so many NUL bytes
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + lines(row(1)).encode())
    done = place.run().says(0, "line_too_long")
    assert place.malformed() == [("rows.jsonl", 2, "line_too_long")]
    assert place.manifest()["funnel"]["problems.problems"] == 2
    # up to 64 MiB of a line are kept before it counts as too long, and a copy while that grows
    assert done.max_bytes - usual < 190 * MIB


# --- Recipes -----------------------------------------------------------------------------------


def test_a_bad_recipe_is_answered_with_its_lines(tmp_path):
    bad = RECIPE.replace("min: 2", "mim: 2").replace("use: verify", "use: verfy")
    place = Place(tmp_path, bad, lines(row(1)))
    done = place.run().says(
        2,
        "recipe.yaml:14: stages.attempts.attempts.mim: unknown key; did you mean 'min'?",
        "recipe.yaml:15: stages.verdicts.use:",
        "did you mean 'verify'?",
    )
    assert done.err.count("\n") == 2  # one line a fault, all of them
    assert not (tmp_path / "run").exists()


RECIPES = {
    "empty": ("", ["it is empty"]),
    "yaml": ("name: [", ["recipe.yaml:1"]),
    "list": ("- a\n- b\n", ["a recipe is a mapping", "found a list of 2"]),
    "from": (RECIPE.replace("from: problems", "from: problem"), ["did you mean 'problems'?"]),
    "teacher": (
        RECIPE.replace("echo_teacher:Echo", "echo_teacher:Ecco"),
        ["echo_teacher has no callable 'Ecco'"],
    ),
    "module": (RECIPE.replace("echo_teacher:Echo", "nowhere:Echo"), ["cannot import 'nowhere'"]),
    "kind": (RECIPE.replace('kind: "echo_teacher:Echo"', "kind: solvr"), ["solvr"]),
    "checker": (
        RECIPE.replace("use: verify,", "use: verify, verifier: numbers,"),
        ["recipe.yaml:15: stages.verdicts", "cannot import 'tracefactory.verifiers.numbers'"],
    ),
    "source": (
        RECIPE.replace("use: sample", "use: sample\n    verifier: numbers"),
        ["stages.problems.verifier", "cannot import 'tracefactory.verifiers.numbers'"],
    ),
    "measure": (
        RECIPE.replace("use: verify,", "use: verify, also: [numeric],"),
        ["stages.verdicts", "no callable 'measure'"],
    ),
    "map": (RECIPE.replace("reference: answer", "referense: answer"), ["mean 'reference'?"]),
    "stage": (RECIPE.replace("use: verify", 'use: "nowhere:STAGE"'), ["cannot import", "nowhere"]),
}


@pytest.fixture(scope="module")
def bad_recipes(tmp_path_factory):
    def make(folder, case):
        return Place(folder, case[0], lines(row(1))), ()

    return all_at_once(tmp_path_factory.mktemp("recipes"), RECIPES, make)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_that_cannot_run_says_where_it_is_wrong(bad_recipes, name):
    bad_recipes[name][0].says(2, *RECIPES[name][1])


def test_an_unknown_recipe_s_neighbours_are_named(tmp_path):
    Done(["run", "quickstrat"], tmp_path).says(
        2, "quickstrat: no such file", "did you mean 'quickstart'?", "shipped recipes:"
    )


# --- Places ------------------------------------------------------------------------------------

# root passes every permission check; without these two capabilities it is a user like any other
AS_A_USER = (
    ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    if IS_ROOT
    else []
)


@contextlib.contextmanager
def permissions(**modes):
    paths = {Path(path): mode for path, mode in modes.items()}
    before = {path: path.stat().st_mode for path in paths}
    for path, mode in paths.items():
        path.chmod(mode)
    try:
        yield
    finally:
        for path, mode in before.items():
            path.chmod(mode)


def test_an_unreadable_input_is_named(tmp_path):
    place = Place(tmp_path, rows=lines(row(1)))
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "rows.jsonl").write_text(lines(row(1)))
    with permissions(**{str(secret): 0o000}):
        for path in ("secret", "secret/rows.jsonl"):
            place.run("--set", f"stages.problems.file.path={path}", wrap=AS_A_USER).says(
                2, f"{tmp_path}/{path}: cannot be read (Permission denied)", "permissions"
            )
        done = place.tracefactory(
            "run", "recipe.yaml", "--inline", "--folder", "secret/run", wrap=AS_A_USER
        )
        done.says(4, "secret", "denied")
    with permissions(**{str(tmp_path / "rows.jsonl"): 0o000}):
        place.run(wrap=AS_A_USER).says(2, "rows.jsonl: cannot be read (Permission denied)")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    place = Place(tmp_path, rows=lines(row(1)))
    with permissions(**{str(tmp_path): 0o555}):
        place.run(wrap=AS_A_USER).says(
            4, f"cannot write {tmp_path}/run", "Permission denied", "--folder"
        )
    place.run().says(0)
    with permissions(**{str(tmp_path / "run/raw"): 0o555}):
        place.run("--force", "attempts", "--set", "seed=8", wrap=AS_A_USER).says(
            4, f"cannot write {tmp_path}/run/raw", "make the folder writable"
        )


def test_a_folder_that_is_something_else_is_refused(tmp_path):
    place = Place(tmp_path, rows=lines(row(1)))
    place.run(folder="rows.jsonl").says(2, "rows.jsonl is a file; give a folder")
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.jpg").write_bytes(b"cat")
    place.run(folder="photos").says(
        2, "photos holds files but is no run folder", "empty or new folder with --folder"
    )
    assert files_of(photos) == {"cat.jpg": b"cat"}


def test_a_folder_in_use_is_refused_and_the_holder_named(tmp_path):
    from tracefactory.store.lock import Lock

    place = Place(tmp_path, rows=lines(row(1)))
    with Lock(tmp_path / "run/run.lock"):
        place.run().says(5, f"{tmp_path}/run is in use", f"process {os.getpid()}", "--takeover")
    place.run().says(0)


def test_a_cluster_that_is_not_there_is_named(tmp_path):
    place = Place(tmp_path, rows=lines(row(1)))
    script = (
        "import sys, tracefactory.cluster as c; from tracefactory.cli import main\n"
        "attach = c.DaskPool._attach\n"
        "c.DaskPool._attach = staticmethod(lambda client, address: attach(\n"
        "    lambda a, **k: client(a, **{**k, 'timeout': '1s'}), address))\n"
        "sys.argv = ['tracefactory', 'run', 'recipe.yaml', '--scheduler', 'tcp://127.0.0.1:9']\n"
        "main()\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=place.path, env=env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 4
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


# --- A full disk -------------------------------------------------------------------------------

ROWS = lines(*map(row, range(400)))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The same recipe on a disk with room: its dataset, and what the run folder takes."""
    place = Place(tmp_path_factory.mktemp("undisturbed"), rows=ROWS)
    place.run().says(0)
    found = [p.stat() for p in (place.path / "run").rglob("*") if p.is_file()]
    used = sum({stat.st_ino: stat.st_blocks * 512 for stat in found}.values())  # links count once
    return files_of(place.path / "run/dataset"), used


@pytest.fixture
def small_disk(tmp_path):
    """A file system of a given size, mounted; only root can."""
    point = tmp_path / "disk"
    point.mkdir()

    def mount(n_bytes):
        if not IS_ROOT:
            pytest.skip("NOT TESTED: a full disk (mounting a small file system needs root)")
        asked = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "none", str(point)]
        done = subprocess.run(asked, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"NOT TESTED: a full disk (no small file system here: {done.stderr})")
        return point

    yield mount
    if point.is_mount():
        subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.mark.parametrize("share", [0.02, 0.95])
def test_a_full_disk_stops_the_run_and_room_lets_it_end_the_same(
    tmp_path, small_disk, undisturbed, share
):
    dataset, used = undisturbed
    disk = small_disk(used + 4 * MIB)
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, used + 4 * MIB - int(share * used))
    place = Place(tmp_path / "place", rows=ROWS)
    place.run(folder=disk / "run").says(
        4, "disk full:", "No space left on device", "Nothing finished is lost",
        "free some space and give the same command again",
    )  # fmt: skip
    assert not (disk / "run/dataset").exists()
    ballast.unlink()
    place.run(folder=disk / "run").says(0)
    assert files_of(disk / "run/dataset") == dataset
    place.tracefactory("fsck", disk / "run").says(0)


def test_a_full_disk_under_workers_is_said_as_plainly(tmp_path, small_disk, undisturbed):
    dataset, used = undisturbed
    disk = small_disk(used // 2)
    place = Place(tmp_path / "place", rows=ROWS)
    place.tracefactory("run", "recipe.yaml", "--workers", "2", "--folder", disk / "run").says(
        4, "disk full:", "Nothing finished is lost", "free some space"
    )
    subprocess.run(["mount", "-o", f"remount,size={used * 4}", str(disk)], check=True)
    place.run(folder=disk / "run").says(0)
    assert files_of(disk / "run/dataset") == dataset


# --- Damage ------------------------------------------------------------------------------------


def flip(path, where=0.5):
    data = bytearray(path.read_bytes())
    data[int(len(data) * where)] ^= 0x10
    path.chmod(0o644)
    with path.open("r+b") as file:  # in place: a hard link would show it too, as on a real disk
        file.write(data)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("whole"), rows=lines(*map(row, range(50))))
    place.run().says(0)
    return place, files_of(place.path / "run/dataset")


def test_flipped_bits_are_found_set_aside_and_made_again(whole):
    place, dataset = whole
    kinds = ("raw", "verdicts", "shards", "problems")
    paths = [min((place.path / "run" / kind).glob("*.parquet")) for kind in kinds]
    for path in paths:
        flip(path)
    found = place.tracefactory("fsck", "run").says(6)
    for kind, path in zip(kinds, paths, strict=True):
        assert f"damaged: {kind}/{path.name}" in found.out
    assert found.out.count("is not what SHA256SUMS says") == 1  # the shard is the published file
    assert "`fsck --sweep`, then run the recipe again" in found.out
    swept = place.tracefactory("fsck", "run", "--sweep").says(6)
    assert swept.out.count("set aside in quarantine/") == 4
    place.run().says(0)
    assert place.tracefactory("fsck", "run").says(0).out.endswith("sound\n")
    assert files_of(place.path / "run/dataset") == dataset


def test_a_run_that_reads_a_damaged_file_stops_and_says_which(whole):
    place, dataset = whole
    path = min((place.path / "run/raw").glob("*.parquet"))
    flip(path, 0.2)
    place.run("--force", "verdicts").says(
        6, str(path), "cannot be read back", "tracefactory fsck", "--sweep"
    )
    place.tracefactory("fsck", "run", "--sweep").says(6)
    place.run().says(0)
    assert files_of(place.path / "run/dataset") == dataset


def test_a_damaged_receipt_costs_its_chunk_and_nothing_else(whole):
    place, dataset = whole
    log = place.path / "run/receipts.log"
    kept = log.read_bytes().splitlines(keepends=True)
    torn = kept[2][:40] + b"?" + kept[2][41:]
    log.write_bytes(b"".join([*kept[:2], torn, *kept[3:]]) + b"half a li")
    done = place.run().says(0, "receipts.log:3: checksum does not match", "torn line")
    assert "done in" in done.err
    assert files_of(place.path / "run/dataset") == dataset
    log.write_bytes(b"".join(kept))
