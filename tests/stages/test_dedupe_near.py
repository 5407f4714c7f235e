"""`dedupe: {level: near}`: what repeats another goes, nothing else, in whatever order it came."""

import shutil
from collections import Counter, defaultdict

import numpy as np
import orjson
import pyarrow as pa
import pytest
from pydantic import ValidationError
from repeat_parts import Given, chunk, corpus_module, cut, deduped

from tracefactory.board import without_paths
from tracefactory.errors import IntegrityError, RecipeError, SourceError
from tracefactory.nearness import signature
from tracefactory.repeats import index as indexes
from tracefactory.repeats import meeting, turns
from tracefactory.repeats.tables import PAIR_SCHEMA, PLACE_SCHEMA
from tracefactory.stages.contract import Inputs
from tracefactory.stages.dedupe import DedupeConfig
from tracefactory.store.commit import MANIFEST
from tracefactory.store.home import Home

CORPUS = corpus_module()
SPARED = {"few", "all", "boiler", "alone", "0.50"}
TWINS = [
    Given(
        f"t{n}",
        f"Find the sum of all the digits of the number {n} times {n + 7}, and say why it is what "
        "it is, with all of the steps that lead there.",
    )
    for n in range(40)
]


def statements(rows):
    return [Given(row.id, row.text, f"a trace of {row.id}") for row in rows]


def in_groups(rows):
    """Traces of one problem a cluster; twins, with other numbers, stand in the same."""
    counts = defaultdict(int)
    given = []
    for row in rows:
        counts[row.cluster] += 1
        statement = f"Problem {row.cluster}: say what follows from all that is known of it by now."
        given.append(Given(row.cluster, statement, row.text, counts[row.cluster]))
    return given


def alone(rows):
    """Traces that are each of another problem."""
    return [Given(row.id, f"Problem {row.id}: what is it?", row.text) for row in rows]


@pytest.mark.parametrize(
    ("given", "settings"), [(statements, {}), (in_groups, {}), (alone, {"across": True})]
)
def test_duplicates_are_found_and_nothing_else_goes(tmp_path, given, settings):
    rows = list(CORPUS.corpus(40))
    made = given(rows)
    home = Home(tmp_path)
    found = deduped(
        home, [chunk(home, f"c{n}", part) for n, part in enumerate(cut(made, 3))], **settings
    )
    gone = found.moved if given is statements else found.gone
    away = {
        row.id for row, one in zip(rows, made, strict=True)
        if (one.problem if given is statements else one.id) in gone
    }  # fmt: skip
    assert not {row.id for row in rows if row.kind in SPARED and row.id in away}
    bases = {row.cluster: row.id for row in rows if row.kind in ("base", "short")}
    pairs = [row for row in rows if row.duplicate and row.id not in bases.values()]
    missed = [row.id for row in pairs if not {row.id, bases[row.cluster]} & away]
    assert len(missed) <= 0.01 * len(pairs), missed


def test_the_kept_are_the_same_for_any_chunks_in_any_order(tmp_path, monkeypatch):
    rows = statements(CORPUS.corpus(8)) + in_groups(CORPUS.corpus(8, seed=8))
    results = []
    for turn in range(4):
        if turn == 3:  # and for any cut into tasks
            monkeypatch.setattr("tracefactory.stages.dedupe.GROUP_ROWS", 20)
            for name in ("RANGE_ROWS", "BAND_ROWS", "WALK_ROWS"):
                monkeypatch.setattr(turns, name, 50)
        home = Home(tmp_path / str(turn))
        parts = cut(rows, (1, 4, 9, 9)[turn], seed=turn)
        found = deduped(home, [chunk(home, f"c{n}", part) for n, part in enumerate(parts)])
        results.append((found.gone, found.moved))
    assert results[0][0]
    assert results[0][1]
    assert all(result == results[0] for result in results)


def test_compiled_or_not_the_same_are_kept(tmp_path):
    pytest.importorskip("numba")
    rows, found = statements(CORPUS.corpus(6)), []
    for fast in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tracefactory.nearness.fast.there", lambda fast=fast: fast)
            home = Home(tmp_path / str(fast))
            found.append(deduped(home, [chunk(home, "c", rows)]).moved)
    assert found[0] == found[1] != {}


def test_twins_of_a_template_are_all_kept(tmp_path):
    home = Home(tmp_path)
    assert deduped(home, [chunk(home, "c", TWINS)]).moved == {}


def test_problems_with_other_answers_are_kept(tmp_path):
    home = Home(tmp_path)
    text = (
        "Take the word that was said first in the room with the door and count its letters aloud."
    )
    rows = [Given(f"p{n}", text + " Now" * n, reference=str(n), answer=str(n)) for n in range(3)]
    assert deduped(home, [chunk(home, "c", rows)]).moved == {}


LONG = CORPUS.Maker(3).sentence(100)
TRACE = CORPUS.Maker(4).sentence(100)


def variant(n, of=LONG):
    """The same text with one word changed, no number."""
    words = list(of)
    plain = [i for i, word in enumerate(words) if word.isalpha()]
    words[plain[n]] = "otherwise"
    return " ".join(words)


def reply(n):
    return variant(n, TRACE)


def test_traces_of_duplicate_problems_are_compared_and_those_that_differ_stay(tmp_path):
    home = Home(tmp_path)
    rows = [
        Given("p", variant(0), reply(5)),
        Given("p", variant(0), "Something else is said here, in more words than it takes. 5", 1),
        Given("q", variant(1), reply(6)),
        Given(
            "q", variant(1), "And this is a way of its own to come to the answer, which is 7.", 1
        ),
    ]
    found = deduped(home, [chunk(home, "a", rows[:2]), chunk(home, "b", rows[2:])])
    assert list(found.moved.values()) == ["duplicate"]
    assert len(found.gone) == 1
    (reason,) = found.gone.values()
    assert reason.startswith("near-duplicate of ")
    assert found.counts["kept"] == 3
    assert found.counts["duplicates"] == 1
    assert sum(found.report["problems"]["pairs"].values()) == 1


def test_traces_of_different_problems_are_compared_when_asked(tmp_path):
    rows = [Given(f"p{n}", f"Question {n}", variant(n)) for n in range(3)]
    for across, gone in ((False, 0), (True, 2)):
        home = Home(tmp_path / str(across))
        assert len(deduped(home, [chunk(home, "c", rows)], across=across).gone) == gone


def test_the_very_same_long_trace_goes_whatever_the_problem_and_a_short_one_stays(tmp_path):
    home = Home(tmp_path)
    rows = [
        Given(f"p{n}", f"Question {n}", variant(0).upper() if n else variant(0)) for n in range(2)
    ]
    rows += [Given(f"s{n}", f"Other question {n}", "The answer is 4.") for n in range(2)]
    gone = deduped(home, [chunk(home, "c", rows)]).gone
    assert len(gone) == 1
    assert next(iter(gone.items())) in {
        ("p0/t/0", "duplicate of p1/t/0"), ("p1/t/0", "duplicate of p0/t/0")
    }  # fmt: skip


def test_other_numbers_keep_a_trace_unless_the_answer_alone_counts(tmp_path):
    words = [word for word in LONG if not word.isdigit()]
    rows = [Given("p", "A question", " ".join([*words, f"step {n}"]), n) for n in range(2)]
    for numbers, gone in ((True, 0), (False, 1)):
        home = Home(tmp_path / str(numbers))
        assert len(deduped(home, [chunk(home, "c", rows)], numbers=numbers).gone) == gone


def test_what_repeats_a_held_out_problem_may_not_be_learned_from(tmp_path):
    home = Home(tmp_path)
    rows = [
        Given("train", variant(0), "a trace"),
        Given("test", variant(1), None, split="test"),
        Given("same", variant(1), "another"),
    ]
    found = deduped(home, [chunk(home, f"c{n}", [row]) for n, row in enumerate(rows)])
    assert found.moved == {"train": "duplicate", "same": "duplicate"}
    assert found.gone["train/t/0"].startswith(
        "its problem is a near-duplicate of the held-out test"
    )
    assert found.gone["same/t/0"] == "its problem is a duplicate of the held-out test"


def test_the_better_one_stays(tmp_path):
    home = Home(tmp_path)
    rows = [
        Given("p", "A question", variant(0), 0, status="incorrect"),
        Given("p", "A question", variant(1), 1, false_steps=1),
        Given("p", "A question", variant(2) + " longer", 2),
        Given("p", "A question", variant(3), 3, dropped=True),
    ]
    assert deduped(home, [chunk(home, "c", rows)]).gone.keys() == {"p/t/0", "p/t/1"}


def test_one_problem_in_two_branches_is_no_duplicate_of_itself(tmp_path):
    home = Home(tmp_path)
    chunks = [chunk(home, f"{n}.c", [Given("p", variant(0), f"trace {n}", n)]) for n in range(2)]
    found = deduped(home, chunks)
    assert found.moved == {}
    assert found.gone == {}


def test_nothing_to_compare_is_no_error(tmp_path):
    home = Home(tmp_path)
    assert deduped(home, []).gone == {}
    assert deduped(home, [chunk(home, "c", [Given("p", "q", None)])]).gone == {}


def test_settings_of_near_need_it():
    for setting in ({"across": True}, {"numbers": False}, {"jaccard": 0.9}, {"against": ["x"]}):
        with pytest.raises(ValidationError, match="level: near"):
            DedupeConfig(use="dedupe", from_=("kept",), **setting)


def test_a_crowded_bucket_costs_no_pairs(tmp_path):
    """Texts that share most of their words and differ in numbers never meet."""
    home = Home(tmp_path)
    rows = [Given(f"p{n}", f"{variant(0)} {n}") for n in range(1500)]
    found = deduped(home, [chunk(home, "c", rows)])
    assert found.moved == {}
    assert found.counts["crowded"] == 0


@pytest.mark.parametrize("portion", [1_000_000, 50])
def test_ranges_of_parts_hold_about_as_many_rows_each(tmp_path, monkeypatch, portion):
    """Of many numbers the least is small: parts called by it would nearly all be in one range."""
    monkeypatch.setattr(meeting, "PORTION_ROWS", portion)
    home, rng = Home(tmp_path), np.random.default_rng(7)
    contents = rng.integers(1, 2**64 - 1, (400, 12), np.uint64)
    places = pa.table([np.repeat(-1 + np.arange(48, dtype=np.int32), 100), contents.T.reshape(-1)],
                      schema=PLACE_SCHEMA)  # fmt: skip
    chain = [(contents[:, n], contents[:, n + 1]) for n in range(11)]
    pairs = pa.table(
        [np.concatenate(side) for side in zip(*chain, strict=True)], schema=PAIR_SCHEMA
    )
    files = {
        role: tuple(
            home.put("parts", f"{role}-{at}", role, table.slice(at, 600))
            for at in range(0, 4800, 600)
        )
        for role, table in (("places", places), ("pairs", pairs))
    }
    found = meeting.parts(Inputs(home, ()), files["pairs"], files["places"])
    rows = found.tables["wanted"].to_pylist()
    assert found.counts == {"components": 400}
    assert sorted((r["group"], r["content"]) for r in rows) == sorted(
        (r["group"], r["content"]) for r in places.to_pylist()
    )
    part = {r["content"]: r["part"] for r in rows}
    assert all(len({part[c] for c in row}) == 1 for row in contents.tolist())
    assert len(set(part.values())) == 400
    counts = Counter(r["part"] >> 62 for r in rows)
    assert all(800 <= counts[quarter] <= 1600 for quarter in range(4))


# --- Against what was published ------------------------------------------------------------------


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A small release with an index."""
    from tracefactory.cluster import InlinePool
    from tracefactory.flow import Stop, run
    from tracefactory.recipe import build_recipe
    from tracefactory.store.home import RunFolder

    class Quiet:
        def show(self, *_):
            pass

        def say(self, text):
            pass

    folder = tmp_path_factory.mktemp("near")
    lines = [
        {
            "id": f"p{n}",
            "statement": variant(n) + f" {n}",
            "answer": "7",
            "reply": f"{reply(n)} {n}",
        }
        for n in range(12)
    ]
    (folder / "rows.jsonl").write_bytes(b"\n".join(map(orjson.dumps, lines)))
    recipe = build_recipe(
        {
            "name": "published",
            "seed": 1,
            "stages": {
                "rows": {
                    "use": "import",
                    "path": str(folder / "rows.jsonl"),
                    "problem": {"id": "id", "statement": "statement", "reference": "answer"},
                    "attempts": [{"text": "reply", "teacher": "t"}],
                    "verifier": "numeric",
                },
                "verdicts": {"use": "verify", "from": "rows"},
                "unique": {"use": "dedupe", "from": "verdicts", "level": "near"},
                "dataset": {
                    "use": "publish", "from": "unique",
                    "statuses": ["correct", "incorrect", "no_answer", "undecided"],
                },
            },
        }
    )  # fmt: skip
    with RunFolder(folder / "run") as home:
        assert run(recipe, home, InlinePool(), Quiet(), Stop()).manifest
    return folder / "run"


def again(n, *, renewed):
    """A row that was published: as it is, or with another word in each of its texts."""
    statement, text = f"{variant(n)} {n}", f"{reply(n)} {n}"
    if renewed:
        statement, text = (
            " ".join([*whole.split()[:-1], "renewed", whole.split()[-1]])
            for whole in (statement, text)
        )
    return Given(f"new{n}", statement, text, answer="")  # as of one whose verifier found none


FRESH = [
    Given("fresh", "Nothing like it was ever asked before, neither here nor there nor anywhere.")
]


@pytest.mark.parametrize("with_index", [True, False])
@pytest.mark.parametrize("near", [False, True])
def test_what_was_published_is_dropped_and_said_of_what(release, tmp_path, with_index, near):
    place = tmp_path / "release"
    shutil.copytree(release / "dataset", place)
    if with_index:
        assert (place / indexes.SPEC).is_file()
    else:
        shutil.rmtree(place / indexes.FOLDER)
    home = Home(tmp_path / "run")
    rows = [*(again(n, renewed=near) for n in (2, 3)), *FRESH]
    found = deduped(home, [chunk(home, "c", rows)], against=[str(place)])
    assert found.moved == {"new2": "duplicate", "new3": "duplicate"}
    assert found.gone.keys() == {"new2/t/0", "new3/t/0"}
    kind = "near-duplicate" if near else "duplicate"
    assert found.gone["new2/t/0"].startswith(f"published {kind} of p2/t/0")
    assert ", in published@" in found.gone["new2/t/0"]
    assert found.report["against"][0].startswith("published@")


def test_an_index_is_sorted_and_says_its_definition(release):
    import pyarrow.parquet as pq

    folder = release / "dataset" / indexes.FOLDER
    bands = pq.read_table(folder / "sft-train-00000.bands.parquet")
    rows = pq.read_table(folder / "sft-train-00000.rows.parquet")
    hashes = bands.column("hash").to_pylist()
    assert hashes == sorted(hashes)
    assert len(hashes) == 20 * rows.num_rows
    sft = pq.read_table(release / "dataset/sft/train-00000.parquet", columns=["id"])
    assert rows.column("id").to_pylist() == sft.column("id").to_pylist()
    assert orjson.loads((folder / "spec.json").read_bytes())["version"] == 1


def test_a_foreign_index_is_refused(release, tmp_path):
    place = tmp_path / "release"
    shutil.copytree(release / "dataset", place)
    path = place / indexes.SPEC
    path.write_bytes(path.read_bytes().replace(b'"rows": 8', b'"rows": 13'))
    home = Home(tmp_path / "run")
    with pytest.raises(RecipeError, match=r"another definition .* differs in \['rows'\]"):
        deduped(home, [chunk(home, "c", FRESH)], against=[str(place)])


ROWS, BANDS = indexes.names_of("sft/train-00000.parquet")


def _swap(place, one, other):
    (place / one).write_bytes((place / other).read_bytes())


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        # files of another shard have the same columns: they would drop nothing, and say nothing
        (lambda p: _swap(p, ROWS, ROWS.replace("sft", "rl")), f"{ROWS} .* not the file that its"),
        (lambda p: _swap(p, BANDS, BANDS.replace("sft", "rl")), f"{BANDS} .* not the file"),
        (lambda p: (p / BANDS).unlink(), f"has no {BANDS}"),
        (lambda p: (p / indexes.SPEC).write_text("{"), "spec.json of .* is no JSON"),
        (lambda p: (p / "SHA256SUMS").unlink(), "has no SHA256SUMS"),
        (lambda p: (p / "SHA256SUMS").write_bytes(b"\xff"), "SHA256SUMS is damaged"),
        (lambda p: (p / MANIFEST).write_text("{}"), f"{MANIFEST} .* not the file that its"),
    ],
)  # fmt: skip
def test_a_release_that_is_not_what_it_says_is_refused_not_passed_over(
    release, tmp_path, harm, said
):
    place = tmp_path / "release"
    shutil.copytree(release / "dataset", place)
    harm(place)
    home = Home(tmp_path / "run")
    with pytest.raises(IntegrityError, match=f"(?s)against: .*{said}"):
        deduped(home, [chunk(home, "c", [again(2, renewed=False)])], against=[str(place)])


def test_a_shard_that_is_read_without_an_index_is_the_one_it_should_be(release, tmp_path):
    place = tmp_path / "release"
    shutil.copytree(release / "dataset", place)
    shutil.rmtree(place / indexes.FOLDER)
    _swap(place, "sft/train-00000.parquet", "rl/train-00000.parquet")
    home = Home(tmp_path / "run")
    with pytest.raises(IntegrityError, match=r"against: sft/train-00000.parquet .* not the file"):
        deduped(home, [chunk(home, "c", FRESH)], against=[str(place)])


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda p: p / "none", SourceError, "no such folder"),
        (lambda p: p, SourceError, "no release"),
        (lambda p: written(p / "a.jsonl"), SourceError, "no release"),
        (lambda p: "s3://bucket/release", RecipeError, "want a folder, or hf://"),
        (lambda p: "hf://datasets/one", RecipeError, "want a folder, or hf://"),
    ],
)
def test_a_place_that_holds_no_release_is_an_error_of_the_recipe_s_key(tmp_path, make, error, said):
    home = Home(tmp_path / "run")
    place = str(make(tmp_path))
    with pytest.raises(error, match=f"against: {place}: {said}") as found:
        deduped(home, [chunk(home, "c", FRESH)], against=[place])
    assert "--statement" not in str(found.value)


def test_an_empty_place_is_refused():
    with pytest.raises(ValidationError, match="at least 1 character"):
        DedupeConfig(use="dedupe", from_=("kept",), level="near", against=("",))


def written(path):
    path.write_text("{}")
    return path


@pytest.mark.parametrize(
    ("places", "told"),
    [
        (["/mnt/releases/one"], None),
        (["hf://datasets/me/one"], ["hf://datasets/me/one"]),
        (["hf://datasets/me/one", "/mnt/releases/two"], None),
        ([], []),
    ],
)
def test_a_release_names_no_folder_that_it_was_compared_with(places, told):
    stage = {"use": "dedupe", "level": "near", "against": places}
    assert without_paths({"stages": {"unique": stage}})["stages"]["unique"]["against"] == told


def test_numbers_of_the_definition_are_what_signatures_have():
    assert indexes.spec()["bands"] * indexes.spec()["rows"] == signature.BINS
