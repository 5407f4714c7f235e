"""Wrong programs, made from right ones: the faults that a checker of programs must catch.

    off_by_one      goes one too far, or not far enough
    wrong_type      the right values as another type (a script: whole numbers as floats)
    prints          prints its result and returns nothing (a script: says a word more)
    syntax_error    a colon, a bracket or an indentation is wrong
    misnamed        the function has another name; no script has this fault

    CHEATS          do not solve anything: they leave with exit status 0, before or within a call,
                    or return an object that is equal to everything
    endless         never comes to its end

Not here: how often (programmer.py).
"""

import re
from collections.abc import Callable
from random import Random

from tracefactory.sources.families.base import Params
from tracefactory.sources.families.programs.task import Task

FAULTS = ("off_by_one", "wrong_type", "prints", "syntax_error", "misnamed")
_SAME_AS_ALL = """\
class Same(int):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = int.__hash__


"""


def faulty(task: Task, p: Params, fault: str, rng: Random) -> str:
    """The program with one fault."""
    if fault == "off_by_one":
        return task.program(p, off_by_one=True)
    return _FAULTS[fault](task, task.program(p), rng)


def faults_of(task: Task) -> tuple[str, ...]:
    """The faults that a program for this task can have."""
    return FAULTS if task.entry_point else FAULTS[:-1]


def endless(task: Task, p: Params) -> str:
    """The program with a loop that never ends before it gives its result."""
    before, last = _split(task.program(p))
    indent = re.match(" *", last)
    pad = "" if indent is None else indent[0]
    return f"{before}{pad}waiting = True\n{pad}while waiting:\n{pad}    pass\n{last}"


def cheat(task: Task, p: Params, rng: Random) -> str:
    """A program that would pass if its exit status, or its own `==`, were believed."""
    if not task.entry_point:
        leaves = ("import sys\n\nsys.exit(0)\n", "exit(0)\n", "import os\n\nos._exit(0)\n")
        return rng.choice(leaves)
    return rng.choice(
        (
            f"import sys\n\n\n{task.starter}\n    sys.exit(0)\n",
            f"import os\n\n\n{task.starter}\n    os._exit(0)\n",
            f"{task.starter}\n    raise SystemExit(0)\n\n\nexit(0)\n",
            f"{_SAME_AS_ALL}{task.starter}\n    return Same()\n",
        )
    )


def _split(program: str) -> tuple[str, str]:
    """All but the last line, and the last line."""
    before, _, last = program.rstrip("\n").rpartition("\n")
    return f"{before}\n", f"{last}\n"


def _wrong_type(task: Task, program: str, rng: Random) -> str:
    if not task.entry_point:
        return program.replace("int(", "float(")
    before, last = _split(program)
    value = last.strip().removeprefix("return ")
    is_text = task.starter.endswith("-> str:")
    kinds = ("list",) if is_text else ("str", "repr")
    return f"{before}    return {rng.choice(kinds)}({value})\n"


def _prints(task: Task, program: str, rng: Random) -> str:
    before, last = _split(program)
    if not task.entry_point:
        said = last.replace("print(", 'print("Answer:", ')
        return f"{before}{said}"
    return f"{before}    print({last.strip().removeprefix('return ')})\n"


def _syntax_error(task: Task, program: str, rng: Random) -> str:
    lines = program.split("\n")
    headed = [at for at, line in enumerate(lines) if line.endswith(":")]
    at = rng.choice(headed)
    match rng.randrange(3):
        case 0:
            lines[at] = lines[at][:-1]
        case 1:
            lines[at + 1] = lines[at + 1].strip()
        case _:
            last = len(lines) - 2  # the text ends in a line break
            lines[last] += ")"
    return "\n".join(lines)


def _misnamed(task: Task, program: str, rng: Random) -> str:
    other = rng.choice((f"{task.entry_point}_it", "solve", f"my_{task.entry_point}"))
    return re.sub(rf"\b{task.entry_point}\(", f"{other}(", program)


_FAULTS: dict[str, Callable[[Task, str, Random], str]] = {
    "wrong_type": _wrong_type,
    "prints": _prints,
    "syntax_error": _syntax_error,
    "misnamed": _misnamed,
}
