r"""Print a tree: as plain text, for evidence, or as LaTeX; both read back as the same meaning.

One plain form does not: the braces of a set of one item are those of a group, `{(2, 3)}`.
Not here: the notation of the original text (spacing, \dfrac, order): printing forgets it.
"""

from collections.abc import Callable

from flint import fmpz

from tracefactory.verifiers.maths.nodes import Node, fraction_of, signs_of

MAX_CHARS = 200
"""Of a normal form in the evidence; longer ones are cut in the middle."""

_LOOSE = {"add": 1, "plusminus": 1, "neg": 1, "mul": 2, "div": 2, "number": 5, "pow": 3}


def short(node: Node) -> str:
    """The plain form, cut to MAX_CHARS."""
    text = plain(node)
    if len(text) <= MAX_CHARS:
        return text
    return f"{text[: MAX_CHARS // 2]} ... {text[-MAX_CHARS // 4 :]} ({len(text)} characters)"


def integer_text(value: int) -> str:
    """The digits; Python itself refuses 4300 of them."""
    if value.bit_length() < 12_000:
        return str(value)
    return str(fmpz(value))


def plain(node: Node) -> str:
    """As a program's user would type it: `2*sqrt(3)/3`."""
    return _print(node, latex=False)


def latex(node: Node) -> str:
    r"""As TeX: `\frac{2 \sqrt{3}}{3}`."""
    return _print(node, latex=True)


def _print(node: Node, *, latex: bool) -> str:
    kind = node.kind
    handler = _KINDS.get(kind)
    if handler is not None:
        return handler(node, latex)
    if kind == "set" and not node.args:
        return "\\emptyset" if latex else "∅"
    opened, closed = _BRACKETS.get(kind, ("(", ")"))
    if latex and opened in "{}":
        opened, closed = "\\" + opened, "\\" + closed
    return opened + ", ".join(_print(part, latex=latex) for part in node.args) + closed


_BRACKETS = {"tuple": ("(", ")"), "set": ("{", "}")}


def _tight(node: Node, latex: bool, level: int) -> str:
    """In brackets, if it binds looser than its surroundings."""
    text = _print(node, latex=latex)
    strength = _LOOSE.get(node.kind, 5)
    if node.kind == "number":
        top, bottom = fraction_of(node)
        strength = 2 if bottom != 1 and not latex else 1 if top < 0 else 5
        if bottom != 1 and level > 2:
            strength = 2
    if node.kind == "degrees" or node.kind == "factorial":
        strength = 3
    return f"({text})" if strength <= level else text


def _number(node: Node, latex: bool) -> str:
    top, bottom = fraction_of(node)
    if bottom == 1:
        return integer_text(top)
    above, below = integer_text(abs(top)), integer_text(bottom)
    sign = "-" if top < 0 else ""
    return f"{sign}\\frac{{{above}}}{{{below}}}" if latex else f"{sign}{above}/{below}"


def _symbol(node: Node, latex: bool) -> str:
    name = str(node.value)
    if not latex:
        return name
    head, _, tail = name.partition("_")
    decoration, _, letters = head.rpartition(" ")
    if decoration:
        head = f"\\{decoration}{{{letters}}}"
    elif len(head.rstrip("'")) > 1:
        head = f"\\{head} "
    return f"{head}_{{{tail}}}" if tail else head


def _constant(node: Node, latex: bool) -> str:
    name = str(node.value)
    if not latex:
        return name
    return {"pi": "\\pi ", "infinity": "\\infty "}.get(name, name)


def _add(node: Node, latex: bool) -> str:
    text = _tight(node.args[0], latex, 0)
    for part in node.args[1:]:
        if part.kind == "neg":
            text += " - " + _tight(part.args[0], latex, 1)
        else:
            text += " + " + _tight(part, latex, 1)
    return text


def _mul(node: Node, latex: bool) -> str:
    sign = " \\cdot " if latex else "*"
    return sign.join(
        _tight(part, latex, 1 if k == 0 and part.kind != "number" else 2)
        for k, part in enumerate(node.args)
    )


def _div(node: Node, latex: bool) -> str:
    if latex:
        return f"\\frac{{{_print(node.args[0], latex=True)}}}{{{_print(node.args[1], latex=True)}}}"
    return f"{_tight(node.args[0], False, 2)}/{_tight(node.args[1], False, 2)}"


def _pow(node: Node, latex: bool) -> str:
    base = _tight(node.args[0], latex, 3)
    if node.args[0].kind in ("call", "root", "apply"):
        base = f"({base})"
    exponent = _print(node.args[1], latex=latex)
    return f"{base}^{{{exponent}}}" if latex else f"{base}^({exponent})"


def _root(node: Node, latex: bool) -> str:
    inner = _print(node.args[0], latex=latex)
    index = fraction_of(node.args[1])[0]
    if index == 2:
        return f"\\sqrt{{{inner}}}" if latex else f"sqrt({inner})"
    return f"\\sqrt[{index}]{{{inner}}}" if latex else f"root({index}, {inner})"


def _call(node: Node, latex: bool) -> str:
    name = str(node.value)
    inside = [_print(part, latex=latex) for part in node.args]
    if name == "double_factorial":
        return f"({inside[0]})!!"
    if name == "mod":
        sign = "\\bmod" if latex else "mod"
        return f"({inside[0]}) {sign} ({inside[1]})"
    if not latex:
        return f"{'binom' if name == 'binomial' else name}({', '.join(inside)})"
    if name == "log" and len(inside) == 2:
        return f"\\log_{{{inside[1]}}}({inside[0]})"
    if name == "binomial":
        return f"\\binom{{{inside[0]}}}{{{inside[1]}}}"
    enclosed = {
        "abs": ("\\left|", "\\right|"),
        "floor": ("\\lfloor ", "\\rfloor "),
        "ceil": ("\\lceil ", "\\rceil "),
        "conjugate": ("\\overline{", "}"),
    }.get(name)
    if enclosed:
        return enclosed[0] + inside[0] + enclosed[1]
    return f"\\operatorname{{{name}}}({', '.join(inside)})"


def _apply(node: Node, latex: bool) -> str:
    return f"{node.value}({', '.join(_print(part, latex=latex) for part in node.args)})"


def _neg(node: Node, latex: bool) -> str:
    return "-" + _tight(node.args[0], latex, 1)


def _plusminus(node: Node, latex: bool) -> str:
    sign = {True: ("\\pm ", "\\mp "), False: ("±", "∓")}[latex][node.value != "+"]
    parts = [_tight(part, latex, 1) for part in node.args]
    return sign + parts[0] if len(parts) == 1 else f"{parts[0]} {sign}{parts[1]}"


def _list(node: Node, latex: bool) -> str:
    sign = " or " if node.value == "or" else ", "
    if latex and node.value == "or":
        sign = " \\text{ or } "
    return sign.join(_print(part, latex=latex) for part in node.args)


def _interval(node: Node, latex: bool) -> str:
    ends = str(node.value)
    low, high = (_print(part, latex=latex) for part in node.args)
    return f"{ends[0]}{low}, {high}{ends[1]}"


def _union(node: Node, latex: bool) -> str:
    signs = {
        "union": ("∪", "\\cup"),
        "intersection": ("∩", "\\cap"),
        "difference": ("∖", "\\setminus"),
    }
    sign = signs[node.kind][latex]
    return f" {sign} ".join(_print(part, latex=latex) for part in node.args)


def _matrix(node: Node, latex: bool) -> str:
    _, columns = fraction_of(node)
    cells = [_print(part, latex=latex) for part in node.args]
    rows = [cells[k : k + columns] for k in range(0, len(cells), columns)]
    if latex:
        body = " \\\\ ".join(" & ".join(row) for row in rows)
        return f"\\begin{{pmatrix}} {body} \\end{{pmatrix}}"
    return "[" + ", ".join(f"[{', '.join(row)}]" for row in rows) + "]"


_SIGNS = {"<=": "\\le", ">=": "\\ge", "!=": "\\ne", "in": "\\in", "~": "\\approx"}


def _relation(node: Node, latex: bool) -> str:
    text = _print(node.args[0], latex=latex)
    for sign, part in zip(signs_of(node), node.args[1:], strict=True):
        shown = _SIGNS.get(sign, sign) if latex else sign
        text += f" {shown} {_print(part, latex=latex)}"
    return text


def _quantity(node: Node, latex: bool) -> str:
    inner, unit = _print(node.args[0], latex=latex), str(node.value)
    if unit in ("$", "€", "£", "¥"):
        return f"\\{unit}{inner}" if latex and unit == "$" else f"{unit}{inner}"
    return f"{inner} \\text{{ {unit}}}" if latex and "\\" not in unit else f"{inner} {unit}"


def _based(node: Node, latex: bool) -> str:
    digits, _, base = str(node.value).partition("_")
    return f"{digits}_{{{base}}}" if latex else str(node.value)


def _behind(sign: str, in_latex: str) -> "_Printer":
    """A printer of what has a sign behind it."""
    return lambda node, latex: _tight(node.args[0], latex, 3) + (in_latex if latex else sign)


def _congruence(node: Node, latex: bool) -> str:
    *sides, modulus = (_print(part, latex=latex) for part in node.args)
    sign = " \\equiv " if latex else " ≡ "
    return sign.join(sides) + (f" \\pmod{{{modulus}}}" if latex else f" (mod {modulus})")


def _approx(node: Node, latex: bool) -> str:
    return ("\\approx " if latex else "≈") + _print(node.args[0], latex=latex)


def _named_set(node: Node, latex: bool) -> str:
    sign, letter = _NAMED_SETS[str(node.value)]
    return f"\\mathbb{{{letter}}}" if latex else sign


_NAMED_SETS = {
    "reals": ("ℝ", "R"), "integers": ("ℤ", "Z"), "naturals": ("ℕ", "N"), "rationals": ("ℚ", "Q"),
    "complexes": ("ℂ", "C"),
}  # fmt: skip
_Printer = Callable[[Node, bool], str]
_KINDS: dict[str, _Printer] = {
    "number": _number, "symbol": _symbol, "constant": _constant, "add": _add, "mul": _mul,
    "div": _div, "pow": _pow, "root": _root, "call": _call, "apply": _apply, "neg": _neg,
    "plusminus": _plusminus, "list": _list, "interval": _interval, "union": _union,
    "intersection": _union, "difference": _union, "matrix": _matrix, "relation": _relation,
    "congruence": _congruence, "quantity": _quantity, "based": _based, "approx": _approx,
    "named_set": _named_set,
    "degrees": _behind("°", "^\\circ"), "percent": _behind("%", "\\%"),
    "factorial": _behind("!", "!"),
    "decimal": lambda node, _: str(node.value),
    "ratio": lambda node, latex: ":".join(_tight(part, latex, 0) for part in node.args),
    "text": lambda node, latex: f"\\text{{{node.value}}}" if latex else str(node.value),
    "compound": lambda node, latex: " ".join(_print(part, latex=latex) for part in node.args),
}  # fmt: skip
