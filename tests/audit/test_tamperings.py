"""Every way of tampering that we could think of is caught, and what was done is named.

The forger makes all hashes, statistics, records, sums and texts right again wherever that is said.
"""

import hashlib
import shutil
from dataclasses import replace

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from audit_harness import Forger, audited, content_hash, named
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracefactory.audit.asked import Asked
from tracefactory.audit.place import Place
from tracefactory.audit.statements import read_sums
from tracefactory.cli.audit_shown import show
from tracefactory.errors import Exit
from tracefactory.publish.attestation import sign
from tracefactory.store.files import parquet_bytes

MANIFEST = "manifest/manifest.json"
QUICK = Asked(recheck=False, planted=0)
"""Integrity alone: for what needs no judging to be found."""


def test_an_honest_release_is_sound(honest):
    outcome = audited(honest)
    assert outcome.faults == []
    assert outcome.agreement().share == 1.0
    assert outcome.found.unchecked == {}
    assert outcome.probe.caught == outcome.probe.planted
    assert outcome.probe.planted.total() == 20
    assert outcome.exit_code(0.0) is Exit.DONE


def test_a_sample_follows_from_the_auditor_s_seed(honest):
    first, second = (audited(honest, Asked(sample=15, planted=0, seed="mine")) for _ in range(2))
    assert first.sampled
    assert first.found.rows == 15
    assert first.found.now == second.found.now
    assert first.agreement().low < 1.0


def test_nobody_who_makes_a_release_can_know_which_rows_are_drawn(forger):
    """With a draw that follows from the manifest, titles could be tried until it misses a row."""
    seeds = {Asked().drawn_with() for _ in range(100)}
    assert len(seeds) == 100
    assert all(len(seed) >= 16 for seed in seeds)
    forger.edit("sft", lambda row: row.update(final_answer="no"))
    forger.finish()
    asked = (Asked(sample=150, planted=0, seed=str(number)) for number in range(6))
    # Only a row that is judged again is seen to have another final answer.
    checks = [{fault.check for fault in audited(forger.folder, one).faults} for one in asked]
    assert {"row_final_answer" in found for found in checks} == {True, False}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_anywhere_is_caught(honest, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("flipped")
    shutil.copytree(honest, folder / "d")
    forger = Forger(folder / "d")
    names = sorted(p.relative_to(honest).as_posix() for p in honest.rglob("*") if p.is_file())
    name = data.draw(st.sampled_from([n for n in names if n not in (MANIFEST, "SHA256SUMS")]))
    content = bytearray(forger.read(name))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    forger.write(name, bytes(content))
    outcome = audited(forger.folder, QUICK)
    assert ("file_sha256", name) in named(outcome)
    assert outcome.exit_code(0.0) is Exit.INTEGRITY


# --- The table: what is done, and (check, start of the file's name) of a fault that names it -----


def edited_statistic(forger):
    path = forger.shards("sft")[0]
    record = forger.records[path].to_json()
    record["stats"]["statuses"]["correct"] -= 1
    forger.records[path] = type(forger.records[path]).from_json(record)
    forger.finish()
    return "statistics", path


def edited_steps(forger):
    path = forger.shards("rejected")[0]
    record = forger.records[path].to_json()
    record["stats"]["steps"]["repaired"] += 1
    forger.records[path] = type(forger.records[path]).from_json(record)
    forger.finish()
    return "statistics", path


def edited_release_statistic(forger):
    configs = {name: dict(splits) for name, splits in forger.manifest.configs.items()}
    figures = dict(configs["sft"]["train"])
    figures["rows"] += 1
    configs["sft"]["train"] = figures
    forger.finish(configs=configs)
    return "manifest_fold", MANIFEST


def swapped_shards(forger):
    one, other = forger.shards("sft")[:2]
    a, b = forger.read(one), forger.read(other)
    forger.write(one, b)
    forger.write(other, a)
    return "file_sha256", one


def swapped_shards_with_hashes_right(forger):
    one, other = forger.shards("sft")[:2]
    swapped_shards(forger)
    a, b = forger.records[one], forger.records[other]
    forger.records[one] = replace(a, file_sha256=b.file_sha256, bytes=b.bytes)
    forger.records[other] = replace(b, file_sha256=a.file_sha256, bytes=a.bytes)
    forger.finish()
    return "content_sha256", one


def changed_answer_in_one_view(forger):
    forger.edit("sft", lambda row: row.update(answer="1000003"))
    forger.finish()
    return "problem_differs", "sft/"


def changed_text_in_one_view(forger):
    def longer(row):
        row["messages"][1]["content"] = "So: " + row["messages"][1]["content"]

    forger.edit("sft", longer)
    forger.finish()
    return "pretrain_differs", "pretrain/"


def changed_text_without_its_hash(forger):
    path = forger.shards("sft")[0]
    rows = forger.rows(path)
    rows[0]["messages"][1]["content"] += " "
    forger.put_rows(path, rows)
    forger.finish()
    return "row_content_sha256", path


def edited_card(forger):
    forger.write("README.md", forger.read("README.md") + b"\nEndorsed by everybody.\n")
    forger.sums_right()
    return "made_again", "README.md"


def edited_report(forger):
    forger.write("report.html", forger.read("report.html").replace(b"</body>", b"<p>!</p></body>"))
    forger.sums_right()
    return "made_again", "report.html"


def edited_croissant(forger):
    forger.write("croissant.json", forger.read("croissant.json").replace(b"small", b"large"))
    forger.sums_right()
    return "made_again", "croissant.json"


def removed_shard(forger):
    path = forger.shards("rejected")[0]
    (forger.folder / path).unlink()
    return "file_missing", path


def removed_shard_and_all_that_names_it(forger):
    path = forger.shards("rejected")[0]
    (forger.folder / path).unlink()
    del forger.records[path]
    forger.finish()
    return "row_n_attempts", ""


def added_shard(forger):
    forger.write("sft/train-00099.parquet", forger.read(forger.shards("sft")[0]))
    return "file_unlisted", "sft/train-00099.parquet"


def added_shard_in_the_sums(forger):
    forger.write("sft/train-00099.parquet", forger.read(forger.shards("sft")[0]))
    forger.sums_right()
    return "shard_unlisted", "sft/train-00099.parquet"


def edited_funnel(forger):
    funnel = {**forger.manifest.funnel, "verdicts.correct": 10_000}
    forger.finish(funnel=funnel)
    return "funnel", MANIFEST


def edited_recipe(forger):
    recipe = {**forger.manifest.recipe, "description": "All of them right"}
    forger.finish(recipe=recipe)
    return "recipe_id", MANIFEST


def row_duplicated(forger):
    path = forger.shards("sft")[0]
    rows = forger.rows(path)
    forger.put_rows(path, [*rows, rows[0]])
    forger.finish()
    return "row_id_repeated", path


def row_removed(forger):
    path = forger.shards("rejected")[0]
    forger.put_rows(path, forger.rows(path)[1:])
    forger.finish()
    return "row_n_attempts", ""


def pass_rate_edited(forger):
    forger.edit("sft", lambda row: row.update(pass_rate=0.123, difficulty=0.877))
    forger.finish()
    return "row_pass_rate", "sft/"


def problem_made_easier(forger):
    forger.edit("rl", lambda row: row.update(n_correct=9), lambda row: row["n_attempts"])
    forger.finish()
    return "row_n_correct", "rl/"


def licence_changed_in_one_view(forger):
    forger.edit("sft", lambda row: row.update(license="MIT"))
    forger.finish()
    return "problem_differs", "sft/"


def licence_changed_everywhere(forger):
    for config in ("sft", "sft_reasoning", "rejected", "pretrain", "preference", "rl"):
        for path in forger.shards(config):
            rows = forger.rows(path)
            for row in rows:
                row["license"] = "CC0-1.0"
            forger.put_rows(path, rows)
    forger.finish()
    return "license", "rl/"


def teacher_renamed(forger):
    def other(row):
        row["teacher"] = "org/model-70B"
        row["teacher_revision"] = "main"

    forger.edit("sft", other)
    forger.finish()
    return "row_id", "sft/"


def column_added(forger):
    path = forger.shards("sft")[0]
    table = pq.read_table(forger.folder / path)
    table = table.append_column("prompt", pa.array(["x"] * table.num_rows))
    data = bytes(parquet_bytes(table, published=True))
    forger.write(path, data)
    record = forger.records[path]
    sha256 = hashlib.sha256(data).hexdigest()
    forger.records[path] = replace(record, file_sha256=sha256, bytes=len(data))
    forger.finish()
    return "schema", path


def shards_table_edited(forger):
    name = "manifest/shards.parquet"
    table = pq.read_table(forger.folder / name)
    rows = table.to_pylist()
    rows[0]["rows"] += 1
    edited = type(table).from_pylist(rows, schema=table.schema)
    forger.write(name, bytes(parquet_bytes(edited, published=True)))
    forger.sums_right()
    return "table_differs", name


def link_out_of_the_folder(forger):
    (forger.folder / "README.md").unlink()
    (forger.folder / "README.md").symlink_to("/etc/hostname")
    return "file_unsafe", "README.md"


def shard_that_is_a_link(forger):
    path = forger.folder / forger.shards("sft")[0]
    elsewhere = forger.folder.parent / "elsewhere.parquet"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    return "file_unsafe", forger.shards("sft")[0]


def shard_outside_the_folder(forger):
    files = [*forger.manifest.files, {"path": "../../x", "sha256": "", "bytes": 1, "rows": 1}]
    forger.finish(files=files)
    return "shard_name", MANIFEST


# --- A release that contradicts its own recipe, or its own other columns -------------------------


def incorrect_rows_let_into_sft(forger):
    forger.move("rejected", "sft", lambda row: row["status"] == "incorrect", most=5)
    forger.finish()
    return "row_status", "sft/"


def false_steps_let_into_sft(forger):
    forger.edit("sft", lambda row: row.update(n_false_steps=2))
    forger.finish()
    return "row_filtered", "sft/"


def duplicates_let_into_sft(forger):
    forger.move("rejected", "sft", lambda row: row["dropped_by"] == "unique", most=5)
    forger.finish()
    return "row_text_repeated", "sft/"


def asked_problem(forger):
    """A problem with traces in sft, in rl/train."""
    asked = {row["problem_id"] for path in forger.shards("sft") for row in forger.rows(path)}
    return lambda row: row["problem_id"] in asked


def trained_problem_called_held_out(forger):
    train, test = forger.shards("rl"), [p for p in forger.shards("rl") if "/test-" in p]
    asked = asked_problem(forger)
    path = next(p for p in train if "/train-" in p and any(map(asked, forger.rows(p))))
    rows = forger.rows(path)
    one = next(filter(asked, rows))
    forger.put_rows(path, [row for row in rows if row is not one])
    forger.put_rows(test[0], [*forger.rows(test[0]), one])
    forger.finish()


def its_traces_are_in_sft(forger):
    trained_problem_called_held_out(forger)
    return "row_held_out", "sft/"


def it_has_attempts_in_rl(forger):
    trained_problem_called_held_out(forger)
    return "problem_asked", "rl/test"


def attempts_taken_away(forger, gone):
    """And pass rates, counts and difficulties made right, as well as the funnel."""
    for path in forger.shards("rejected"):
        forger.put_rows(path, [row for row in forger.rows(path) if not gone(row)])
    forger.rates_right(over=2)
    forger.finish()


def failures_taken_away(forger):
    attempts_taken_away(forger, lambda row: row["status"] == "incorrect")
    return "row_attempt_index", "sft/"


def last_failures_taken_away(forger):
    attempts_taken_away(
        forger, lambda row: row["status"] == "incorrect" and row["attempt_index"] == 1
    )
    return "row_too_few_attempts", "sft/"


def easy_made_hard(forger):
    forger.edit("sft", lambda row: row.update(difficulty=0.99), most=10)
    forger.finish()
    return "row_difficulty", "sft/"


def difficulty_of_nothing(forger):
    forger.edit("rl", lambda row: row.update(difficulty=float("nan")), lambda r: r["n_attempts"])
    forger.finish()
    return "row_difficulty", "rl/"


def difficulty_without_a_rate(forger):
    forger.edit("rl", lambda row: row.update(pass_rate=None), lambda row: row["n_attempts"])
    forger.finish()
    return "row_difficulty", "rl/"


def more_than_all(forger):
    forger.edit("rl", lambda row: row.update(pass_rate=1.5, difficulty=-0.5))
    forger.finish()
    return "row_pass_rate", "rl/"


def weaker_checker(forger):
    for config in ("sft", "sft_reasoning", "pretrain", "rejected"):
        for path in forger.shards(config):
            rows = forger.rows(path)
            for row in rows:
                row["verifier"] = "tracefactory.verifiers.choice:verify@1"
            forger.put_rows(path, rows)
    forger.finish()
    return "row_verifier", "sft/"


def seed_made_up(forger):
    forger.edit("sft", lambda row: row.update(seed=1))
    forger.finish()
    return "row_seed", "sft/"


def tokens_made_up(forger):
    forger.edit("pretrain", lambda row: row.update(token_count=10**9))
    forger.finish()
    return "pretrain_differs", "pretrain/"


def figures_of_one_shape(forger):
    forger.edit("sft_reasoning", lambda row: row.update(n_true_steps=99))
    forger.finish()
    return "sft_reasoning_differs", "sft_reasoning/"


def problem_of_another_name(forger):
    forger.edit("rl", lambda row: row.update(id="gcd/made/up"))
    forger.finish()
    return "row_id", "rl/"


def duplicate_of_nobody(forger):
    forger.edit(
        "rejected",
        lambda row: row.update(drop_reason="duplicate of nobody"),
        lambda row: row["dropped_by"] == "unique",
    )
    forger.finish()
    return "row_drop_reason", "rejected/"


def dropped_by_nobody(forger):
    forger.edit("rejected", lambda row: row.update(dropped_by=None))
    forger.finish()
    return "row_dropped_by", "rejected/"


def funnel_of_no_stage(forger):
    forger.finish(funnel={**forger.manifest.funnel, "judges.approved": 7})
    return "funnel", MANIFEST


TAMPERINGS = [
    edited_statistic, edited_steps, edited_release_statistic, swapped_shards,
    swapped_shards_with_hashes_right, changed_answer_in_one_view, changed_text_in_one_view,
    changed_text_without_its_hash, edited_card, edited_report, edited_croissant, removed_shard,
    removed_shard_and_all_that_names_it, added_shard, added_shard_in_the_sums, edited_funnel,
    edited_recipe, row_duplicated, row_removed, pass_rate_edited, problem_made_easier,
    licence_changed_in_one_view, licence_changed_everywhere, teacher_renamed, column_added,
    incorrect_rows_let_into_sft, false_steps_let_into_sft, duplicates_let_into_sft,
    its_traces_are_in_sft, it_has_attempts_in_rl, failures_taken_away, last_failures_taken_away,
    easy_made_hard, difficulty_of_nothing, difficulty_without_a_rate, more_than_all,
    weaker_checker, seed_made_up, tokens_made_up, figures_of_one_shape, problem_of_another_name,
    duplicate_of_nobody, dropped_by_nobody, funnel_of_no_stage,
    shards_table_edited, link_out_of_the_folder, shard_that_is_a_link, shard_outside_the_folder,
]  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_tampering_is_caught_and_named(forger, tamper):
    check, file = tamper(forger)
    outcome = audited(forger.folder, Asked(planted=0) if tamper is edited_steps else QUICK)
    found = named(outcome)
    assert any(c == check and f.startswith(file) for c, f in found), found
    assert all(fault.found and fault.expected for fault in outcome.faults)
    assert outcome.exit_code(1.0) is Exit.INTEGRITY


def test_what_another_version_made_is_not_compared_and_that_is_said(forger, capsys):
    """A forger may say so of any release: then its card can say what it likes."""
    forger.finish(tracefactory="0.0.9")
    forger.write("README.md", forger.read("README.md") + b"\nEndorsed by everybody.\n")
    forger.sums_right()
    outcome = audited(forger.folder, QUICK)
    assert outcome.faults == []
    assert outcome.left_out() == ["card and report were not compared", "no row was judged again"]
    outcome.seconds["all"] = 1.0
    show(outcome, Place("it", forger.folder), 3, 0.0, outcome.exit_code(0.0))
    lines = capsys.readouterr().out.splitlines()
    assert "SOUND, but card and report were not compared and no row was judged again" in lines


# --- What only judging again can find ------------------------------------------------------------


def everywhere(forger, problem, value):
    """Another reference for a problem, in every view that has it, all hashes right."""
    for config, column in (("sft", "answer"), ("sft_reasoning", "answer"), ("rejected", "answer"),
                           ("preference", "answer"), ("rl", "solution")):  # fmt: skip
        for path in forger.shards(config):
            rows = forger.rows(path)
            for row in rows:
                if row["problem_id"] != problem:
                    continue
                row[column] = value
                if config == "rl":
                    info = orjson.loads(row["verification_info"]) | {"reference": value}
                    row["verification_info"] = orjson.dumps(
                        info, option=orjson.OPT_SORT_KEYS
                    ).decode()
                if config not in ("sft_reasoning", "preference"):
                    row["content_sha256"] = content_hash(config, row)
            forger.put_rows(path, rows)


def test_a_reference_changed_everywhere_is_named_with_both_verdicts(forger):
    row = next(r for path in forger.shards("sft") for r in forger.rows(path))
    everywhere(forger, row["problem_id"], "1000003")
    forger.finish()
    outcome = audited(forger.folder, Asked(planted=0))
    change = next(c for c in outcome.found.changes if c.id == row["id"])
    assert (change.then, change.now) == ("correct", "incorrect")
    assert outcome.drift() > 0
    assert outcome.agreement().share < 1.0
    assert outcome.exit_code(0.0) is Exit.INTEGRITY


def test_a_flipped_verdict_is_named_with_both_verdicts(forger):
    (row_id,) = forger.edit(
        "rejected",
        lambda row: row.update(status="correct", reason="equal"),
        lambda row: row["status"] == "incorrect",
    )
    forger.finish()
    outcome = audited(forger.folder, Asked(planted=0))
    (change,) = outcome.found.changes
    assert (change.id, change.then, change.now) == (row_id, "correct", "incorrect")
    assert ("funnel", MANIFEST) in named(outcome)
    assert outcome.exit_code(0.0) is Exit.INTEGRITY


def test_drift_below_the_bound_alone_is_no_failure(forger):
    outcome = audited(forger.folder, Asked(planted=0))
    outcome.found.changes.append(
        type("Change", (), {"by_clock": False})()  # one row of some hundred
    )
    assert outcome.exit_code(0.0) is Exit.INTEGRITY
    assert outcome.exit_code(0.5) is Exit.DONE


@pytest.mark.parametrize(
    ("column", "value"),
    [("final_answer", "42424242"), ("reason", "close"), ("n_true_steps", 999)],
)
def test_columns_of_a_verdict_are_made_again(forger, column, value):
    forger.edit("sft", lambda row: row.update({column: value}))
    forger.finish()
    outcome = audited(forger.folder, Asked(planted=0))
    assert any(c == f"row_{column}" and f.startswith("sft/") for c, f in named(outcome))


# --- Signatures ----------------------------------------------------------------------------------


def key_pair(folder, name):
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    data = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    public.write_bytes(data)
    return private, public


def signed(forger, private):
    sums, _ = read_sums(forger.folder)
    forger.write("attestation.json", sign(sums, private, forger.manifest))


def test_signatures(forger, tmp_path):
    mine, my_public = key_pair(tmp_path, "mine")
    theirs, _ = key_pair(tmp_path, "theirs")
    asked = Asked(recheck=False, planted=0, key=my_public)
    unsigned = audited(forger.folder, asked)
    assert named(unsigned) == {("signature_missing", "attestation.json")}
    signed(forger, mine)
    assert audited(forger.folder, asked).faults == []
    signed(forger, theirs)
    assert named(audited(forger.folder, asked)) == {("signature", "attestation.json")}


def test_a_perfect_forgery_is_caught_by_the_signature(forger, tmp_path):
    private, public = key_pair(tmp_path, "mine")
    signed(forger, private)
    title = "Another title, in the manifest and in all that is made of it"
    attestation = forger.read("attestation.json")
    forger.finish(title=title)
    forger.write("attestation.json", attestation)
    assert named(audited(forger.folder, QUICK)) == {("signature", "attestation.json")}
    (forger.folder / "attestation.json").unlink()
    # Without it nothing is wrong, unless the auditor knows the key, or the hash, by another way.
    assert audited(forger.folder, QUICK).faults == []
    asked = Asked(recheck=False, planted=0, key=public, expect="0" * 12)
    expected = {("signature_missing", "attestation.json"), ("not_expected", MANIFEST)}
    assert named(audited(forger.folder, asked)) == expected


def test_not_even_a_word_of_the_dataset_is_imported(forger, tmp_path):
    """A row that names a checker of its own is not judged, and so the audit is not conclusive."""
    forger.edit("sft", lambda row: row.update(verifier="os:abort@1"))
    forger.finish()
    outcome = audited(forger.folder, Asked(planted=0))
    assert outcome.found.unchecked_correct == 1
    assert any("--allow-verifier os" in reason for reason in outcome.found.unchecked)
    outcome.faults.clear()
    assert outcome.exit_code(0.0) is Exit.INCONCLUSIVE


def test_a_verdict_of_the_clock_is_no_way_out(forger):
    """What a clock decided is counted apart, but a clock never made an answer correct."""
    (row_id,) = forger.edit(
        "rejected",
        lambda row: row.update(status="correct", reason="timeout_wall"),
        lambda row: row["status"] == "incorrect",
    )
    forger.finish()
    outcome = audited(forger.folder, Asked(planted=0))
    assert [(c.id, c.by_clock) for c in outcome.found.changes] == [(row_id, False)]


def test_an_incorrect_row_of_the_clock_is_counted_apart(forger):
    forger.edit(
        "rejected",
        lambda row: row.update(status="incorrect", reason="timeout_wall"),
        lambda row: row["status"] == "correct",
    )
    forger.finish()
    found = audited(forger.folder, Asked(planted=0)).found
    assert (found.drift(), found.by_clock, len(found.changes)) == (0, 1, 1)
