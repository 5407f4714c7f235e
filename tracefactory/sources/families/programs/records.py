"""Tasks on records: two scripts that read lines, and a table of teams sorted with ties."""

# ruff: noqa: D102 - Task says what each method is

from random import Random
from typing import cast

from tracefactory.sources.families.base import Params
from tracefactory.sources.families.programs.task import NAMES, Span, Task, lines_of

_MARKS = ("=", ": ", " -> ", " has ", ",")
_SEPARATORS = (",", ";", "|", " ")
_RULES = (
    ("is even", "first % 2 == 0"),
    ("is odd", "first % 2 == 1"),
    ("is above {0}", "first > {0}"),
    ("is {0} or less", "first <= {0}"),
)
_TIES = (
    ("in the order of the alphabet", "(-team[1], team[0])"),
    ("by fewer losses first, then in the order of the alphabet", "(-team[1], team[2], team[0])"),
    ("by more wins first, then in the order of the alphabet", "(-team[1], -team[3], team[0])"),
)


class Totals(Task):
    """A script that adds up by name. Parameters: least number, bonus, mark."""

    name = "totals"

    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        return ((1, max_constant), (1, max_constant), (0, len(_MARKS)))

    def statement(self, p: Params) -> str:
        least, bonus, mark = p
        return (
            f"Write a program that reads from standard input. The first line is a number n; each "
            f"of the next n lines is a name, a space and a whole number. For each name, add up "
            f"those of its numbers that are at least {least}, and add {bonus} once. Print a line "
            f"for each name that has such a number, the name met first at the top: the name, "
            f"`{_MARKS[mark]}` and the total. In the last line print how many lines came before."
        )

    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        least, bonus, mark = p
        n = "n - 1" if off_by_one else "n"
        return lines_of(f"""
n = int(input())
totals = {{}}
for _ in range({n}):
    name, number = input().split()
    if int(number) >= {least}:
        totals[name] = totals.get(name, {bonus}) + int(number)
for name in totals:
    print(name + "{_MARKS[mark]}" + str(totals[name]))
print(len(totals))
""")

    def plan(self, p: Params) -> str:
        return (
            f"A dictionary keeps the names in the order in which they came. A name enters it with "
            f"its first number of {p[0]} or more, on top of the {p[1]} that everybody gets."
        )

    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        least = p[0]
        given: list[str] = []
        for n in (4, 1, 9, 0, 6):
            lines = [f"{rng.choice(NAMES[:6])} {rng.randint(0, 2 * least)}" for _ in range(n)]
            if lines:  # the last one counts
                lines[-1] = f"{rng.choice(NAMES)} {least + rng.randint(0, 9)}"
            given.append("".join(f"{line}\n" for line in (str(n), *lines)))
        return [[text] for text in given]

    def answer(self, p: Params, *args: object) -> object:
        least, bonus, mark = p
        pairs = [line.split(" ") for line in str(args[0]).split("\n")[1:] if line]
        kept = [(name, int(number)) for name, number in pairs if not int(number) < least]
        names = list(dict.fromkeys(name for name, _ in kept))
        sums = [bonus + sum(n for name, n in kept if name == one) for one in names]
        lines = [f"{name}{_MARKS[mark]}{n}" for name, n in zip(names, sums, strict=True)]
        return "".join(f"{line}\n" for line in (*lines, str(len(lines))))


class ColumnSum(Task):
    """A script that reads to the end. Parameters: separator, column, rule, limit, factor."""

    name = "column_sum"

    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        return (
            (0, len(_SEPARATORS)),
            (2, 3),
            (0, len(_RULES)),
            (1, max_constant),
            (2, max_factor - 1),
        )

    def statement(self, p: Params) -> str:
        separator, column, rule, limit, factor = p
        return (
            f"Write a program that reads from standard input to its end. Each line holds whole "
            f"numbers of 0 or more with `{_SEPARATORS[separator]}` between them. Of the lines with "
            f"at least {column} numbers whose first number {_RULES[rule][0].format(limit)}, it "
            f"adds up the numbers at place {column} (the first number has place 1). It prints "
            f"{factor} times the sum plus {limit}, and in a second line how many lines were "
            f"counted."
        )

    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        separator, column, rule, limit, factor = p
        place = column - 2 if off_by_one else column - 1
        return lines_of(f"""
import sys

total = count = 0
for line in sys.stdin:
    numbers = [int(part) for part in line.strip().split("{_SEPARATORS[separator]}") if part]
    if len(numbers) < {column}:
        continue
    first = numbers[0]
    if {_RULES[rule][1].format(limit)}:
        total += numbers[{place}]
        count += 1
print(total * {factor} + {limit})
print(count)
""")

    def plan(self, p: Params) -> str:
        return (
            f"Read line by line to the end. Place {p[1]} is index {p[1] - 1}; lines that are too "
            f"short are passed over before the first number is looked at."
        )

    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        separator, column, _, limit, _ = p
        given: list[str] = []
        for n in (3, 6, 0, 10, 1):
            sizes = [rng.randint(1, 6) for _ in range(n)]
            rows = [[rng.randint(0, 2 * limit + 3) for _ in range(size)] for size in sizes]
            if rows:  # under each rule one of these counts, and its places differ
                rows += [[first, *range(30, 30 + column)] for first in (limit + 1, limit, 0)]
            lines = [_SEPARATORS[separator].join(map(str, row)) for row in rows]
            given.append("".join(f"{line}\n" for line in lines))
        return [[text] for text in given]

    def answer(self, p: Params, *args: object) -> object:
        separator, column, rule, limit, factor = p
        rows = [
            list(map(int, line.split(_SEPARATORS[separator])))
            for line in str(args[0]).split("\n")
            if line
        ]
        counted = [
            row[column - 1]
            for row in rows
            if column <= len(row)
            and (not row[0] & 1, row[0] & 1, row[0] >= limit + 1, row[0] < limit + 1)[rule]
        ]
        return f"{sum(counted) * factor + limit}\n{len(counted)}\n"


class Ranking(Task):
    """Sort with ties. Parameters: points of a win, of a draw, off for a loss, ties, how many."""

    name = "ranking"
    entry_point = "ranking"
    starter = "def ranking(teams: list[list]) -> list[str]:"

    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        return ((2, max_factor - 1), (1, 9), (0, 4), (0, len(_TIES)), (2, 8))

    def statement(self, p: Params) -> str:
        win, draw, loss, tie, places = p
        return (
            f"Write a function `ranking(teams)`. A team is a list: its name, and its numbers of "
            f"wins, draws and losses. A win gives {win} points, a draw {draw}, and a loss takes "
            f"{loss} away. Sort the teams by points, most first; teams with as many points stand "
            f"{_TIES[tie][0]}. Return the names of the first {places}, or of all if there are "
            f"fewer."
        )

    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        win, draw, loss, tie, places = p
        return lines_of(f"""
def ranking(teams: list[list]) -> list[str]:
    table = []
    for name, wins, draws, losses in teams:
        points = {win} * wins + {draw} * draws - {loss} * losses
        table.append((name, points, losses, wins))
    table.sort(key=lambda team: {_TIES[tie][1]})
    return [team[0] for team in table[:{places - off_by_one}]]
""")

    def plan(self, p: Params) -> str:
        return (
            f"The points are {p[0]} a win and {p[1]} a draw, less {p[2]} a loss. The key of the "
            f"sort is a tuple, with a minus where more comes first; then {p[4]} names at most."
        )

    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        win, draw, _, _, _ = p
        # As many points in different ways, and in the same way.
        tied: list[list[object]] = [["Zoe", draw, 0, 1], ["Yan", 0, win, 1], ["Abe", 0, win, 1]]
        lists = [
            [*_teams(rng, 4), *tied],
            [*tied, *_teams(rng, 9)],
            _teams(rng, 12),
            [],
            [["Lou", 1, 1, 1]],
        ]
        return [[teams] for teams in lists]

    def answer(self, p: Params, *args: object) -> object:
        win, draw, loss, tie, places = p
        teams = cast("list[tuple[str, int, int, int]]", args[0])
        # From the least important to the most: each sort keeps the order of what is equal.
        teams = sorted(teams, key=lambda team: team[0])
        if tie:
            teams.sort(key=lambda team: team[3] if tie == 1 else -team[1])
        teams.sort(key=lambda team: loss * team[3] - win * team[1] - draw * team[2])
        return [team[0] for team in teams][:places]


def _teams(rng: Random, n: int) -> list[list[object]]:
    return [[name, *(rng.randint(0, 3) for _ in range(3))] for name in rng.sample(NAMES, n)]
