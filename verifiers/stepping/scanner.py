"""Cut one line into runs of arithmetic and what stands between them, in one pass.

A run reads as one expression. It says itself whether it can be checked at all (`bad`) and whether
its notation leaves doubt (`loose`); nothing is evaluated here.

Not here: what the relations between runs come to (lines.py).
"""

import re

from tracefactory.verifiers.stepping.rationals import GROUPED, MINUS, TIMES

MAX_TOKENS = 2000
"""Of one side."""
MAX_DEPTH = 50
"""Of brackets."""

_TOKEN = re.compile(
    r"""
    # 1 number, with the letters that cling to it
    ( \.?[0-9][0-9.,:]* (?: (?<=[0-9]) (?! [xX] \s* [0-9.($] ) \w+ )? )
    # 2 operator; an x is one between two numbers
  | ( \*\* | [-+*/^×÷·⋅∙−–∕] | \\(?:times|cdot|div)(?![A-Za-z])
    | (?<=[0-9)}%]) [xX] (?= \s* [0-9.($] ) | (?<=\s) [xX] (?= \s+ [0-9.($] ) )
    # 3 relation
  | ( ==? (?!>) | ≡ | \\equiv(?![A-Za-z]) )
    # 4 skipped
  | ( [ \t\r&`€£]+ | \\q?quad(?![A-Za-z]) | \\[,;!\ ] )
    # 5 opening, 6 closing, 7 percent, 8 dollar
  | ( (?: \\left[ ]* )? [({\[] ) | ( (?: \\right[ ]* )? [)}\]] ) | ( \\?% ) | ( \\?\$ )
    # 9 and 10 fraction
  | \\[dt]?frac\{ ( [0-9]+ ) \}\{ ( [0-9]+ ) \}
    # 11 mod
  | ( \\[bp]?mod(?![A-Za-z]) | [mM]od(?:ulo)?(?!\w) )
    # 12 word, or what stands for one
  | ( \\?\w [\w'’]+ (?: - [^\W\d_]{2,} [\w'’]* )* | \\?\w | \.{2,} | … )
    # 13 the rest: it ends the clause
  | ( [!<>:~]= | => | -> | \\. | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER, _OPERATOR, _RELATION, _SKIPPED, _OPENING, _CLOSING, _PERCENT, _DOLLAR = range(1, 9)
_FRACTION, _MOD, _WORD = 10, 11, 12

SIGNS = {sign: sign for sign in "+-*/^"} | {
    **dict.fromkeys(("−", "–"), "-"),
    **dict.fromkeys(("×", "·", "⋅", "∙", "x", "X", "\\times", "\\cdot"), "*"),
    **dict.fromkeys(("÷", "∕", "\\div"), "/"),
    "**": "^",
}
NAME = "?"  # a word where an operand may be
UNREAD = "#"  # an operand or operator of no known kind

_RECURRING = ("\\overline", "\\bar", "\\dot", "\\ldots", "\\cdots", "(")
_BOUNDARY = ""
MODDED = "mod"

# Signs of prose. Any other (√, !, °, ±, ⌊) may change the number that it touches.
_HARMLESS = frozenset(",;:.?\"'“”‘’<>|—→⇒≈≠≤≥")
_HARMLESS_PAIRS = frozenset(
    ["!=", "<=", ">=", ":=", "~=", "=>", "->", "\\(", "\\)", "\\[", "\\]", "\\\\"]
)
# "5 plus 3*2 = 11", "sqrt 16 + 9 = 13": the word before a number belongs to the arithmetic.
FUNCTIONS = frozenset(
    """
    plus minus times by over negative half twice thrice double triple root sqrt log ln exp sin cos
    tan gcd lcm max min abs floor ceil point hundred thousand
    """.split()  # noqa: SIM905 - words read better so
)
# "2+1 = 3 million": so does the word behind it.
_SCALES = frozenset(
    "hundred thousand million billion trillion dozen percent squared cubed".split()  # noqa: SIM905
)


# "6*10^8 / 2*10^3 = 300000": the last two belong together.
_SCIENTIFIC = re.compile(r"/ [0-9.,]+ \* 10 \^")


class Run:
    """Adjacent tokens that read as one expression, and what is known of it."""

    __slots__ = (
        "after",
        "bad",
        "end",
        "loose",
        "numbers",
        "operators",
        "percents",
        "start",
        "tokens",
        "words",
    )

    def __init__(self, start: int) -> None:
        self.start = self.end = start
        self.tokens: list[str] = []
        self.operators = self.numbers = self.percents = 0
        self.words = 0
        """How many words it starts with; with nothing else they are a name or part of a text."""
        self.bad = False
        """Cannot be checked."""
        self.loose = False
        """Could be meant in another way, so only its truth says something."""
        self.after: Run | None = None
        """The number before its bracket, a blank between: `2 (3+4)`, or `7 (3 more than 4)`."""

    def add(self, token: str, end: int) -> None:
        """Append a token that ends there."""
        self.tokens.append(token)
        self.end = end


Item = Run | str
"""A line falls into runs and, between them, "=", "≡", "mod" or the end of a clause."""


class Scanner:
    """Cuts one line into runs and what stands between them, in one pass."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.items: list[Item] = []
        self.places: dict[int, int] = {}
        """Where in the text each relation of the items stands."""
        self.run: Run | None = None
        self.operand_next = True
        self.opened: list[tuple[int, int]] = []
        """Open brackets of the run: where in its tokens, where in the text."""
        self.word = ""
        """The last word, while nothing came after it."""
        self.doubtful = -1
        """End of the last sign that may change its neighbours; it ended the clause before."""

    def scan(self) -> list[Item]:
        """The items of the line."""
        for match in _TOKEN.finditer(self.text):
            kind = match.lastindex
            if kind == _SKIPPED:
                continue
            if kind == _NUMBER:
                self.number(match)
            elif kind == _OPERATOR:
                self.operator(match)
            elif kind == _RELATION:
                if self.run is not None:
                    if self.opened:  # "(so 3 + 4 = 7)": the step starts inside the bracket
                        self.cut(*self.opened[-1])
                    self.close()
                self.places[len(self.items)] = match.start()
                self.items.append("=" if match[3][0] == "=" else "≡")
                self.doubtful = -1
            elif kind == _WORD:
                self.name(match)
            elif kind == _OPENING:
                self.opening(match)
            elif kind == _CLOSING and self.run is not None and self.opened:
                self.opened.pop()
                self.run.add(")", match.end())
                self.operand_next = False
            elif kind == _PERCENT and self.run is not None and not self.operand_next:
                self.run.add("%", match.end())
                self.run.percents += 1
            elif kind == _FRACTION:
                run = self.operand(match.start(), "")
                run.tokens += ["(", match[9], "/", match[10], ")"]
                run.end = match.end()
                run.operators += 1
            elif kind == _DOLLAR and (self.operand_next or match[8] != "$"):
                continue  # a currency sign
            elif kind == _MOD:
                self.modulo()
            else:
                self.boundary(match)
        self.close()
        return self.items

    def operand(self, start: int, token: str) -> Run:
        """The run that a number at `start` belongs to: the present one or a new one."""
        before = None
        if not self.operand_next:
            before = self.run
            self.close()
        run = self.run
        if run is None:
            run = self.run = Run(start)
            run.bad = start == self.doubtful
            if before is None or before.tokens[-1] == NAME:
                word = self.word
                run.bad = run.bad or word[:1] == "\\" or word.lower() in FUNCTIONS
            elif before.end == start or (len(token) == 3 and len(before.tokens[-1]) <= 3):
                before.bad = run.bad = True  # (2)3, 1 000
            else:
                before.loose = run.loose = True  # 1 1/2, or two steps side by side
        elif run.after is not None:
            run.loose = run.after.loose = True
            run.after = None
        run.numbers += 1
        self.operand_next = False
        self.word = ""
        return run

    def number(self, match: re.Match[str]) -> None:
        """Read a number, with the letters that cling to it."""
        token = match[1].rstrip(".,:")
        dropped = len(match[1]) - len(token)
        run = self.operand(match.start(), token)
        run.end = match.end() - dropped
        if not token.isdigit() or not token.isascii():
            if GROUPED.fullmatch(token) is None:
                token = UNREAD  # 25k, 2x, 8:40, 12,34, 1e5
        elif token == "0" and self.text[run.end : run.end + 1] in ("x", "X"):
            token = UNREAD  # 0x10
        elif self.text.startswith(".$", match.start() - 2) and match.start() >= 2:
            token = UNREAD  # "exactly .$500 = 1/2$"
        if dropped > 1 or (dropped and self.text.startswith(_RECURRING, match.end())):
            token = UNREAD  # 0.333..., 0.\overline{3}, 0.(3)
        elif "." in token and self.text.startswith("(", match.end()):
            run.loose = True  # 0.1(6)
        if token == UNREAD:
            run.bad = True
        run.tokens.append(token)
        if dropped == 1:
            self.close()
            self.items.append(_BOUNDARY)
            self.doubtful = -1

    def operator(self, match: re.Match[str]) -> None:
        """Read an operator: between operands, or the sign before one."""
        run, start, end = self.run, match.start(), match.end()
        sign = SIGNS[match[2]]
        if match[2] == "**" and not self.is_power(start, end):
            return  # bold type
        if run is not None and not self.operand_next and sign == "-" and run.tokens == [NAME]:
            spaced = start > run.end and not self.text[end : end + 1].isspace()
            if spaced and self.text[run.end - 2 : run.end].isalpha():
                # "so -3 + 4" has a sign; "x -3 + 4" may be a difference.
                self.close()
                run = None
        if run is not None and not self.operand_next:
            run.add(sign, end)
            run.operators += 1
        else:
            starts = run is None
            run = self.run = run or Run(start)
            if sign == "-":
                run.tokens.append(MINUS)
            elif sign != "+":
                run.tokens.append(UNREAD)
            run.end = end
            if starts and self.items and self.items[-1] not in ("=", "≡") and sign != "-":
                run.bad = True  # the clause before goes on: "5! + 3*2"
            if sign not in "+-" or (starts and self.doubtful >= 0):
                run.bad = True
                run.operators += 1
        self.operand_next = True
        self.word = ""

    def is_power(self, start: int, end: int) -> bool:
        """Does `**` stand between two operands?"""
        if self.run is None or self.operand_next:
            return False
        after = self.text[end : end + 2]
        if start > self.run.end:
            after = after[1:] if after[:1] == " " else ""
        return after[:1].isdigit() or after[:1] == "("

    def name(self, match: re.Match[str]) -> None:
        """Read a word: an operand that nobody knows, or text."""
        run, word = self.run, match[12]
        self.word = word
        if run is not None and not self.operand_next:
            if run.words and len(run.tokens) == 1:
                run.words += 1
                run.end = match.end()
                return
            if run.end == match.start() and word[0] not in ".…":
                run.bad = True  # 5%x, (3)a
            elif word.lower() in _SCALES:
                run.loose = True
            self.close()
            run = None
        if run is None:
            run = self.run = Run(match.start())
            run.words = 1
        run.add(NAME, match.end())
        run.bad = True
        self.operand_next = False

    def opening(self, match: re.Match[str]) -> None:
        """Open a bracket: of the run, of a product, or of a new run."""
        run, start = self.run, match.start()
        if run is not None and not self.operand_next:
            # f(3) and f (3), but not "meals (3 + 4 = 7)"
            called = run.tokens[-1] == NAME and (len(self.word) == 1 or self.word[:1] == "\\")
            if start == run.end or called:
                if run.tokens[-1] != NAME:
                    run.operators += 1
                run.tokens.append(TIMES)
            else:
                self.close()
                self.run = Run(start)
                if run.tokens[-1] != NAME:
                    self.run.after = run
                run = self.run
        if run is None:
            run = self.run = Run(start)
            run.bad = start == self.doubtful
        self.opened.append((len(run.tokens), match.end()))
        run.add("(", match.end())
        if len(self.opened) > MAX_DEPTH:
            run.bad = True
        self.operand_next = True

    def modulo(self) -> None:
        """End the run before `mod`."""
        run = self.run
        if run is not None:
            while run.tokens and run.tokens[-1] in ("(", TIMES):  # the bracket of "4(mod 7)"
                if run.tokens.pop() == "(":
                    self.opened.pop()
                else:
                    run.operators -= 1
            self.close()
        self.items.append(MODDED)
        self.doubtful = -1

    def boundary(self, match: re.Match[str]) -> None:
        """End the clause; so does a bracket, % or $ that fits nowhere."""
        run, sign = self.run, match[0]
        harmless = sign in _HARMLESS or sign in _HARMLESS_PAIRS
        if sign == "$":  # after a word: a currency sign, or the end of a formula
            harmless = self.text[match.end() : match.end() + 1] in tuple("0123456789.(")
        if run is not None:
            if not harmless and match.lastindex == 13 and run.end == match.start():
                run.loose = True  # 5! may be a factorial
            self.close()
        self.items.append(_BOUNDARY)
        self.doubtful = -1 if harmless else match.end()
        self.word = ""

    def close(self) -> None:
        """End the run."""
        run = self.run
        if run is None:
            return
        if self.opened or len(run.tokens) > MAX_TOKENS:
            run.bad = True
            self.opened.clear()
        if 0 < run.percents < run.numbers and ("+" in run.tokens or "-" in run.tokens):
            run.loose = True  # 100 + 10%: of what?
        if "^" in run.tokens and "/" in run.tokens and _SCIENTIFIC.search(" ".join(run.tokens)):
            run.loose = True
        if run.numbers or run.words or NAME in run.tokens:
            self.items.append(run)
        self.run, self.operand_next = None, True

    def cut(self, index: int, start: int) -> None:
        """Drop a bracket of the run that stays open, and what stands before it."""
        run = self.run
        if run is None:
            return
        tokens = run.tokens = run.tokens[index + 1 :]
        run.start = start
        run.operators = sum(token in "+-*/^@" for token in tokens)
        run.numbers = sum(token[0] in "0123456789.#" for token in tokens)
        run.percents = tokens.count("%")
        run.words = int(tokens[:1] == [NAME])
        run.bad = NAME in tokens or UNREAD in tokens
        run.loose = False
        self.opened.clear()
