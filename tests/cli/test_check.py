"""`tracefactory check`: one response, one checker, all the evidence."""

import json

from cli_harness import at_once, refused, tracefactory

JUDGED = [
        (["numeric", "--reference", "1/2", "--response", "so \\boxed{0.5}"],
         {"status": "correct", "reason": "equal", "final_answer": "0.5"}),
        (["numeric", "--reference", "3", "--response", "\\boxed{4}"],
         {"status": "incorrect", "reason": "different"}),
        (["numeric", "--reference", "3", "--response", "A: 3", "--answer-after", "A:"],
         {"status": "correct"}),
        (["numeric", "--reference", "x", "--response", "3"], {"status": "bad_reference"}),
        (["choice", "--reference", "B", "--response", "\\boxed{B}"], {"status": "correct"}),
        (["choice", "--reference", "B", "--response", "\\boxed{C}"], {"status": "incorrect"}),
        (["choice", "--reference", "F", "--response", "\\boxed{F}", "--option", "choices=ABCDEF"],
         {"status": "correct"}),
        (["symbolic", "--reference", "\\frac{\\sqrt3}{3}", "--response", "\\boxed{1/\\sqrt{3}}"],
         {"status": "correct", "reason": "equal"}),
        (["symbolic", "--reference", "7", "--response", "A: 7", "--answer-after", "A:"],
         {"status": "correct", "final_answer": "7"}),
        (["symbolic", "--reference", "3.14159", "--response", "A: 3.1", "--option", "tolerance=2%",
          "--option", "answer_after=A:"], {"status": "correct", "reason": "within"}),
        (["steps", "--response", "1 + 1 = 3\n2 + 2 = 4"], {"n_true": 1, "n_false": 1}),
        (["tracefactory.verifiers.numeric:judge", "--reference", "3", "--response", "\\boxed{3}"],
         {"status": "correct"}),
]  # fmt: skip


def test_check_judges_and_shows_its_evidence():
    asked = {i: ["check", *case[0], "--json"] for i, case in enumerate(JUDGED)}
    for i, said in at_once(asked).items():
        found = json.loads(said.stdout)
        wanted = JUDGED[i][1]
        assert {key: found[key] for key in wanted} == wanted, JUDGED[i]
        assert isinstance(found["evidence"], dict)


def test_check_reads_a_file_and_stdin(tmp_path):
    (tmp_path / "r.txt").write_text("thus \\boxed{7}")
    ask = ["check", "numeric", "--reference", "7", "--response-file"]
    assert "correct" in tracefactory(*ask, tmp_path / "r.txt").stdout
    assert "incorrect" in tracefactory(*ask, "-", text="\\boxed{8}").stdout


def test_check_gives_each_fact_a_line():
    said = tracefactory("check", "symbolic", "--reference", "1/2", "--response", "\\boxed{0.5}")
    fields = dict(line.split(None, 1) for line in said.stdout.splitlines() if " " in line.strip())
    assert (fields["status"], fields["reason"]) == ("correct", "equal")
    assert (fields["tier"], fields["certainty"]) == ("exact", "proved")
    assert fields["span"] == "[7,10]"
    assert not any(line.endswith(" ") for line in said.stdout.splitlines())


LACKING = [
        (["numbers", "--reference", "3", "--response", "3"], "tracefactory.verifiers.numbers"),
        (["numeric", "--response", "3"], "--reference"),
        (["numeric", "--reference", "3"], "--response"),
        (["numeric", "--reference", "3", "--response", "3", "--response-file", "x"], "--response"),
        (["numeric", "--reference", "3", "--response-file", "nowhere"], "nowhere"),
        (["steps", "--response", "1+1=2", "--answer-after", "A:"], "answer_after"),
        (["symbolic", "--reference", "3", "--response", "3", "--option", "tolerence=1%"],
         "tolerence"),
        (["symbolic", "--reference", "3", "--response", "3", "--option", "tolerance=x"], "'x'"),
        (["choice", "--reference", "B", "--response", "B", "--option", "choices=AA"], "'AA'"),
        (["choice", "--reference", "B", "--response", "B", "--option", "chioces=AB"], "chioces"),
        (["choice", "--reference", "B", "--response", "B", "--option", "choices"], "name=value"),
        (["symbolic", "--reference", "3", "--response", "3", "--option", "tolerance=1%",
          "--option", "tolerance=2%"], "twice"),
        (["tracefactory.verifiers.numeric:verify", "--reference", "3", "--response", "3"], "judge"),
        (["tracefactory.verifiers.extract:nothing", "--reference", "3", "--response", "3"],
         "nothing"),
]  # fmt: skip


def test_check_says_what_it_lacks(tmp_path):
    asked = {i: ["check", *case[0]] for i, case in enumerate(LACKING)}
    refused(at_once(asked, cwd=tmp_path), [word for _, word in LACKING])


def a_program(folder):
    """A program and its tests of each kind."""
    (folder / "f.py").write_text("def f(x):\n    return x * 1.001\n")
    (folder / "s.py").write_text("print(int(input()) ** 2)\n")
    (folder / "io.json").write_text('[{"input": "3\\n", "output": "9\\n"}]')
    (folder / "calls.json").write_text('[{"args": [2], "expected": 2}]')
    (folder / "asserts.py").write_text("assert f(2) > 2\n")


PROGRAMS = [
        (["s.py", "stdin_stdout", "io.json"], {"status": "correct", "reason": "passed"}),
        (["f.py", "stdin_stdout", "io.json"], {"status": "incorrect", "reason": "wrong_answer"}),
        (["f.py", "function", "calls.json", "--entry-point", "f"], {"reason": "wrong_answer"}),
        (["f.py", "function", "calls.json", "--entry-point", "f", "--option", "tolerance=0.01",
          "--timeout-s", "5", "--memory-mb", "256"], {"status": "correct"}),
        (["f.py", "function", "calls.json", "--entry-point", "g"], {"reason": "no_entry_point"}),
        (["f.py", "asserts", "asserts.py"], {"status": "correct"}),
        (["f.py", "asserts", "asserts.py", "--isolation", "none-unsafe"], {"status": "correct"}),
        (["f.py", "asserts", "calls.json", "--entry-point", "f"], {"status": "bad_reference"}),
]  # fmt: skip


def of_program(program, kind, tests, *more):
    files = ["--program-file", program, "--kind", kind, "--tests-file", tests]
    return ["check", "program", *files, *more]


def test_check_runs_a_program_against_its_tests(tmp_path):
    a_program(tmp_path)
    asked = {i: [*of_program(*case[0]), "--json"] for i, case in enumerate(PROGRAMS)}
    for i, said in at_once(asked, cwd=tmp_path).items():
        found = json.loads(said.stdout)
        assert {key: found[key] for key in PROGRAMS[i][1]} == PROGRAMS[i][1], (PROGRAMS[i], found)
        wanted = "none-unsafe" if "none-unsafe" in PROGRAMS[i][0] else found["evidence"]["rung"]
        assert found["evidence"]["rung"] == wanted


LACKING_PROGRAM = [
        (["check", "program"], "--program-file"),
        (["check", "program", "--program-file", "f.py"], "--tests-file"),
        (["check", "program", "--program-file", "f.py", "--tests-file", "io.json"], "--kind"),
        (["check", "program", "--reference", "3", "--response", "3"], "--program-file"),
        (["check", "numeric", "--reference", "3", "--response", "3", "--kind", "x"], "--kind"),
        (of_program("nowhere.py", "asserts", "asserts.py"), "nowhere.py"),
        (of_program("f.py", "unittest", "io.json"), "unittest"),
        (of_program("f.py", "function", "calls.json"), "entry_point"),
        (of_program("f.py", "function", "asserts.py", "--entry-point", "f"), "asserts.py"),
        (of_program("f.py", "asserts", "asserts.py", "--option", "tolerence=1"), "tolerence"),
        (of_program("f.py", "asserts", "asserts.py", "--option", "tolerance=x"), "tolerance"),
        (of_program("f.py", "asserts", "asserts.py", "--isolation", "prayer"), "prayer"),
        (of_program("f.py", "asserts", "asserts.py", "--timeout-s", "0"), "timeout_s"),
        (of_program("f.py", "asserts", "asserts.py", "--memory-mb", "1"), "memory_mb"),
]  # fmt: skip


def test_check_program_says_what_it_lacks(tmp_path):
    a_program(tmp_path)
    asked = {i: case[0] for i, case in enumerate(LACKING_PROGRAM)}
    refused(at_once(asked, cwd=tmp_path), [word for _, word in LACKING_PROGRAM])
