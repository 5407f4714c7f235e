"""Tasks on numbers: a list sifted, multiples added up, a rule repeated, a nested list weighed."""

# ruff: noqa: D102 - Task says what each method is

from random import Random
from typing import cast

from tracefactory.sources.families.base import Params
from tracefactory.sources.families.programs.task import Span, Task, lines_of

_ORDERS = (
    ("in the order in which they stood", "found"),
    ("with the last one first", "found[::-1]"),
    ("in increasing order", "sorted(found)"),
)


class PickNumbers(Task):
    """Sift and change a list. Parameters: divisor, limit, factor, addend, order."""

    name = "pick_numbers"
    entry_point = "pick"
    starter = "def pick(numbers: list[int]) -> list[int]:"

    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        factor, constant = (2, max_factor - 1), (1, max_constant)
        return (factor, constant, factor, constant, (0, len(_ORDERS)))

    def statement(self, p: Params) -> str:
        divisor, limit, factor, addend, order = p
        return (
            f"Write a function `pick(numbers)`. It keeps the whole numbers that are divisible by "
            f"{divisor} or greater than {limit}, multiplies each of them by {factor} and adds "
            f"{addend}. It returns the results {_ORDERS[order][0]}."
        )

    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        divisor, limit, factor, addend, order = p
        last = " - 1" if off_by_one else ""
        return lines_of(f"""
def pick(numbers: list[int]) -> list[int]:
    found = []
    for at in range(len(numbers){last}):
        number = numbers[at]
        if number % {divisor} == 0 or number > {limit}:
            found.append(number * {factor} + {addend})
    return {_ORDERS[order][1]}
""")

    def plan(self, p: Params) -> str:
        return (
            f"One pass: the condition is an `or` of divisible by {p[0]} and greater than {p[1]}, "
            f"and what passes becomes {p[2]} times itself plus {p[3]}."
        )

    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        divisor, limit = p[:2]
        lists = [
            [*(rng.randint(-limit, 2 * limit) for _ in range(n)), limit + rng.randint(1, 9)]
            for n in (4, 7, 12)
        ]
        return [[numbers] for numbers in (*lists, [], [divisor * rng.randint(-5, 5)], [limit])]

    def answer(self, p: Params, *args: object) -> object:
        divisor, limit, factor, addend, order = p
        kept = [n for n in cast("list[int]", args[0]) if not n % divisor or n >= limit + 1]
        found = [addend + factor * n for n in kept]
        return (found, [*reversed(found)], sorted(found))[order]


class SumMultiples(Task):
    """Add up multiples. Parameters: divisor, second minus first, third minus second, factor, m."""

    name = "sum_multiples"
    entry_point = "total"
    starter = "def total(n: int) -> int:"

    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        factor = (2, max_factor - 1)
        return (factor, (1, 9), (1, 9), factor, (200, max_constant))

    def statement(self, p: Params) -> str:
        one, more, most, factor, modulus = p
        return (
            f"Write a function `total(n)`. It adds up the numbers from 1 to n, n itself included, "
            f"that are divisible by {one} or by {one + more}, but not those divisible by "
            f"{one + more + most}. It returns {factor} times that sum, modulo {modulus}."
        )

    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        one, more, most, factor, modulus = p
        stop = "n" if off_by_one else "n + 1"
        return lines_of(f"""
def total(n: int) -> int:
    found = 0
    for number in range(1, {stop}):
        if number % {one} == 0 or number % {one + more} == 0:
            if number % {one + more + most} != 0:
                found += number
    return found * {factor} % {modulus}
""")

    def plan(self, p: Params) -> str:
        return (
            f"n counts too, so the range ends at n + 1. A multiple of {p[0] + p[1] + p[2]} is left "
            f"out whatever else divides it; the modulus comes last."
        )

    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        one, more = p[:2]
        some, many, most = rng.randint(15, 40), rng.randint(50, 99), rng.randint(200, 999)
        return [[n] for n in (some, one, one + more, 1, many, most)]

    def answer(self, p: Params, *args: object) -> object:
        one, more, most, factor, modulus = p
        n = cast("int", args[0])
        multiples = {*range(one, n + 1, one), *range(one + more, n + 1, one + more)}
        kept = multiples - {*range(0, n + 1, one + more + most)}
        return factor * sum(kept) % modulus


class RepeatRule(Task):
    """A loop that may stop early. Parameters: divisor, factor, addend, most rounds."""

    name = "repeat_rule"
    entry_point = "descend"
    starter = "def descend(n: int) -> list[int]:"

    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        factor = (2, max_factor - 1)
        return (factor, factor, (1, max_constant), (3, 6))

    def statement(self, p: Params) -> str:
        divisor, factor, addend, rounds = p
        return (
            f"Write a function `descend(n)` for a whole number n of 1 or more. In a round, n is "
            f"divided by {divisor} if that leaves no remainder, and else becomes {factor}n + "
            f"{addend}. There are {rounds} rounds at most, and none begins when n is below 5. The "
            f"result is a list of two: how many rounds there were, and n at the end."
        )

    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        divisor, factor, addend, rounds = p
        return lines_of(f"""
def descend(n: int) -> list[int]:
    rounds = 0
    while n >= 5 and rounds < {rounds - off_by_one}:
        if n % {divisor} == 0:
            n //= {divisor}
        else:
            n = {factor} * n + {addend}
        rounds += 1
    return [rounds, n]
""")

    def plan(self, p: Params) -> str:
        return (
            f"A while loop with two conditions: n is at least 5, and fewer than {p[3]} rounds are "
            f"over. Whole division by {p[0]} is exact where it is done."
        )

    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        divisor, rounds = p[0], p[3]
        long = divisor**rounds * 7
        return [[n] for n in (rng.randint(20, 99), long, 4, divisor**2, rng.randint(100, 999), 5)]

    def answer(self, p: Params, *args: object) -> object:
        divisor, factor, addend, most = p

        def go_on(n: int, done: int) -> list[int]:
            if n < 5 or done == most:
                return [done, n]
            quotient, remainder = divmod(n, divisor)
            return go_on(quotient if not remainder else n * factor + addend, done + 1)

        return go_on(cast("int", args[0]), 0)


class WeighTree(Task):
    """Recursion over nested lists. Parameters: factor, addend, list's factor, empty list."""

    name = "weigh_tree"
    entry_point = "weigh"
    starter = "def weigh(tree) -> int:"

    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        factor = (2, max_factor - 1)
        return (factor, (1, max_constant), factor, (0, 10))

    def statement(self, p: Params) -> str:
        factor, addend, list_factor, empty = p
        return (
            f"A tree is a whole number or a list of trees. The weight of a number x is {factor}x + "
            f"{addend}. The weight of a list is {list_factor} times the sum of the weights of its "
            f"items, and that of an empty list is {empty}. Write a function `weigh(tree)` that "
            f"returns the weight of a tree."
        )

    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        factor, addend, list_factor, empty = p
        parts = "tree[1:]" if off_by_one else "tree"
        return lines_of(f"""
def weigh(tree) -> int:
    if isinstance(tree, int):
        return {factor} * tree + {addend}
    if not tree:
        return {empty}
    total = 0
    for part in {parts}:
        total += weigh(part)
    return {list_factor} * total
""")

    def plan(self, p: Params) -> str:
        return (
            f"Two cases end the recursion: a number, and the empty list, which weighs {p[3]}. A "
            f"list asks each of its parts and multiplies the sum by {p[2]}."
        )

    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        trees = [[rng.randint(1, 9), _tree(rng, 2)], _tree(rng, 3), rng.randint(1, 99), []]
        return [[tree] for tree in (*trees, [[], [rng.randint(1, 9)]], _tree(rng, 4))]

    def answer(self, p: Params, *args: object) -> object:
        factor, addend, list_factor, empty = p

        def weight(tree: object) -> int:
            if isinstance(tree, int):
                return tree * factor + addend
            parts = cast("list[object]", tree)
            return sum(map(weight, parts)) * list_factor if parts else empty

        return weight(args[0])


def _tree(rng: Random, depth: int) -> list[object]:
    """A list of one to three trees, the first a number."""
    rest = [_tree(rng, depth - 1) for _ in range(rng.randint(0, 2))] if depth > 1 else []
    return [rng.randint(1, 20), *rest]
