r"""Cut LaTeX and plain mathematics into tokens.

A token is (kind, value, start, end); the place is that in the cleaned text (see `clean`):

    n  a number as written, grouping taken out: "1234.50", "1.5e3"
    q  a recurring decimal, exact: (numerator, denominator)
    l  a run of letters
    t  what `\text{...}` and its like hold, when it is words
    c  a command that is a word of its own: "frac", "sqrt", "sin", "alpha", "begin"
    o  a sign; synonyms are one: "*" for \times, \cdot and ·; "<=" for \le, ≤ and \leqslant

Dress is dropped here: `$`, `\left`, `\,`, `\displaystyle`, `\mathrm{}` of mathematics, colours.

Not here: what the tokens mean (parse.py). Nothing is evaluated, and time is linear.
"""

import re

from flint import fmpz

from tracefactory.verifiers.maths.notation import rewritten
from tracefactory.verifiers.maths.units import read_unit
from tracefactory.verifiers.maths.words import normal_characters

MAX_CHARS = 12_000
"""Of one answer. Real ones have a few hundred."""
MAX_DIGITS = 10_000
"""Of one number."""


Token = tuple[str, str, int, int]
"""(kind, value, start, end); a plain tuple, for speed."""


class Unreadable(Exception):
    """Text that is not mathematics as this parser knows it; args[0] says why, in one word."""


_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₙ", "0123456789+-n", strict=True))
_VULGAR = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5),
    "⅗": (3, 5), "⅘": (4, 5), "⅙": (1, 6), "⅚": (5, 6), "⅐": (1, 7), "⅛": (1, 8), "⅜": (3, 8),
    "⅝": (5, 8), "⅞": (7, 8), "⅑": (1, 9), "⅒": (1, 10),
}  # fmt: skip
_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξρστυφχψωΓΔΘΛΞΠΣΦΨΩϕϵ",
        [
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "zeta",
            "eta",
            "theta",
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
            "rho",
            "sigma",
            "tau",
            "upsilon",
            "phi",
            "chi",
            "psi",
            "omega",
            "Gamma",
            "Delta",
            "Theta",
            "Lambda",
            "Xi",
            "Pi",
            "Sigma",
            "Phi",
            "Psi",
            "Omega",
            "phi",
            "epsilon",
        ],
        strict=True,
    )
)
_SIGNS = {
    **dict.fromkeys("−–‒‑—﹣－", "-"), **dict.fromkeys("×✕", "\\times "),
    **dict.fromkeys("·⋅∙•", "\\cdot "), "÷": "\\div ", "∕": "/", "⁄": "/", "∗": "*",
    "π": "\\pi ", "𝜋": "\\pi ", "∞": "\\infty ", "√": "\\surd ", "∛": "\\cbrt ",
    "≤": "\\le ", "⩽": "\\le ", "≦": "\\le ", "≥": "\\ge ", "⩾": "\\ge ", "≧": "\\ge ",
    "≠": "\\ne ", "≡": "\\equiv ", "≈": "\\approx ", "∪": "\\cup ", "∩": "\\cap ", "∈": "\\in ",
    "∖": "\\setminus ",
    "±": "\\pm ", "∓": "\\mp ", "°": "^\\circ ", "º": "^\\circ ", "∅": "\\emptyset ",
    "⟨": "\\langle ", "⟩": "\\rangle ", "〈": "\\langle ", "〉": "\\rangle ",
    "⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ", "⌉": "\\rceil ",
    "ℝ": "\\mathbb{R}", "ℤ": "\\mathbb{Z}", "ℕ": "\\mathbb{N}", "ℚ": "\\mathbb{Q}",
    "ℂ": "\\mathbb{C}", "′": "'", "’": "'", "‘": "'", "…": "...", "⋯": "...", "∶": ":",
    "ⅈ": "i", "ℯ": "e", "€": "\\euro ", "£": "\\sterling ", "¥": "\\yen ", "¢": "\\cents ",
    "₹": "\\rupee ", "、": ",", "Å": "\\AA ", "µ": "\\mu ", "∣": "|",
    **{name: f"\\{word} " for name, word in _GREEK.items()},
}  # fmt: skip
_TABLE = str.maketrans(_SIGNS)
_LINED = re.compile("(?:[0-9]\u0305)+")
_RAISED = re.compile(f"[{''.join(map(re.escape, _SUPERSCRIPTS))}]+")
_LOWERED = re.compile(f"[{''.join(map(re.escape, _SUBSCRIPTS))}]+")
_VULGARS = re.compile(f"[{''.join(_VULGAR)}]")


def clean(text: str) -> str:
    """One notation for what has several: unicode signs as LaTeX, invisible marks removed."""
    if text.isascii():
        return rewritten(text.replace("\x00", "") if "\x00" in text else text)
    if "\u0305" in text:
        text = _LINED.sub(lambda m: f"\\overline{{{m[0].replace(chr(0x305), '')}}}", text)
    text = normal_characters(text)
    text = _RAISED.sub(lambda m: "^{" + "".join(_SUPERSCRIPTS[c] for c in m[0]) + "}", text)
    text = _LOWERED.sub(lambda m: "_{" + "".join(_SUBSCRIPTS[c] for c in m[0]) + "}", text)
    text = _VULGARS.sub(lambda m: "\\frac{{{}}}{{{}}}".format(*_VULGAR[m[0]]), text)
    return rewritten(text.translate(_TABLE))


_SAME = {
    **dict.fromkeys(("times", "cdot", "ast", "bullet"), "*"),
    "div": "/",
    **dict.fromkeys(("le", "leq", "leqslant", "leqq"), "<="),
    **dict.fromkeys(("ge", "geq", "geqslant", "geqq"), ">="),
    **dict.fromkeys(("ne", "neq"), "!="),
    **dict.fromkeys(("approx", "simeq", "thickapprox", "doteq", "sim"), "~"),
    "lt": "<",
    "gt": ">",
    "colon": ":",
    **dict.fromkeys(("lbrace",), "\\{"),
    **dict.fromkeys(("rbrace",), "\\}"),
    "lbrack": "[",
    "rbrack": "]",
    "lparen": "(",
    "rparen": ")",
    "langle": "<<",
    "rangle": ">>",
    **dict.fromkeys(("vert", "lvert", "rvert", "mid"), "|"),
    **dict.fromkeys(("Vert", "lVert", "rVert"), "||"),
    **dict.fromkeys(("setminus", "backslash", "smallsetminus"), "setminus"),
    "in": "in",
    "cup": "cup",
    "cap": "cap",
    "pm": "pm",
    "mp": "mp",
    "mod": "mod",
    "bmod": "mod",
    "equiv": "equiv",
    "pmod": "pmod",
    "land": "and",
    "wedge": "and",
    "lor": "or",
    "vee": "or",
}
_SYNONYMS = {
    **dict.fromkeys(("dfrac", "tfrac", "cfrac", "nicefrac", "sfrac"), "frac"),
    **dict.fromkeys(("dbinom", "tbinom"), "binom"),
    "varnothing": "emptyset",
    **dict.fromkeys(("degree", "degrees"), "circ"),
    "tg": "tan", "ctg": "cot", "cosec": "csc", "varphi": "phi", "vartheta": "theta",
    "varepsilon": "epsilon", "varrho": "rho", "arctg": "arctan", "lg": "log",
}  # fmt: skip
_SKIPPED = frozenset([
    "left", "right", "middle", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr", "Biggl", "Biggr",
    "big", "Big", "bigg", "Bigg", "bigm", "displaystyle", "textstyle", "scriptstyle", "limits",
    "nolimits", "quad", "qquad", "thinspace", "medspace", "thickspace", "negthinspace", "enspace",
    "hfill", "hline", "centering", "bf", "rm", "it", "strut", "dotsb", "nobreak", "allowbreak",
    "boldmath", "kern", "mathstrut", "tiny", "footnotesize", "small", "normalsize", "large",
    "Large", "LARGE", "huge", "Huge", "ensuremath", "newline",
])  # fmt: skip
_WORDS = frozenset([
    "text", "textbf", "textit", "textrm", "textsf", "texttt", "textnormal", "textup", "mbox",
    "hbox", "mathrm", "mathbf", "mathit", "mathsf", "mathtt", "mathnormal", "bm", "boldsymbol",
    "operatorname", "emph", "underline", "mathop", "mathcal", "mathfrak",
])  # fmt: skip
_STYLES = frozenset(["mathbf", "mathit", "mathsf", "mathtt", "mathnormal", "bm", "boldsymbol"])
"""Of those words the ones that hold mathematics."""
_BOLD = frozenset(["mathbf", "bm", "boldsymbol"])
_UNIT_FONTS = frozenset(["text", "textrm", "mathrm", "mbox", "mathop"])
_UPRIGHT = frozenset([
    "ln", "log", "sin", "cos", "tan", "cot", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh",
    "tanh", "exp", "lcm", "gcd", "cis",
])  # fmt: skip
"""Functions that may stand in roman letters."""
MAX_DRESSES = 40
"""`\\text{}` within `\\text{}`."""
_BOXES = frozenset(["boxed", "fbox"])
_COLOURS = frozenset(["color", "textcolor", "colorbox", "hspace", "vspace"])
"""Their first argument says how it looks."""

_TOKEN = re.compile(
    r"""
    ([0-9]|\.[0-9])                                   # 1 a number starts
  | ([A-Za-z]+)                                       # 2 letters
  | \\([A-Za-z]+)\*?                                  # 3 command
  | ([ \t\r\n]+ | \\[,;:!>/\ ] | ~ | \\\\\[[^\]]*\])  # 4 blank
    # 5 signs that need a look
  | ( \*\* | <= | >= | != | == | \|\| | \.\.\. | \\[{}|%$&\#_] | \\\\ | !! | [()\[\]$"] )
  | ([-+*/^_{}|=<>!,;:'&%\#])                         # 6 signs that do not
    """,
    re.VERBOSE,
)
_GROUPED = re.compile(
    r"(?:[0-9]{1,3}(?:(?:,|\{,\}|,[ ]?\\![ ]?|\\[,!;:]|\\ |,\\,|[ ~])[0-9]{3})+(?![0-9])|[0-9]*)"
    r"(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+(?![0-9A-Za-z]))?"
)
_UNGROUPED = re.compile(
    r"(?:[0-9]{1,3}(?:(?:\{,\}|,[ ]?\\![ ]?|\\,|\\!)[0-9]{3})+(?![0-9])|[0-9]*)"
    r"(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+(?![0-9A-Za-z]))?"
)
_DIGITS = re.compile(r"[0-9]{1,400}(?=[}=+)*^/]|[ ]?$)")
_RECURRING = re.compile(
    r"""
    ([0-9]*)\.([0-9]*)
    (?: \\(?:overline|bar|overbar)\s*(?:\{\s*([0-9]+)\s*\}|([0-9]))
      | \(([0-9]+)\)
      | ((?:\\dot\s*(?:\{\s*[0-9]\s*\}|[0-9])\s*[0-9]*?){1,2}(?![0-9]*\\dot))
      | (\s*(?:\.\.\.|\\l?dots\b|\\cdots\b))
    )
    """,
    re.VERBOSE,
)
_NOT_DIGITS = re.compile(r"[^0-9.eE+-]")
_PERIOD = re.compile(r"([0-9]+?)\1{2,}$|([0-9]{2,}?)\2$")
_NUMERIC_TEXT = re.compile(r"[-+−$\\ ]*[0-9][0-9.,:/ %]*")


def tokens(text: str, grouping: bool = True) -> list[Token]:
    """The tokens of a cleaned text.

    With `grouping`, "1,234" is one number outside brackets; without, it is two and a comma.

    Raises:
        Unreadable: `too_long`, `character` (one that no mathematics has) or `braces`.
    """
    if len(text) > MAX_CHARS:
        raise Unreadable("too_long")
    found: list[Token] = []
    _scan(text, 0, len(text), grouping, found, 0)
    return _unrepeated(found) if any(run in text for run in _MANY) else found


_MANY = ("((((", "{{{{")


def _unrepeated(found: list[Token]) -> list[Token]:
    """Without brackets that hold nothing but another pair: `(((1)))` nests no deeper than `(1)`."""
    opened: list[int] = []
    closing: dict[int, int] = {}
    for at, (kind, value, _, _) in enumerate(found):
        if kind == "o" and value in "({":
            opened.append(at)
        elif kind == "o" and value in ")}":
            if not opened or found[opened[-1]][1] + value not in ("()", "{}"):
                raise Unreadable("brackets")
            closing[opened.pop()] = at
    dropped: set[int] = set()
    for at, end in closing.items():
        if found[at + 1][1] == found[at][1] and closing.get(at + 1) == end - 1:
            dropped |= {at + 1, end - 1}
    return [token for at, token in enumerate(found) if at not in dropped]


def _scan(text: str, at: int, stop: int, grouping: bool, found: list[Token], dresses: int) -> None:
    if dresses > MAX_DRESSES:
        raise Unreadable("too_deep")
    match_at = _TOKEN.match
    brackets = 0
    while at < stop:
        match = match_at(text, at, stop)
        if match is None:
            raise Unreadable("character")
        which = match.lastindex
        start, at = at, match.end()
        if which == 6:
            found.append(("o", text[start], start, at))
        elif which == 5:
            sign = match[0]
            if sign in "([" or sign == "\\{":
                brackets += 1
            elif sign in ")]" or sign == "\\}":
                brackets -= 1
            elif sign == "$":
                if not _currency(text, at, found):
                    continue
                sign = "\\$"
            elif sign == '"':
                continue
            found.append(("o", _SIGN.get(sign, sign), start, at))
        elif which == 1:
            at = _number(text, start, stop, grouping and brackets == 0, found)
        elif which == 2:
            found.append(("o" if match[2] == "mod" else "l", match[2], start, at))
        elif which == 3:
            at = _command(text, match[3], start, at, stop, grouping, found, dresses)
        elif text.startswith("\\\\", start):  # `\\[4pt]`: the end of a row, with some air
            found.append(("o", "\\\\", start, at))
        # else blanks


_SIGN = {"**": "^", "==": "=", "\\%": "%", "\\|": "||", "\\&": "&", "\\_": "_", "\\#": "#"}


def _currency(text: str, at: int, found: list[Token]) -> bool:
    """Is the `$` before `at` money, not the mark of mathematics? `$5` is `$...$` cut at the end."""
    return text.count("$") % 2 == 1 and (not found) and text[at : at + 1].isdigit()


def _command(
    text: str,
    name: str,
    start: int,
    at: int,
    stop: int,
    grouping: bool,
    found: list[Token],
    dresses: int,
) -> int:
    if name in _SKIPPED:
        if name in ("left", "right") and text.startswith(".", at):
            return at + 1
        return at
    if name in _SAME:
        found.append(("o", _SAME[name], start, at))
        return at
    if name in _WORDS:
        return _words(text, name, start, at, stop, grouping, found, dresses)
    if name in _BOXES:
        return at
    if name in _COLOURS:
        begin = _blanks(text, at)
        return _closing(text, begin, stop) if text.startswith("{", begin) else at
    found.append(("c", _SYNONYMS.get(name, name), start, at))
    return at


def _blanks(text: str, at: int) -> int:
    while text.startswith((" ", "\t", "\n"), at):
        at += 1
    return at


def _closing(text: str, opened: int, stop: int) -> int:
    """Behind the brace that closes the one at `opened`."""
    depth = 0
    for at in range(opened, stop):
        if text[at] == "\\":
            continue
        if text[at] == "{" and (at == 0 or text[at - 1] != "\\"):
            depth += 1
        elif text[at] == "}" and text[at - 1] != "\\":
            depth -= 1
            if depth == 0:
                return at + 1
    raise Unreadable("braces")


def _words(
    text: str,
    name: str,
    start: int,
    at: int,
    stop: int,
    grouping: bool,
    found: list[Token],
    dresses: int,
) -> int:
    r"""`\text{...}`: words are one token; numbers, letters and mathematics are read as such."""
    begin = _blanks(text, at)
    if not text.startswith("{", begin):
        return at  # `\bf`, `\mathrm x`: the next token stands for itself
    end = _closing(text, begin, stop)
    held = text[begin + 1 : end - 1]
    bare = held.strip(" .,;:~")
    if not bare:
        if "," in held or ";" in held:
            found.append(("o", ",", start, end))
        return end
    if bare == "mod":
        found.append(("o", bare, start, end))
        return end
    if bare in _UPRIGHT and name in _UNIT_FONTS:
        found.append(("l", bare, start, end))
        return end
    if name in _BOLD and bare in ("i", "j", "k"):  # unit vectors
        found += [("c", "hat", start, end), ("l", bare, start, end)]
        return end
    is_word = bare.replace(" ", "").replace("-", "").replace(".", "").isalpha()
    if name == "operatorname" or (
        len(bare) == 1 and is_word and name[0] in "mb" and name != "mbox"
    ):
        if name == "mathrm" and bare in "mgshNJWVAKLCF":
            found.append(("t", bare, start, end))  # more likely a unit than a variable
        else:
            found.append(("l", bare, start, end))
    elif bare[0].isdigit() and " " in bare and name in _UNIT_FONTS:
        _scan(text, begin + 1, end - 1, grouping, found, dresses + 1)  # \text{5 cm}
    elif name in _UNIT_FONTS and not is_word and _is_measure(bare):
        found.append(("t", bare, start, end))
    elif is_word or not (
        name in _STYLES or "\\" in bare or "$" in bare or _NUMERIC_TEXT.fullmatch(bare)
    ):
        if held.lstrip().startswith((",", ";")):
            found.append(("o", ",", start, begin + 1))
        found.append(("t", bare, start, end))
        if len(bare) > 1 and held.rstrip().endswith((",", ";")):
            found.append(("o", ",", end - 1, end))
    else:
        _scan(text, begin + 1, end - 1, grouping, found, dresses + 1)
    return end


def _is_measure(text: str) -> bool:
    r"""Is it a unit of measurement in several signs: `m\,s^{-1}`, `N\cdot m`, `\mu m`?"""
    unit = read_unit(text) if "\\" in text or "^" in text else None
    return unit is not None and unit.kind != "thing"


def _number(text: str, start: int, stop: int, grouping: bool, found: list[Token]) -> int:
    bare = _DIGITS.match(text, start, stop)
    if bare is not None:  # most numbers are just digits
        found.append(("n", bare[0], start, bare.end()))
        return bare.end()
    match = _RECURRING.match(text, start, stop)
    if match is not None:
        found.append(_recurring(match))
        return match.end()
    plain = (_GROUPED if grouping else _UNGROUPED).match(text, start, stop)
    if plain is None or plain.end() == start:
        raise Unreadable("character")
    digits = plain[0]
    if not digits.isdigit():
        digits = _NOT_DIGITS.sub("", digits)
    if len(digits) > MAX_DIGITS:
        raise Unreadable("too_long")
    found.append(("n", digits, start, plain.end()))
    return plain.end()


def _recurring(match: re.Match[str]) -> Token:
    whole, fixed, bar, bar_digit, bracket, dots, ellipsis = match.groups()
    period = bar or bar_digit or bracket or ""
    if dots:
        # 0.1\dot{2}3\dot{4}: the dots mark the first and the last digit of the period.
        period = "".join(c for c in dots if c.isdigit())
    if ellipsis is not None:
        again = _PERIOD.search(fixed)
        if again is None:
            # 3.14159...: no digits come again, so it is only known to those that are shown.
            return ("n", f"{whole or '0'}.{fixed or '0'}", match.start(), match.end())
        period = again[1] or again[2]
        fixed = fixed[: again.start()]
    if len(match[0]) > 400:
        raise Unreadable("too_long")
    scale, nines = 10 ** len(fixed), 10 ** len(period) - 1
    top = int(whole + fixed or "0") * nines + int(period)
    return ("q", f"{top}/{scale * nines}", match.start(), match.end())


def integer(digits: str) -> int:
    """int() of a text of any length; Python itself refuses 4300 digits."""
    return int(digits) if len(digits) < 4000 else int(fmpz(digits))
