"""Tasks on places: a walk on a board, a grid turned, stretches of a line joined."""

# ruff: noqa: D102 - Task says what each method is

from random import Random
from typing import cast

from tracefactory.sources.families.base import Params
from tracefactory.sources.families.programs.task import Span, Task, lines_of

_HEADINGS = ("north", "east", "south", "west")
_TURNS = (
    ("turned a quarter clockwise", "[list(row) for row in zip(*{0}[::-1])]"),
    ("turned a quarter anticlockwise", "[list(row) for row in zip(*{0})][::-1]"),
    ("mirrored, the left side to the right", "[row[::-1] for row in {0}]"),
    ("with rows and columns exchanged", "[list(row) for row in zip(*{0})]"),
)
_SHAPES = (
    ("its start and its end", "[start, end]"),
    ("its start and its length", "[start, end - start]"),
    ("its length and its end", "[end - start, end]"),
)
_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))


class Walk(Task):
    """A simulation. Parameters: width, height, x, y, heading, stride, edge (0: wall, 1: round)."""

    name = "walk"
    entry_point = "walk"
    starter = "def walk(commands: str) -> list[int]:"

    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        side = (3, max_factor - 2)
        return (side, side, (0, 3), (0, 3), (0, len(_HEADINGS)), (1, 3), (0, 2))

    def statement(self, p: Params) -> str:
        width, height, x, y, heading, stride, edge = p
        ends = ("stays at the edge for the rest of it", "comes in again on the other side")[edge]
        return (
            f"A robot stands on a board of {width} columns (x from 0 to {width - 1}) and {height} "
            f"rows (y from 0 to {height - 1}, growing to the north), at x = {x}, y = {y}, and "
            f"looks {_HEADINGS[heading]}. `L` turns it left and `R` right, where it stands; `F` "
            f"moves it {stride} forward. Where that would leave the board, it {ends}. Write a "
            f"function `walk(commands)` that returns [x, y] at the end."
        )

    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        width, height, x, y, heading, stride, edge = p
        wide, high = width - off_by_one, height - off_by_one
        move = f"    x, y = min(max(x, 0), {wide - 1}), min(max(y, 0), {high - 1})"
        if edge:
            move = f"    x, y = x % {wide}, y % {high}"
        return lines_of(f"""
def walk(commands: str) -> list[int]:
    steps = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    x, y, heading = {x}, {y}, {heading}
    for command in commands:
        if command == "L":
            heading = (heading - 1) % 4
        elif command == "R":
            heading = (heading + 1) % 4
        else:
            x += steps[heading][0] * {stride}
            y += steps[heading][1] * {stride}
        {move.strip()}
    return [x, y]
""")

    def plan(self, p: Params) -> str:
        kind = ("min and max keep it on the board", "a remainder brings it round")[p[6]]
        return (
            f"The headings are numbered clockwise from north, so a turn adds or takes 1 modulo 4. "
            f"After a move of {p[5]}, {kind}."
        )

    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        width, height, x, y, heading, stride, edge = p
        size, at = (height, y) if heading in (0, 2) else (width, x)
        ahead = at if heading in (2, 3) else size - 1 - at
        # To the far edge; one of these ends on it, whichever way the robot looks.
        across = "F" * (-(-ahead // stride)) if not edge else "F" * (size + 1)
        paths = ["".join(rng.choices("FFFLR", k=n)) for n in (8, 20, 40)]
        around = "RR" + "F" * size
        return [[path] for path in (paths[0], across, around, *paths[1:], "")]

    def answer(self, p: Params, *args: object) -> object:
        width, height, x, y, heading, stride, edge = p
        for command in str(args[0]):
            if command != "F":
                heading += 1 if command == "R" else 3
                continue
            east, north = _STEPS[heading % 4]
            for _ in range(stride):  # step by step
                x, y = x + east, y + north
                inside = 0 <= x < width and 0 <= y < height
                if not inside:
                    x, y = (x % width, y % height) if edge else (x - east, y - north)
        return [x, y]


class TurnGrid(Task):
    """Rows and columns. Parameters: turn, factor, addend, modulus."""

    name = "turn_grid"
    entry_point = "turn"
    starter = "def turn(grid: list[list[int]]) -> list[list[int]]:"

    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        constant = (1, max_constant)
        return ((0, len(_TURNS)), (2, max_factor - 1), constant, (100, max_constant))

    def statement(self, p: Params) -> str:
        turn, factor, addend, modulus = p
        return (
            f"Write a function `turn(grid)` for a grid of whole numbers, a list of rows of the "
            f"same length. It returns the grid {_TURNS[turn][0]}, with each number x in it "
            f"replaced by ({factor}x + {addend}) modulo {modulus}. The grid that is given stays as "
            f"it is."
        )

    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        turn, factor, addend, modulus = p
        rows = "grid[1:]" if off_by_one else "grid"
        return lines_of(f"""
def turn(grid: list[list[int]]) -> list[list[int]]:
    changed = [[({factor} * x + {addend}) % {modulus} for x in row] for row in {rows}]
    return {_TURNS[turn][1].format("changed")}
""")

    def plan(self, p: Params) -> str:
        return (
            f"First change every number, which does not depend on its place; then the grid is "
            f"{_TURNS[p[0]][0]}, which slices and zip can do."
        )

    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        sizes = ((2, 3), (3, 3), (1, 4), (4, 1), (5, 2))
        return [[[[rng.randint(0, 50) for _ in range(w)] for _ in range(h)]] for h, w in sizes]

    def answer(self, p: Params, *args: object) -> object:
        turn, factor, addend, modulus = p
        grid = cast("list[list[int]]", args[0])
        high, wide = len(grid), len(grid[0])

        def at(y: int, x: int) -> int:
            from_y, from_x = (
                (high - 1 - x, y),
                (x, wide - 1 - y),
                (y, wide - 1 - x),
                (x, y),
            )[turn]
            return (grid[from_y][from_x] * factor + addend) % modulus

        turned = (wide, high) if turn != 2 else (high, wide)
        return [[at(y, x) for x in range(turned[1])] for y in range(turned[0])]


class JoinSpans(Task):
    """Stretches of a line. Parameters: gap, least length, shape."""

    name = "join_spans"
    entry_point = "join"
    starter = "def join(spans: list[list[int]]) -> list[list[int]]:"

    def spans(self, max_factor: int, max_constant: int) -> tuple[Span, ...]:
        return ((1, max_constant), (1, max_constant), (0, len(_SHAPES)))

    def statement(self, p: Params) -> str:
        gap, least, shape = p
        return (
            f"A span is a list [start, end] with start below end; spans may overlap and come in "
            f"any order. Write a function `join(spans)`. Spans that overlap, or have a gap of "
            f"{gap} or less between them, become one. Of what comes out, those shorter than "
            f"{least} are left out; the others are returned from left to right, each as a list of "
            f"{_SHAPES[shape][0]}."
        )

    def program(self, p: Params, *, off_by_one: bool = False) -> str:
        gap, least, shape = p
        sign = "<" if off_by_one else "<="
        return lines_of(f"""
def join(spans: list[list[int]]) -> list[list[int]]:
    joined = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] {sign} {gap}:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return [{_SHAPES[shape][1]} for start, end in joined if end - start >= {least}]
""")

    def plan(self, p: Params) -> str:
        return (
            f"Sorted by start, a span can only join the last one made, if its start is at most "
            f"{p[0]} behind that one's end. Lengths below {p[1]} go at the end, not before."
        )

    def inputs(self, p: Params, rng: Random) -> list[list[object]]:
        gap, least, _ = p
        far = 4 * (gap + least)
        # The gap itself, one more, and one that only joining makes long enough.
        edge = [[0, least], [least + gap, 2 * least + gap], [far, far + least]]
        edge.append([2 * far, 2 * far + 1])
        more = [far + least + gap + 1, far + 2 * least + gap + 1]
        lists = [edge, [*edge, more], [], _spans(rng, 5, far), _spans(rng, 9, far)]
        return [[rng.sample(spans, len(spans))] for spans in lists]

    def answer(self, p: Params, *args: object) -> object:
        gap, least, shape = p
        spans = cast("list[list[int]]", args[0])
        # Every point that a span or a short gap covers; a stretch of them is a joined span.
        starts = sorted(start for start, _ in spans)
        found: list[list[int]] = []
        for start in starts:
            reach = max((end for s, end in spans if s < start), default=None)
            if reach is not None and start <= reach + gap:
                continue
            end = max(e for s, e in spans if s <= start)
            while later := [e for s, e in spans if s - gap <= end < e]:
                end = max(later)
            if [start, end] not in found:
                found.append([start, end])
        long = [(start, end) for start, end in found if not end - start < least]
        return [([a, b], [a, b - a], [b - a, b])[shape] for a, b in long]


def _spans(rng: Random, n: int, far: int) -> list[list[int]]:
    starts = [rng.randint(0, far) for _ in range(n)]
    return [[start, start + rng.randint(1, max(2, far // 6))] for start in starts]
