"""Families: distinct items, splits that never meet, references that hold up without our code."""

import json
import random
import re
import subprocess
import sys
from fractions import Fraction
from itertools import product
from math import gcd

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tracefactory.errors import SourceError
from tracefactory.schemas.problem import Problem
from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.addition import AdditionKnobs
from tracefactory.sources.families.base import FamilyError, Knobs, item
from tracefactory.sources.families.base_conversion import BaseConversionKnobs
from tracefactory.sources.families.gcd import GcdKnobs
from tracefactory.sources.families.linear_equation import LinearEquationKnobs
from tracefactory.sources.families.make import capacity, make_problem, splits
from tracefactory.sources.families.modular_arithmetic import ModularArithmeticKnobs
from tracefactory.sources.families.modular_sum import ModularSumKnobs
from tracefactory.sources.families.permute import Permutation
from tracefactory.sources.families.polynomial import PolynomialKnobs
from tracefactory.sources.families.program_output import ProgramOutputKnobs
from tracefactory.sources.families.small_programs import SmallProgramsKnobs

NAMES = sorted(FAMILIES)
SMALL: dict[str, Knobs] = {
    "modular_sum": ModularSumKnobs(max_terms=3, max_term=7, moduli=(5,), one_number_every=7),
    "modular_arithmetic": ModularArithmeticKnobs(min_modulus=5, max_modulus=6, max_number=12),
    "addition": AdditionKnobs(min_digits=1, max_digits=1),
    "linear_equation": LinearEquationKnobs(max_coefficient=4, max_constant=5, max_solution=4),
    "gcd": GcdKnobs(max_divisor=3, max_cofactor=21),
    "base_conversion": BaseConversionKnobs(min_base=2, max_base=3, max_digits=2),
    "polynomial": PolynomialKnobs(max_degree=1, max_coefficient=3),
    "program_output": ProgramOutputKnobs(max_rounds=2, max_start=1, max_step=2, max_number=30),
    "small_programs": SmallProgramsKnobs(max_factor=3, max_constant=1),
}
"""Knobs whose train and test splits can be walked through whole."""
MOST = 4_000
"""How far a split is walked: small ones wholly, the others' beginning."""


def walk(name: str, knobs: Knobs, split: str, seed: int = 0, most: int = MOST) -> list[Problem]:
    n = min(capacity(name, knobs, split), most)
    return [make_problem(name, knobs, seed, split, index) for index in range(n)]


@given(size=st.integers(1, 1_500), key=st.text(max_size=8))
@settings(max_examples=40, deadline=None)
def test_permutation_is_a_bijection(size: int, key: str):
    assert sorted(map(Permutation(size, key), range(size))) == list(range(size))


@given(size=st.integers(1, 10**40), at=st.integers(0), step=st.integers(1))
@settings(deadline=None)
def test_permutation_of_a_huge_range_stays_in_it_and_apart(size: int, at: int, step: int):
    shuffle = Permutation(size, "key")
    one, other = at % size, (at + step) % size
    assert 0 <= shuffle(one) < size
    assert (shuffle(one) == shuffle(other)) == (one == other)


@pytest.mark.parametrize("name", NAMES)
def test_small_splits_are_distinct_and_never_meet(name: str):
    knobs = SMALL[name]
    seen: dict[str, str] = {}
    for split in splits(name, knobs):
        problems = walk(name, knobs, split)
        if split in ("train", "test"):
            assert 0 < len(problems) < MOST, "the knobs are not small"
        for problem in problems:
            assert problem.statement not in seen, (split, seen[problem.statement])
            seen[problem.statement] = split
    in_strata = sum(stratum.size for stratum in knobs.strata())
    shared = [split for split in seen.values() if split in ("train", "test")]
    assert len(shared) == in_strata  # nothing is lost between the two


@pytest.mark.parametrize("name", NAMES)
def test_default_splits_are_distinct_and_never_meet(name: str):
    knobs = FAMILIES[name].knobs()
    problems = [p for split in splits(name, knobs) for p in walk(name, knobs, split, most=3_000)]
    assert len({p.statement for p in problems}) == len(problems)
    assert len({p.id for p in problems}) == len(problems)


@pytest.mark.parametrize("name", NAMES)
def test_train_of_another_seed_does_not_meet_test(name: str):
    knobs = SMALL[name]
    test = {p.statement for p in walk(name, knobs, "test", seed=1)}
    assert test.isdisjoint(p.statement for p in walk(name, knobs, "train", seed=2))
    assert test == {p.statement for p in walk(name, knobs, "test", seed=3)}


@pytest.mark.parametrize("name", NAMES)
def test_every_split_fills_to_its_capacity_and_no_further(name: str):
    knobs = FAMILIES[name].knobs()
    for split in splits(name, knobs):
        n = capacity(name, knobs, split)
        assert n > 10_000
        make_problem(name, knobs, 0, split, n - 1)
        with pytest.raises(FamilyError, match=rf"item {n} of split '{split}'.* {n}, from 0; ask"):
            make_problem(name, knobs, 0, split, n)
        with pytest.raises(FamilyError):
            make_problem(name, knobs, 0, split, -1)


@given(st.sampled_from(NAMES), st.integers(0), st.integers(0, 10_000), st.data())
@settings(max_examples=60, deadline=None)
def test_same_arguments_same_problem(name: str, seed: int, index: int, data: st.DataObject):
    split = data.draw(st.sampled_from(splits(name, FAMILIES[name].knobs())))
    one, two = (make_problem(name, FAMILIES[name].knobs(), seed, split, index) for _ in range(2))
    assert one == two
    assert one.split == split
    assert one.task_type == name
    assert re.fullmatch(name + r"-[0-9a-f]{16}", one.id)


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_gives_other_problems(name: str):
    knobs = FAMILIES[name].knobs()
    one, two = (
        {p.statement for p in walk(name, knobs, "train", seed, most=200)} for seed in (1, 2)
    )
    assert len(one & two) < 20


@pytest.mark.parametrize("name", NAMES)
def test_items_do_not_depend_on_what_was_asked_before(name: str):
    knobs = FAMILIES[name].knobs()
    order = list(range(0, 3_000, 7))
    random.Random(0).shuffle(order)
    shuffled = {index: item(FAMILIES[name], knobs, 5, "train", index) for index in order}
    assert all(shuffled[i] == item(FAMILIES[name], knobs, 5, "train", i) for i in sorted(order))


@pytest.mark.parametrize("name", NAMES)
def test_origin_alone_makes_the_problem_again(name: str):
    knobs = SMALL[name]
    for split in splits(name, knobs):
        for problem in walk(name, knobs, split, most=50):
            origin = json.loads(problem.origin)
            family = FAMILIES[origin["family"]]
            assert list(origin) == ["family", "version", "level", "params"]
            assert origin["version"] == family.version
            assert family.statement(origin["params"]) == problem.statement
            assert family.reference(origin["params"]) == problem.reference
            levels = [*knobs.strata(), *(s for group in knobs.ood().values() for s in group)]
            assert [s.name for s in levels].count(origin["level"]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_knobs_are_strict_and_frozen(name: str):
    knobs = FAMILIES[name].knobs
    with pytest.raises(ValidationError):
        knobs.model_validate({"no_such_knob": 1})
    first = next(iter(knobs.model_fields))
    with pytest.raises(ValidationError):
        setattr(knobs(), first, 3)
    fields = knobs.model_json_schema()["properties"]
    assert all("description" in field for field in fields.values())


def test_knobs_that_contradict_themselves_are_refused():
    for knobs, values in (
        (ModularSumKnobs, {"min_terms": 5, "max_terms": 2}),
        (ModularSumKnobs, {"moduli": [5, 5]}),
        (ModularSumKnobs, {"max_terms": 6}),
        (ModularArithmeticKnobs, {"min_modulus": 98}),
        (AdditionKnobs, {"min_digits": 6}),
        (GcdKnobs, {"min_divisions": 5, "max_divisions": 4}),
        (BaseConversionKnobs, {"min_base": 5, "max_base": 3}),
    ):
        with pytest.raises(ValidationError):
            knobs.model_validate(values)
    assert ModularSumKnobs.model_validate({"moduli": [5, 7]}).moduli == (5, 7)  # as YAML gives it


def test_what_does_not_exist_is_named_with_what_does():
    with pytest.raises(FamilyError, match="no family 'sums'; there are modular_sum"):
        make_problem("sums", ModularSumKnobs(), 0, "train", 0)
    with pytest.raises(FamilyError, match="no split 'dev'; it has train, test, ood_negative_first"):
        make_problem("modular_sum", ModularSumKnobs(), 0, "dev", 0)
    with pytest.raises(SourceError, match="got GcdKnobs; make its knobs with"):
        make_problem("modular_sum", GcdKnobs(), 0, "train", 0)


def test_one_train_sum_in_200_is_a_single_number_until_all_160_are_used():
    knobs = ModularSumKnobs()
    singles: set[str] = set()
    for index in range(0, 40_000, 200):
        problem = make_problem("modular_sum", knobs, 3, "train", index)
        single = re.fullmatch(r"Work out -?\d+ mod \d+\.", problem.statement)
        assert bool(single) == (index < 160 * 200)
        if single:
            singles.add(problem.statement)
    assert len(singles) == 160
    others = [p for s in ("test", "ood_negative_first") for p in walk("modular_sum", knobs, s)]
    assert not singles & {p.statement for p in others}
    assert all(re.search(r"\d[+-]\d", p.statement) for p in others)


def test_sums_have_distinct_terms_and_the_signs_of_their_split():
    knobs = ModularSumKnobs()
    counts = {"train": (1, 2, 3, 4, 5), "test": (2, 3, 4, 5), "ood_negative_first": (2, 3, 4, 5)}
    counts |= {"ood_six_terms": (6,), "ood_seven_terms": (7,)}
    for split, allowed in counts.items():
        for problem in walk("modular_sum", knobs, split, most=2_000):
            modulus, *terms = json.loads(problem.origin)["params"]
            sizes = [abs(term) for term in terms]
            assert modulus in (5, 7, 9, 11)
            assert len(terms) in allowed
            assert len(set(sizes)) == len(sizes)
            assert all(1 <= size <= 20 for size in sizes)
            if len(terms) > 1:
                assert (terms[0] < 0) == (split == "ood_negative_first")


# What follows knows the statements only: another way to each answer, without our code.


def _sum_by_statement(text: str) -> str:
    expression, modulus = re.fullmatch(r"Work out (.+) mod (\d+)\.", text).groups()
    return str(sum(map(int, re.findall(r"[+-]?\d+", expression))) % int(modulus))


def _operation_by_statement(text: str) -> str:
    a, sign, b, modulus = re.fullmatch(r"Compute (-?\d+)([-+*])(\d+) mod (\d+)\.", text).groups()
    results = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}
    return str(results[sign] % int(modulus))


def _addition_by_statement(text: str) -> str:
    return str(sum(map(int, re.fullmatch(r"What is ([\d+]+)\?", text)[1].split("+"))))


def _line(side: str) -> tuple[int, int]:
    """Coefficient and constant of one side of an equation."""
    sloped = re.fullmatch(r"(-?\d+)x([+-]\d+)?", side)
    return (int(sloped[1]), int(sloped[2] or 0)) if sloped else (0, int(side))


def _equation_by_statement(text: str) -> str:
    left, right = re.fullmatch(r"Solve (.+)=(.+) for x\.", text).groups()
    (a, b), (c, d) = _line(left), _line(right)
    return str(Fraction(d - b, a - c))


def _gcd_by_statement(text: str) -> str:
    a, b = map(int, re.findall(r"\d+", text))
    return str(max(n for n in range(1, b + 1) if a % n == 0 == b % n))


def _base_by_statement(text: str) -> str:
    if read := re.fullmatch(r"Write the base (\d) number (\d+) in base 10\.", text):
        return str(int(read[2], int(read[1])))
    number, base = map(int, re.fullmatch(r"Write (\d+) in base (\d)\.", text).groups())
    power = 1
    while power * base <= number:
        power *= base
    digits = ""
    while power:
        digits += str(number // power)
        number, power = number % power, power // base
    return digits


def _polynomial_by_statement(text: str) -> str:
    power, *factors = re.fullmatch(
        r"What is the coefficient of x(?:\^(\d))? in \((.+)\)\((.+)\)\?", text
    ).groups()
    term = re.compile(r"([+-]?\d*)(x?)(?:\^(\d))?")
    sides: list[dict[int, int]] = []
    for factor in factors:
        side: dict[int, int] = {}
        for number, x, exponent in (m.groups() for m in term.finditer(factor) if m[0]):
            digits = number if number[-1:].isdigit() else number + "1"
            side[int(exponent or 1) if x else 0] = int(digits)
        sides.append(side)
    pairs = product(sides[0].items(), sides[1].items())
    return str(sum(a * b for (i, a), (j, b) in pairs if i + j == int(power or 1)))


BY_STATEMENT = {
    "modular_sum": _sum_by_statement,
    "modular_arithmetic": _operation_by_statement,
    "addition": _addition_by_statement,
    "linear_equation": _equation_by_statement,
    "gcd": _gcd_by_statement,
    "base_conversion": _base_by_statement,
    "polynomial": _polynomial_by_statement,
}


@pytest.mark.parametrize("name", sorted(BY_STATEMENT))
def test_reference_agrees_with_the_statement(name: str):
    knobs = FAMILIES[name].knobs()
    most = 100 if name == "gcd" else 500
    for split in splits(name, knobs):
        for problem in walk(name, knobs, split, most=most):
            assert BY_STATEMENT[name](problem.statement) == problem.reference, problem.statement


@given(a=st.integers(1, 10**6), b=st.integers(1, 10**6))
def test_gcd_reference_is_the_divisor_all_others_divide(a: int, b: int):
    divisor = int(FAMILIES["gcd"].reference([a, b]))
    assert a % divisor == 0 == b % divisor
    assert gcd(a // divisor, b // divisor) == 1


RUNNER = """
import contextlib, io, json, sys
for program in json.load(sys.stdin):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "program", "exec"), {})
    print(json.dumps(printed.getvalue()))
"""


def test_program_output_is_what_python_prints():
    knobs = ProgramOutputKnobs()
    split_names = splits("program_output", knobs)
    problems = [p for s in split_names for p in walk("program_output", knobs, s, most=400)]
    programs = [
        re.fullmatch(r"[^\n]+\?\n\n```python\n(.+)\n```", p.statement, re.DOTALL)[1]
        for p in problems
    ]
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUNNER],
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert printed == [f"{p.reference}\n" for p in problems]
