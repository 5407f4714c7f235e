r"""Find the chains of equations of a response: `A = B = C`, in LaTeX and in plain text.

In mathematics (`$...$`, `\[...\]`, `align` and its like) a side is all that stands between two
relations or separators; a chain may go on over several rows, `A &= B \\ &= C`. In plain text a word
ends a side, and so does the end of the line, unless the next line begins with the relation.

A dollar sign opens mathematics as in Pandoc: no blank behind it, none before its partner, and no
digit behind that. `$5 + $3 = $8` is money.

Not here: what a side means (algebra.py), arithmetic in sentences (lines.py). One pass; nothing is
looked at twice.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tracefactory.verifiers.stepping.scanner import FUNCTIONS

MAX_SPAN = 2000
"""Characters between two dollar signs."""


class Side(NamedTuple):
    """What stands on one side of a relation; an empty text cannot be read."""

    text: str
    start: int
    end: int
    joined: bool
    """Put together from two rows, or otherwise in doubt."""


class Link(NamedTuple):
    """A relation between two sides."""

    at: int
    approximate: bool
    leads: bool
    """It is the first on its row, so that its left side is on the row before."""


class Chain(NamedTuple):
    """Sides with the links between them, one fewer than sides."""

    sides: list[Side]
    links: list[Link]
    listed: bool
    """Between commas: an item of a list, `45, 90, 990 = 22 * 45`, or a clause."""


_TOKEN = re.compile(
    r"""
    ( [0-9]+ (?: ,[0-9]{3}(?![0-9]) )* (?: \.[0-9]+ )? | \.[0-9]+ )                 # 1 number
  | ( ≈ | \\approx(?![A-Za-z]) )                                                   # 2 nearly
  | ( ==? (?![>=]) )                                                               # 3 equals
  | ( [=-]> | [⇒⟹⇔⟺→] | \\(?:implies|iff|(?:R|Longr|Leftr|Longleftr)ightarrow|to
      |(?:long)?rightarrow|therefore)(?![A-Za-z]) )                                # 4 arrow
  | ( [!<>:~]= | [<>≤≥≠≡∈] | \\(?:leq?|leqslant|geq?|geqslant|lt|gt|neq?|equiv|sim|simeq
      |cong|in|ni|notin|subset|subseteq|propto|mid|parallel|perp|because)(?![A-Za-z]) )  # 5 other
  | ( \\\\ (?: \[ [^\]\n]{0,12} \] )? )                                            # 6 row
  | ( \n )                                                                         # 7 newline
  | ( [ \t\r&]+ | \\[,;:!>\ ] )                                                    # 8 blank
  | \\(begin|end) \{ ([A-Za-z]{1,20}) \*? \}                                       # 9, 10
  | ( \\(?:text|textbf|textrm|textit|textup|textnormal|mbox|hbox|mathrm)\s? )
      \{ ([^{}\n]*) \}                                                             # 11, 12 words
  | ( \$\$? | \\[\[\]()] )                                                         # 13 delimiter
  | ( \\\{ | [({\[] ) | ( \\\} | [)}\]] )                                          # 14, 15 brackets
  | ( [,;] | \\q?quad(?![A-Za-z]) )                                                # 16 separator
  | ( [.:?"“”`] )                                                                  # 17 stop
  | ( [A-Za-z]+ (?: ['’][A-Za-z]+ )? )                                             # 18 word
  | ( \\(?:left|right)\s?\. | \\. | . )                                            # 19 anything
    """,
    re.VERBOSE | re.DOTALL,
)
(_NUMBER, _NEARLY, _EQUALS, _ARROW, _OTHER, _ROW, _NEWLINE, _BLANK, _BEGIN, _ENVIRONMENT) = range(
    1, 11
)
(_, _TEXT, _DELIMITER, _OPENING, _CLOSING, _SEPARATOR, _STOP, _WORD, _REST) = range(11, 20)

_ALIGNED = frozenset(
    [
        "align",
        "aligned",
        "equation",
        "gather",
        "gathered",
        "eqnarray",
        "split",
        "multline",
        "alignat",
        "alignedat",
        "displaymath",
        "math",
    ]
)
_CLOSERS = {"$": "$", "$$": "$$", "\\[": "\\]", "\\(": "\\)"}
_KNOWN_WORDS = frozenset(
    [
        "sqrt",
        "cbrt",
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "arcsin",
        "arccos",
        "arctan",
        "sinh",
        "cosh",
        "tanh",
        "ln",
        "log",
        "exp",
        "pi",
        "abs",
        "floor",
        "ceil",
        "gcd",
        "lcm",
        "max",
        "min",
        "theta",
        "alpha",
        "beta",
        "gamma",
        "lambda",
    ]
)
_JOINERS = frozenset(
    [
        "and",
        "or",
        "so",
        "then",
        "thus",
        "if",
        "for",
        "where",
        "when",
        "hence",
        "therefore",
        "since",
        "gives",
        "implies",
        "because",
        "but",
        "with",
        "is",
        "we",
        "which",
        "as",
        "by",
        "from",
        "let",
        "on",
        "in",
        "to",
        "at",
        "that",
        "the",
        "a",
        "an",
        "also",
        "either",
        "yields",
        "means",
        "while",
    ]
)
_OPERATORS = frozenset("+-*/^×÷·⋅∙−–∕")
_ENDS_IN_OPERATOR = re.compile(r"(?:[-+*/×÷·⋅−–(]|\\(?:cdot|times|div|left\())[\s&]*$")
_BINARY = re.compile(r"[-+−×÷·⋅∙]|\\(?:cdot|times|div)")
_DRESS = re.compile(r"\\\\(?:\[[^\]\n]{0,12}\])?|(?<!\\)&|\n|\\q?quad(?![A-Za-z])")
_UNFINISHED = re.compile(r"(?:(?<![A-Za-z])[B-HJ-Zb-z]|[-+/=×^−]|(?<!\*)\*|(?<!\S)\.)\s*$")
_RECURS = re.compile(r"\.(?:\\(?:overline|bar|dot|ldots|dots)|\.\.)")
_BLANK_LINE = re.compile(r"[ \t\r]*\n")
_UNREADABLE = Side("", 0, 0, False)


def chains(text: str) -> Iterator[Chain]:
    """The chains of the text with at least one link, in order; read as they are asked for."""
    return _Finder(text).find()


class _Finder:
    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[Chain] = []
        self.sides: list[Side] = []
        self.links: list[Link] = []
        self.math = ""
        """What closes the mathematics that we are in; empty in plain text."""
        self.depth = 0
        self.start = -1
        self.end = 0
        self.bad = self.joined = False
        self.waiting = False
        """A row has ended; the next may go on with the chain."""
        self.listed = False
        self.row_start = True
        self.after_word = False
        self.tainted = False
        """The word before belongs to the arithmetic: "5 plus"."""

    def find(self) -> Iterator[Chain]:
        for match in _TOKEN.finditer(self.text):
            if self.found:
                yield from self.found
                self.found.clear()
            kind = match.lastindex or _REST
            if kind == _BLANK:
                continue
            if kind == _NEWLINE:
                self.newline(match.end())
                continue
            if kind in (_EQUALS, _NEARLY):
                self.relation(match.start(), approximate=kind == _NEARLY)
            elif kind == _DELIMITER:
                self.delimiter(match)
            elif kind == _ENVIRONMENT:
                self.environment(match)
            elif kind == _OPENING:
                self.content(match)
                self.depth += 1
            elif kind == _CLOSING:
                self.closing(match)
            elif self.depth:
                self.inside(match, kind)
            elif kind == _ROW:
                self.row(match.end())
            elif kind == _ARROW:
                self.flush()
            elif kind == _OTHER:
                if match[0] == "!=" and self.math:
                    self.factorial(match.start())
                    continue
                self.flush()
                self.tainted = True  # a < b + 3 = 5: the clause is no equation
            elif kind == _SEPARATOR:
                if match[0][0] in ",;":
                    self.comma(match)
                elif self.start >= 0 and not self.waiting:
                    self.flush()
            elif kind == _STOP:
                self.stop(match)
            elif kind == _TEXT:
                self.words(match)
            elif kind == _WORD and not self.math:
                self.word(match)
            elif kind == _REST and not self.math:
                self.sign(match)
            else:
                self.content(match)
            self.row_start = False
        self.flush()
        yield from self.found

    # What a side is made of.

    def content(self, match: re.Match[str]) -> None:
        """The token belongs to the side here, or begins one."""
        self.extend(match.start(), match.end())

    def extend(self, start: int, end: int) -> None:
        if self.waiting:
            if self.goes_on(start, end):
                self.waiting = False
                self.joined = True
            else:
                self.flush()
        if self.start < 0:
            self.start = start
            self.bad = self.tainted
            self.tainted = False
        self.end = end
        self.after_word = False

    def goes_on(self, start: int, end: int) -> bool:
        """Does a row that begins with this sign go on with the side of the row before?"""
        sign = self.text[start:end]
        if not self.math or not _BINARY.fullmatch(sign):
            return False
        return sign not in "-−" or self.text[:start][-8:].rstrip(" ").endswith("&")

    def factorial(self, at: int) -> None:
        """`5!=120` in mathematics."""
        self.extend(at, at + 1)
        self.relation(at + 1, approximate=False)

    def comma(self, match: re.Match[str]) -> None:
        behind = self.text[match.end() : match.end() + 3].lstrip()
        if (
            behind[:1].isdigit()
            and match[0] == ","
            and self.start >= 0
            and self.text[match.end()].isdigit()
        ):
            self.content(match)  # 12,34: no thousands, and no list for sure
            self.bad = True
            return
        self.listed = self.listed or (bool(self.math) and behind[:1] not in ("$", "\\", ""))
        self.flush()
        self.listed = bool(self.math)

    def inside(self, match: re.Match[str], kind: int) -> None:
        """Within brackets all is content; words of plain text and rows cannot be read."""
        self.content(match)
        if kind == _ROW or (kind == _WORD and not self.math and not _is_known(match[0])):
            self.bad = True

    def closing(self, match: re.Match[str]) -> None:
        if self.depth:
            self.depth -= 1
            self.content(match)
        else:
            self.flush()

    def side(self) -> Side:
        """End the side here."""
        start, end = self.start, self.end
        bad, joined = self.bad or self.depth > 0, self.joined
        self.start, self.depth = -1, 0
        self.bad = self.joined = self.waiting = False
        if start < 0 or bad:
            return _UNREADABLE
        text = self.text[start:end]
        if joined or "&" in text or "\n" in text or "\\\\" in text or "quad" in text:
            text = _DRESS.sub(" ", text)
        return Side(text, start, end, joined)

    def relation(self, at: int, *, approximate: bool) -> None:
        if self.depth and self.math:
            self.extend(at, at + 1)
            self.bad = True
            return
        if self.depth:  # "(so 3 + x = 7)"
            self.flush()
        leads = self.waiting or (self.row_start and bool(self.links))
        self.sides.append(self.side())
        self.links.append(Link(at, approximate, leads))
        self.tainted = self.after_word = False

    def flush(self) -> None:
        """End the chain."""
        side = self.side()
        if self.links:
            self.sides.append(side)
            self.found.append(Chain(self.sides, self.links, self.listed))
            self.sides, self.links = [], []
        self.tainted = self.after_word = self.listed = False

    # Rows and lines.

    def row(self, end: int) -> None:
        if self.start < 0 or self.waiting:
            self.flush()
        elif _ENDS_IN_OPERATOR.search(self.text, max(self.start, self.end - 12), self.end):
            if self.math:
                self.joined = True
            else:
                self.flush()
                self.tainted = True
        else:
            self.waiting = True
        self.row_start = True

    def newline(self, end: int) -> None:
        if _BLANK_LINE.match(self.text, end):
            self.flush()
            self.math = ""
        elif not self.math:
            self.depth = 0 if self.start < 0 else self.depth
            if self.depth:
                self.flush()
            self.row(end)

    # Mathematics and plain text.

    def delimiter(self, match: re.Match[str]) -> None:
        sign = match[0]
        if self.math:
            if sign == self.math:
                self.flush()
                self.math = ""
                self.after_word = True  # "$x$ + 3 = 5" begins before the plus
            else:
                self.bad = True
        elif sign == "$" and not self.opens(match.end()):
            self.content(match)
            self.bad = True
        elif sign in _CLOSERS:
            self.flush()
            self.math = _CLOSERS[sign]
            # "$(3)$ x $(5) = 15$" begins before the dollar sign
            self.tainted = (
                _UNFINISHED.search(self.text, max(0, match.start() - 4), match.start()) is not None
            )
        else:
            self.flush()

    def opens(self, begin: int) -> bool:
        """Does the dollar sign before `begin` open mathematics?"""
        text = self.text
        end = text.find("$", begin, begin + MAX_SPAN)
        while end > 0 and text[end - 1] == "\\":
            end = text.find("$", end + 1, begin + MAX_SPAN)
        if end <= begin or text[end + 1 : end + 2].isdigit():
            return False
        return text[begin].isspace() == text[end - 1].isspace()

    def environment(self, match: re.Match[str]) -> None:
        begins, aligned = match[9] == "begin", match[10] in _ALIGNED
        if aligned and not self.depth:
            self.flush()
            if begins and not self.math:
                self.math = "end"
            elif not begins and self.math == "end":
                self.math = ""
        elif self.math:
            self.content(match)
            self.bad = True
            self.depth = self.depth + 1 if begins else max(0, self.depth - 1)
        else:
            self.flush()

    def words(self, match: re.Match[str]) -> None:
        r"""`\text{...}`: a word that joins two statements parts them; a unit is content."""
        held = match[12].strip(" ~.,;:").lower().split()
        if held and (held[0] in _JOINERS or len(held) > 3):
            self.flush()
        elif held:
            self.content(match)

    def word(self, match: re.Match[str]) -> None:
        """A word of plain text: a variable or function, or the end of the clause."""
        word = match[0]
        behind = self.text[match.end() : match.end() + 2]
        if len(word) == 1:
            article = word in "aAI" and self.start < 0 and behind[:1] == " "
            if not article or behind[1:] in ("=", "+", "-", "*", "/", "^", ")"):
                self.content(match)
                return
        elif _is_known(word):
            self.content(match)
            return
        elif len(word) <= 3:
            attached = self.start >= 0 and self.end == match.start() and not self.waiting
            if attached or (behind[:1] and behind[:1] in "+-*/^"):
                self.content(match)
                return
        self.flush()
        self.after_word = True
        self.tainted = word.lower() in FUNCTIONS

    def sign(self, match: re.Match[str]) -> None:
        """Any other sign in plain text."""
        sign, text = match[0], self.text
        if sign == "*" and (
            text[match.start() - 1 : match.start()] == "*"
            or text[match.end() : match.end() + 1] == "*"
        ):
            self.bold(match)
        elif sign in "#@—•>" and self.start < 0:
            self.flush()
        elif sign == "|":  # an absolute value, or the border of a table
            self.content(match)
            self.joined = True
        elif self.start < 0 and sign in _OPERATORS:
            if self.row_start and text[match.end() : match.end() + 1] == " ":
                return  # a list mark
            goes_on = self.after_word and not self.is_sign(match)
            self.tainted = self.tainted or goes_on or sign not in "-−–"
            self.content(match)
        else:
            self.content(match)

    def is_sign(self, match: re.Match[str]) -> bool:
        """Does a minus behind a word clearly belong to what follows: "so -x + 4"?"""
        start, end = match.span()
        before = self.text[max(0, start - 3) : start]
        return before[:2].isalpha() and before[2:] == " " and not self.text[end : end + 1].isspace()

    def bold(self, match: re.Match[str]) -> None:
        """`x**2` is a power, `**7**` is bold."""
        text = self.text
        behind = text[match.end() : match.end() + 2].lstrip("*")[:1]
        if self.start >= 0 and self.end == match.start() and (behind.isalnum() or behind == "("):
            self.content(match)
        elif self.start >= 0:
            self.flush()

    def stop(self, match: re.Match[str]) -> None:
        sign = match[0]
        behind = self.text[match.end() : match.end() + 1]
        if sign == ":" and (self.math or (self.start >= 0 and not behind.isspace())):
            self.content(match)  # a ratio or a time of day
            self.bad = True
        elif self.start >= 0 and self.end == match.start() and _RECURS.match(self.text, self.end):
            self.content(match)
        else:
            self.flush()


def _is_known(word: str) -> bool:
    return len(word) == 1 or word in _KNOWN_WORDS
