r"""Decide equations with letters, LaTeX, roots and functions: `(x+1)^2 = x^2 + 2x + 1`.

A step is
    an identity    both sides are the same wherever both are defined
    a value        both sides are constants: equal, or one a decimal that is the other as rounded
    a solving      the equation says the same as the one before it, up to a constant factor:
                   `2x + 3 = 7`, then `2x = 4`, then `x = 2`

An equation that is not an identity may be one to solve, a condition or a definition; no notation
tells `x^2 + 144 = (x+8)^2` from an error in expanding. So one with variables is called false only
    - in a chain that rewrites: a row that begins with `=`, both sides rational functions of the
      same variables, and neither another equation of the problem or the response nor the words
      around relate these variables;
    - directly behind an implication sign, when both equations are linear in one variable, their
      solutions differ by more than rounding, and no other equation or case is near.

A step of constants is false when that is proved, it is no rounding (nor cut off, nor 22/7 for π),
and its notation and the words around it (doubt.py) leave no doubt: no unit on one side only, no
percent or degree, no angle without π, no base, no modulus anywhere, no sign that the problem
defines.

Not here: finding the equations (formulas.py). Nothing is decided that arithmetic has read
(lines.py). All work is counted: links, characters of a side, and units of each decision.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from flint import arb

from tracefactory.verifiers.maths.decide import (
    Decision,
    decide,
    rational_value,
    same_up_to_factor,
    value_ball,
)
from tracefactory.verifiers.maths.lex import Unreadable
from tracefactory.verifiers.maths.nodes import Node, number
from tracefactory.verifiers.maths.parse import parse
from tracefactory.verifiers.maths.values import NotAValue, lowered
from tracefactory.verifiers.stepping.doubt import NEAR, Doubts, unit_behind
from tracefactory.verifiers.stepping.formulas import Chain, Side, chains
from tracefactory.verifiers.stepping.outcomes import (
    FALSE,
    MAX_SHOWN,
    ROUNDED,
    TRUE,
    UNCHECKABLE,
    Step,
)
from tracefactory.verifiers.stepping.rationals import is_rounding

MAX_SIDE = 400
"""Characters of one side."""
MAX_LINKS = 400
"""Of one response that are looked at; later ones are left as they are."""
MAX_PASSED = 20_000
"""Links that are passed over."""
MAX_SUSPECTS = 20
WORK = 3_000_000
"""Units of one decision (maths/tiers.py): about nanoseconds."""
_BITS = 128
_HUGE = arb(2) ** 2000
_TINY = arb(2) ** -2000

_REFUSED = re.compile(
    r"""\\(?:dots[a-z]?|[lc]dots|pm|mp|[bp]?mod|star|sum|prod|int|lim|bigcirc|phantom|underbrace
        |cancel|stackrel|boxed|fbox|hspace|angle|triangle)(?![A-Za-z])
      | (?<![0-9.])\\(?:overline|bar|dot)(?![A-Za-z])
      | \.\.\. | … | \? | @ | \\[\#&] | [0-9)}] \s+ [xX] \s+ [0-9(] | \{\s*\} | [0-9]\s+[0-9]
      | / \s* [0-9]+ \s* \( | \^ \s* \w \s* \^
      | (?<![A-Za-z\\]) [A-Z] \s* (?:\\left)? \s* \( (?! \s*[0-9A-Za-z]\s*, )""",
    re.VERBOSE,
)
_CALLED = re.compile(
    r"(?<![A-Za-z\\])([A-Za-z])(?:\\left)?\((?:\\?[a-z]{1,6}|-?[0-9.]{1,8})(?:\\right)?\)"
)
_CALL = re.compile(r"(?<![A-Za-z\\])([A-Za-z])(?:_\{?\w+\}?)?\s*(?:\\left)?\s*\(")
_BOXED = re.compile(r"\s*\\f?box(?:ed)?\s*\{(.*)\}\s*", re.DOTALL)
_UNIT = re.compile(
    r"""(?: \\[,;:!\ ] | [~\s] )* \\(?:text|textrm|mathrm|mbox|textup|textnormal|hbox) \s?
        \{ \s* [^{}0-9\\$]* \} (?: \^ \{? [23] \}? )? \s* $""",
    re.VERBOSE,
)
_DOUBTFUL = re.compile(
    r"""[0-9] \s* \\[dt]?frac | \[ | \\(?:ast|bullet|circ|degree|log|lg|%) | [%°$€£] | !! | ! \s* $
      | (?<![A-Za-z]) log (?![a-z]) | (?<![A-Za-z\\]) (?:sqrt|sin|cos|tan|ln|log|exp) \s+ [0-9]
      | \^ \s* [0-9]{2} | \} \s* \^ | / [^-+=]* [0-9A-Za-z)}] \s* \( | / \s* [0-9]+ \s* [A-Za-z\\]
      | / \s* [0-9.]+ \s* (?:\\times|\\cdot|[×·*x]) \s* 10 \s* \^
      | (?<![a-z]) (?:sin|cos|tan|cot|sec|csc) (?! .* (?:pi|π)) | arc | \^ \s* \{? \s* [-−]
      | (?:π|\\pi) \s* (?:\\left)? \s* \(
      | [0-9A-Za-z}] _ \{? [0-9]+ | (?<![A-Za-z\\]) [ei] (?![A-Za-z]) | \| .* \| .* \|""",
    re.VERBOSE,
)
_OPERATOR = re.compile(
    r"""(?<=[^\s({]) \s* [-+−–] | [*/^!|×÷·⋅√] | \\[dt]?(?:frac|binom)
      | \\(?:cdot|times|div|sqrt|ln|log|sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|lfloor|lceil
        |gcd|max|min) (?![A-Za-z])
      | \b(?:sqrt|sin|cos|tan|ln|log|exp)\b | [0-9)}] \s* (?:\\left)? \s* \(
      | [0-9)}] \s* (?:π|\\pi) | (?:π|\\pi) \s* \(""",
    re.VERBOSE,
)
_PLAIN_NUMBER = re.compile(
    r"\s*([-−–]?)\s*\$?\s*([0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]*\.?[0-9]+)\s*"
)
_NAME = re.compile(
    r"\s*(?:\\?[A-Za-z]+(?:_(?:\w|\{\w+\}))?'*\s*(?:(?:\\left)?\([^()=]{1,20}\))?)\s*"
)
_DRESS = r"(?:[\s$&]|\\[\[\]()\\,;:!\ ]|\\q?quad(?![A-Za-z]))*"
_IMPLICATION = re.compile(
    _DRESS
    + r"(?:=>|[⇒⟹⇔⟺]|\\(?:implies|iff|therefore|(?:R|Longr|Leftr|Longleftr)ightarrow))"
    + _DRESS
)
_ONE_OF_SEVERAL = re.compile(_DRESS + r"(?:[,;/∨]|\\(?:text|mbox|vee|lor)|or\b|and\b)")
_OTHER_CASE = re.compile(r"=|≈|\b(?:or|either|case)\b", re.IGNORECASE)
_MODULAR = re.compile(r"≡|\\equiv|\bmod(?:ulo)?\b|\\[pb]?mod")
_LETTERS = re.compile(r"(?<![A-Za-z\\])[A-Za-z]|\\[A-Za-z]+")
# Words that relate variables without an equals sign, in a problem or near a rewriting.
_RELATED = re.compile(
    r"""\b(?: root | zero | satisf\w* | solution | such\ that | solve | congruent | mod | modulo
        | remainder | given | sum | product | difference | ratio | average | mean | twice | double
        | half | triple | times | plus | minus | add | exceeds? | less | more | perimeter | digit
        | consecutive | equal | unity | one | two | three | four | five | six | if | let | where
        | since | because | using | recall | know | remember | substitut\w* | by | commut\w*
        | anticommut\w* | characteristic | ring | circle | angle | rectangle )s? \b
      | [A-Za-z]\s+is\b""",
    re.VERBOSE | re.IGNORECASE,
)


class _Reading(NamedTuple):
    """What a side says."""

    node: Node
    names: frozenset[str]
    is_constant: bool
    """Without variables and unknown functions."""
    is_rational: bool
    """A rational function of its variables with rational coefficients."""
    operators: bool
    loose: bool
    """Could be meant in another way, so only its truth says something."""
    shown: str
    """The digits, if it is a plain number."""


class _Equation(NamedTuple):
    left: _Reading
    right: _Reading
    difference: Node
    end: int
    """Where it ends in the text."""
    is_alone: bool
    """No other equation is near before it, except those that it directly follows from."""


class _Suspect(NamedTuple):
    """A link between rewritten sides that are not the same."""

    chain: Chain
    place: int
    names: frozenset[str]


def algebra_steps(
    statement: str, text: str, known: Mapping[int, Step], doubts: Doubts
) -> list[Step]:
    """The steps of the text that are not `known` already, by the place of their relation.

    The text is the response, with blanks for lines that are not to be read.
    """
    return _Algebra(statement, text, known, doubts).steps()


class _Algebra:
    def __init__(
        self, statement: str, text: str, known: Mapping[int, Step], doubts: Doubts
    ) -> None:
        self.statement, self.text, self.known, self.doubts = statement, text, known, doubts
        self.called = frozenset(_CALLED.findall(statement)) | frozenset(_CALLED.findall(text))
        self.is_modular = (
            _MODULAR.search(statement) is not None or _MODULAR.search(text) is not None
        )
        self.readings: dict[str, _Reading | None] = {}
        self.found: list[Step] = []
        self.identities: set[tuple[int, str]] = set()
        self.suspects: list[_Suspect] = []
        self.before: _Equation | None = None
        self.left = MAX_LINKS
        self.passed = MAX_PASSED
        self.operators: dict[str, bool] = {}

    def steps(self) -> list[Step]:
        for chain in chains(self.text):
            self.chain(chain)
            if self.left <= 0 or self.passed <= 0:
                break
        if self.suspects and not _RELATED.search(self.statement):
            stated = [*chains(self.statement), *chains(self.text)]
            for suspect in self.suspects[:MAX_SUSPECTS]:
                if not self.is_explained(suspect) and not self.is_related(suspect, stated):
                    self.add(suspect.chain, suspect.place, FALSE)
        return self.found

    def add(self, chain: Chain, index: int, outcome: int) -> None:
        left, right, at = chain.sides[index], chain.sides[index + 1], chain.links[index].at
        if outcome == FALSE and (
            self.is_modular or chain.listed or self.doubts.about(left.start, right.end)
        ):
            outcome = UNCHECKABLE
        key = "".join(left.text.split()) + "="
        shown = " ".join(
            self.text[left.start : left.start + 2 * MAX_SHOWN][: right.end - left.start].split()
        )
        self.found.append(Step(at, "algebra", outcome, key, shown[:MAX_SHOWN]))

    def chain(self, chain: Chain) -> None:
        """Decide the links of a chain that are still open."""
        sides = chain.sides
        first_is_equation = False
        for index, link in enumerate(chain.links):
            self.passed -= 1
            if self.passed < 0:
                return
            if link.at in self.known:
                continue
            left, right = sides[index], sides[index + 1]
            if not left.text or not right.text:
                continue
            solving = index == 0 and not link.approximate
            operators = self.has_operator(left.text) or self.has_operator(right.text)
            if not operators and not solving:
                continue
            self.left -= 1
            if self.left < 0:
                return
            a, b = self.read(left), self.read(right)
            if a is None or b is None:
                if index == 0:
                    self.before = None
                continue
            if a.is_constant and b.is_constant:
                if operators and left.text != right.text:
                    self.value(chain, index, a, b)
                continue
            if link.approximate:
                continue
            if self.is_identity(a, b, left.text, right.text):
                if operators:
                    self.identities.add((link.at, left.text))
                    self.add(chain, index, TRUE)
                continue
            if index == 0:
                first_is_equation = True
                if self.is_alone(chain):
                    self.solve(chain, a, b)
                    continue
            if self.may_rewrite(chain, index, a, b):
                self.suspects.append(_Suspect(chain, index, a.names))
        if len(chain.links) > 1 and not (first_is_equation and self.is_alone(chain)):
            self.before = None

    def is_alone(self, chain: Chain) -> bool:
        """Is only its first link between other than constants: `2x = 8`, `x = 8/2 = 4`?"""
        if len(chain.links) == 1:
            return True
        rest = [self.read(side) if side.text else None for side in chain.sides[1:4]]
        return len(chain.links) < 4 and all(side is not None and side.is_constant for side in rest)

    # Reading.

    def has_operator(self, text: str) -> bool:
        """Does it state a calculation?"""
        if len(text) > MAX_SIDE:
            return False
        known = self.operators.get(text)
        if known is None:
            known = self.operators[text] = _OPERATOR.search(text) is not None
        return known

    def read(self, side: Side) -> _Reading | None:
        """The side as mathematics; None if it is not."""
        if side.text not in self.readings:
            self.readings[side.text] = self.parsed(side)
        return self.readings[side.text]

    def parsed(self, side: Side) -> _Reading | None:
        text = side.text
        if len(text) > MAX_SIDE:
            return None
        boxed = _BOXED.fullmatch(text)
        if boxed is not None:
            text = boxed[1]
        if _REFUSED.search(text):
            return None
        for call in _CALL.finditer(text):
            if call[1] in self.called and call[1] not in "fghFGH":
                return None
        bare = _UNIT.sub("", text)
        loose = side.joined or bare != text or _DOUBTFUL.search(text) is not None
        try:
            node = parse(bare)
            while node.kind in ("percent", "quantity"):
                loose = True
                node = (
                    Node("div", (node.args[0], number(100)))
                    if node.kind == "percent"
                    else node.args[0]
                )
            node = lowered(node)
        except (Unreadable, NotAValue, RecursionError):
            return None
        names, constant, rational = _facts(node)
        plain = _PLAIN_NUMBER.fullmatch(bare)
        return _Reading(
            node, names, constant, rational, _OPERATOR.search(bare) is not None, loose,
            plain[2].replace(",", "") if plain else "",
        )  # fmt: skip

    # Deciding.

    def is_identity(self, a: _Reading, b: _Reading, left: str, right: str) -> bool:
        """Is the right side the left one, wherever both are defined?"""
        if not (a.names <= b.names or b.names <= a.names):
            return False
        if (_NAME.fullmatch(left) and not a.names <= b.names) or (
            _NAME.fullmatch(right) and not b.names <= a.names
        ):
            return False
        return decide(a.node, b.node, work=WORK).equal is True

    def value(self, chain: Chain, index: int, a: _Reading, b: _Reading) -> None:
        """A link between two constants."""
        link = chain.links[index]
        decision = decide(a.node, b.node, work=WORK)
        if decision.equal:
            self.add(chain, index, TRUE)
            return
        if not _is_different(decision):
            return
        shown = [(a.node, b)] if b.shown else []
        shown += [(b.node, a)] if a.shown else []
        roundings = [_rounding(exact, number, link.approximate) for exact, number in shown]
        outcome = UNCHECKABLE
        if "nearest" in roundings:
            outcome = ROUNDED
        elif "near" not in roundings and (roundings or not link.approximate):
            last = index + 2 == len(chain.sides)
            unit = last and unit_behind(self.text, chain.sides[-1].end)
            if not (unit or a.loose or b.loose or _is_near(a.node, b.node)):
                outcome = FALSE
        self.add(chain, index, outcome)

    def solve(self, chain: Chain, a: _Reading, b: _Reading) -> None:
        """The equation against the one before it."""
        before, names = self.before, a.names | b.names
        start, end = chain.sides[0].start, chain.sides[-1].end
        follows = before is not None and _IMPLICATION.fullmatch(self.text, before.end, start)
        alone = before.is_alone if before and follows else self.is_first(start)
        equation = _Equation(a, b, Node("add", (a.node, Node("neg", (b.node,)))), end, alone)
        self.before = equation
        if before is None or before.left.names | before.right.names != names:
            return
        if (before.left.node, before.right.node) in (
            (a.node, b.node),
            (b.node, a.node),
        ):
            return  # said again
        rational = all(x.is_rational for x in (a, b, before.left, before.right))
        if not rational:
            return
        same = same_up_to_factor(before.difference, equation.difference, positive=False)
        if same.equal and same.certainty == "proved":
            self.add(chain, 0, TRUE)
        elif (
            follows
            and alone
            and len(names) == 1
            and not _ONE_OF_SEVERAL.match(self.text, end)
            and _contradict(before, equation)
        ):
            self.add(chain, 0, FALSE)

    def is_first(self, start: int) -> bool:
        """Is no equation, and no other case, near before this place?"""
        return _OTHER_CASE.search(self.text, max(0, start - NEAR), start) is None

    def may_rewrite(self, chain: Chain, index: int, a: _Reading, b: _Reading) -> bool:
        """Can the link only be meant as a rewriting of its left side, wrongly?"""
        if not (a.is_rational and b.is_rational and a.operators and b.operators):
            return False
        if a.loose or b.loose or a.names != b.names or index == 0:
            return False
        return chain.links[index].leads and _is_different(decide(a.node, b.node, work=WORK))

    def is_explained(self, suspect: _Suspect) -> bool:
        """Do the words around its chain relate variables?"""
        begin, end = suspect.chain.links[0].at, suspect.chain.links[-1].at
        return _RELATED.search(self.text, max(0, begin - NEAR), end + NEAR) is not None

    def is_related(self, suspect: _Suspect, stated: list[Chain]) -> bool:
        """Does anything else state a relation of the suspect's variables?"""
        letters = suspect.names
        for chain in stated:
            for index, link in enumerate(chain.links):
                if chain == suspect.chain and index == suspect.place:
                    continue
                if (link.at, chain.sides[index].text) in self.identities:
                    continue
                left, right = chain.sides[index], chain.sides[index + 1]
                if not left.text or not right.text:
                    return True
                name = _NAME.fullmatch(left.text)
                if name and index == 0 and left.text.strip() not in letters:
                    continue
                used = {
                    letter.lstrip("\\") for letter in _LETTERS.findall(f"{left.text} {right.text}")
                }
                if any(letter.partition("_")[0] in used for letter in letters):
                    return True
        return False


def _facts(node: Node) -> tuple[frozenset[str], bool, bool]:
    """The variables; whether it is a constant; whether it is a rational function over Q."""
    names: set[str] = set()
    constant = rational = True
    stack = [node]
    while stack:
        kind, args, value = stack.pop()
        if kind == "symbol":
            names.add(str(value))
            constant = False
        elif kind == "apply":
            constant = rational = False
        elif kind in ("root", "call", "constant", "factorial"):
            rational = False
        elif kind == "pow":
            exponent = args[1]
            whole = exponent.kind == "number" and exponent.value[1] == 1  # type: ignore[index]
            rational = rational and whole
        stack.extend(args)
    return frozenset(names), constant, rational


def _is_different(decision: Decision) -> bool:
    """Proved different, and neither side undefined."""
    return (
        decision.equal is False
        and decision.certainty == "proved"
        and ("why", "undefined") not in decision.detail
    )


def _rounding(exact: Node, shown: _Reading, approximate: bool) -> str:
    """How a plain number stands to a constant: nearest, near (cut off, or few digits) or far."""
    value = rational_value(shown.node)
    if value is None:
        return "near"
    places = len(shown.shown.partition(".")[2])
    target = Fraction(*value)
    unit = Fraction(1, 10**places)
    fraction = rational_value(exact)
    if fraction is not None:
        if is_rounding(fraction, value, [shown.shown], 0):
            return "nearest"
        off = abs(Fraction(*fraction) - target)
    else:
        ball = value_ball(exact, _BITS)
        # As a fraction, 2^(3^35) would have more digits than there is memory.
        if ball is None or not _TINY < abs(ball) < _HUGE:
            return "near"
        middle = ball.mid().fmpq()
        off = abs(Fraction(int(middle.p), int(middle.q)) - target)
        if off < unit / 2 and target and (places or approximate):
            return "nearest"
    if off < unit or (approximate and off * 10 < abs(target)):
        return "near"
    return "far"


def _is_near(a: Node, b: Node) -> bool:
    """Do irrational numbers differ by less than 1 in 200, as do 22/7 and π?"""
    if rational_value(a) is not None and rational_value(b) is not None:
        return False
    one, other = value_ball(a, _BITS), value_ball(b, _BITS)
    return one is None or other is None or not abs(one - other) * 200 > abs(one)


def _contradict(before: _Equation, equation: _Equation) -> bool:
    """Are both linear in one variable, with solutions that differ by more than rounding?"""
    if any(x.loose for x in (before.left, before.right, equation.left, equation.right)):
        return False
    if "symbol" in (before.left.node.kind, before.right.node.kind):
        return False  # x = 1 => x = 2: a new value
    (name,) = before.left.names | before.right.names
    one, other = _solution(before.difference, name), _solution(equation.difference, name)
    return one is not None and other is not None and abs(one - other) * 20 > abs(one)


def _solution(difference: Node, name: str) -> Fraction | None:
    """The one solution of a linear equation in one variable."""
    values: list[Fraction] = []
    for at in (0, 1, 3, -7):
        value = rational_value(_at(difference, name, number(at)))
        if value is None:
            return None
        values.append(Fraction(*value))
    slope = values[1] - values[0]
    if not slope or values[2] != values[0] + 3 * slope or values[3] != values[0] - 7 * slope:
        return None
    line = Node(
        "add",
        (
            Node("mul", (number(slope.numerator, slope.denominator), Node("symbol", (), name))),
            number(values[0].numerator, values[0].denominator),
        ),
    )
    return -values[0] / slope if decide(difference, line, work=WORK).equal else None


def _at(node: Node, name: str, value: Node) -> Node:
    if node.kind == "symbol":
        return value
    if not node.args:
        return node
    return Node(node.kind, tuple([_at(part, name, value) for part in node.args]), node.value)
