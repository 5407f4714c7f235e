"""Prove with sympy that two expressions are equal, or that two constants are not.

Runs in the worker that cas.py asks, and may be killed at any moment. "Equal" takes a proof: some
rewriting brings the difference to an exact 0. A rewriting that fails says nothing. "Unequal" is
said of constants only, whose values, each found the same with 256 and with 1024 bits, differ.
Nothing is built whose size is not bounded first, and every question starts from the same seeds and
empty caches, so that its answer does not depend on the questions before it.

Not here: refuting an identity by an example (balls.py does, with certified bounds); the time limit.
"""

import importlib
import itertools
import math
import random
from collections.abc import Callable, Iterator
from typing import Any, cast

from tracefactory.killable import Json

sympy: Any = importlib.import_module("sympy")  # these two ship no types
mpmath: Any = importlib.import_module("mpmath")
evaluate = importlib.import_module("sympy.core.evalf").evalf
clear_cache = importlib.import_module("sympy.core.cache").clear_cache
seed_sympy = importlib.import_module("sympy.core.random").seed

Expr = Any
Value = Any  # of an entry of a program: checked by what it is used for

MAX_BITS = 100_000
"""No number that is built has more bits."""
MAX_EXPONENT = 1_000
"""No expression that is not a number is raised to a higher whole power: it might be expanded."""
MAX_TERMS = 5_000
"""No power is built that expands to more terms."""
MAX_SYMBOLS = 2
"""The signs of more symbols are not tried one by one."""
LOW_BITS, HIGH_BITS = 256, 1024
"""The two precisions at which a value must be the same to be believed."""


class TooLarge(Exception):
    """It was not built: it could have been too large."""


class Unclear(Exception):
    """Nothing can be said about this expression: undefined, or read differently by convention."""


def compare(question: Json) -> Json:
    """Answer what cas.py asks: [equal, limited_by, detail]."""
    random.seed(0)
    seed_sympy(0)  # equals() and others look at random points
    clear_cache()
    asked = cast("dict[str, Any]", question)
    try:
        integers = frozenset(asked["integers"])
        a, b = build(asked["a"], integers), build(asked["b"], integers)
        same, detail = decide(a, b)
    except TooLarge as error:
        return [None, "size", str(error)]
    except Unclear as error:
        return [None, None, str(error)]
    return [same, None, detail]


def decide(a: Expr, b: Expr) -> tuple[bool | None, str]:
    """True with the step that proved it, False, or None."""
    if a == b:
        return True, "same_form"
    difference = a - b
    constant = not difference.free_symbols and not difference.atoms(
        sympy.core.function.AppliedUndef
    )
    if constant and _differ(_value(a), _value(b)):
        return False, "value"
    for name, step in _proofs(a, b, difference, constant):
        if _tried(step) is sympy.S.Zero:
            return True, name
    return None, "no_proof"


# --- proofs ---------------------------------------------------------------------------------------

Step = Callable[[], Expr]


def _proofs(a: Expr, b: Expr, d: Expr, constant: bool) -> Iterator[tuple[str, Step]]:
    """Ways to bring `d`, which is a - b, to 0; those that are quick and often do it first."""
    yield "difference", lambda: d
    yield "expand", d.expand
    if constant:
        yield "sqrtdenest", lambda: sympy.sqrtdenest(d).expand()
        yield "radsimp", lambda: sympy.radsimp(d).expand()
        yield "expand_log", lambda: sympy.expand_log(d, factor=True).expand()
    else:
        yield "cancel", lambda: sympy.cancel(d)
    if d.has(*_TRIGONOMETRIC):
        yield "trigsimp", lambda: sympy.trigsimp(d)
        yield "expand_trig", lambda: sympy.expand_trig(d).expand().trigsimp()
    if d.has(sympy.factorial, sympy.binomial, sympy.gamma, sympy.factorial2):
        yield "gammasimp", lambda: sympy.gammasimp(d)
        yield "combsimp", lambda: sympy.combsimp(d)
    if d.has(sympy.log):
        yield "logcombine", lambda: sympy.logcombine(sympy.expand_log(d).expand())
    yield "powsimp", lambda: sympy.powsimp(sympy.expand_power_base(d).expand())
    yield "exponentials", lambda: d.rewrite(sympy.exp).expand()
    if constant and d.is_algebraic:
        yield "minimal_polynomial", lambda: _zero_if_root_of_x(d)
    if constant and d.has(*_INVERSE):
        yield "tangent", lambda: _zero_if_tangent_is(a, b)
    yield "simplify", lambda: sympy.simplify(d)
    if not constant:
        yield "signs", lambda: _zero_for_all_signs(a, b)
    yield "equals", lambda: sympy.S.Zero if d.equals(0) is True else None


def _tried(step: Step) -> Expr:
    """The result of a step; None when sympy gave up, which it does by any exception."""
    try:
        return step()
    except MemoryError:
        raise
    except Exception:
        return None


def _zero_if_root_of_x(d: Expr) -> Expr:
    x = sympy.Dummy("x")
    return sympy.S.Zero if sympy.minimal_polynomial(d, x) == x else None


def _zero_if_tangent_is(a: Expr, b: Expr) -> Expr:
    """0 if tan(a - b) is and they are less than 1 apart: the tangent has no other root there."""
    left, right = _value(a), _value(b)
    if left is None or right is None or abs(left - right) > 1:
        return None
    tangent = sympy.tan(a - b)
    for _ in range(4):  # sums, then multiples, then what was inside them
        tangent = sympy.expand_trig(tangent)
    return sympy.simplify(tangent)


def _zero_for_all_signs(a: Expr, b: Expr) -> Expr:
    """0 if a and b are equal whether each symbol is positive, negative or 0.

    Signs for which one of them is not a real number do not count, unless i is written in one of
    them, or a power like x^(1/3), which some take for a real number where sympy does not.
    """
    symbols = sorted({*a.free_symbols, *b.free_symbols}, key=str)
    if len(symbols) > MAX_SYMBOLS:
        return None
    strict = any(
        side.has(sympy.I) or any(_is_odd_root(power) for power in side.atoms(sympy.Pow))
        for side in (a, b)
    )
    shown = False
    for signs in itertools.product((1, -1, 0), repeat=len(symbols)):
        sizes = [sympy.Dummy(positive=True, integer=symbol.is_integer) for symbol in symbols]
        places = {
            symbol: sign * size for symbol, sign, size in zip(symbols, signs, sizes, strict=True)
        }
        left, right = a.subs(places), b.subs(places)
        if left.has(*_NO_VALUES) or right.has(*_NO_VALUES):
            continue
        if not strict and (left.is_real is False or right.is_real is False):
            continue
        d = left - right
        if d is not sympy.S.Zero and sympy.simplify(sympy.expand_log(d).expand()) != 0:
            return None
        shown = shown or 0 not in signs
    return sympy.S.Zero if shown else None


def _is_odd_root(power: Expr) -> bool:
    return bool(power.exp.is_Rational and power.exp.q % 2 and power.exp.q > 1)


_TRIGONOMETRIC = (
    sympy.functions.elementary.trigonometric.TrigonometricFunction,
    sympy.functions.elementary.hyperbolic.HyperbolicFunction,
)
_INVERSE = (sympy.functions.elementary.trigonometric.InverseTrigonometricFunction,)


# --- values of constants --------------------------------------------------------------------------


def _value(constant: Expr) -> Expr:
    """Its complex value, the same at both precisions; None if it cannot be had."""
    low, high = _value_with(constant, LOW_BITS), _value_with(constant, HIGH_BITS)
    if low is None or high is None:
        return None
    with mpmath.workprec(HIGH_BITS):
        near = abs(high - low) <= abs(high) * mpmath.mpf(2) ** (32 - LOW_BITS)
    return high if near else None


def _value_with(constant: Expr, bits: int) -> Expr:
    def evaluated() -> Expr:
        real, imaginary, real_bits, imaginary_bits = evaluate(
            constant, bits, {"maxprec": 8 * HIGH_BITS}
        )
        for part, accurate in ((real, real_bits), (imaginary, imaginary_bits)):
            if part is not None and (accurate is None or accurate < bits - 16):
                return None  # too much was cancelled; perhaps it is 0
        with mpmath.workprec(bits):
            zero = mpmath.mpf(0)
            value = mpmath.mpc(
                zero if real is None else mpmath.mpf(real),
                zero if imaginary is None else mpmath.mpf(imaginary),
            )
            return value if mpmath.isfinite(value) else None

    return _tried(evaluated)


def _differ(a: Expr, b: Expr) -> bool:
    """Are two values apart by far more than they may be wrong?"""
    if a is None or b is None:
        return False
    with mpmath.workprec(HIGH_BITS):
        return bool(abs(a - b) > max(abs(a), abs(b)) * mpmath.mpf(2) ** (128 - HIGH_BITS))


def _sign(constant: Expr) -> int | None:
    """-1, 0 or 1 of a real constant; None if it is not real or cannot be had."""
    if constant.is_zero:
        return 0
    value = _value(constant)
    if value is None or value.imag:
        return None
    return 1 if value.real > 0 else -1


# --- trees ----------------------------------------------------------------------------------------


def build(program: list[Any], integers: frozenset[int] = frozenset()) -> Expr:
    """The sympy expression of a tree in postfix order (cas.py says how it is written).

    Raises:
        TooLarge: a number or power in it could be.
        Unclear: it is undefined, or means different things to different people.
    """
    has_i = any(kind == "constant" and value == "i" for kind, _, value in program)
    stack: list[Expr] = []
    for kind, arity, value in program:
        start = len(stack) - arity
        args = stack[start:]
        del stack[start:]
        try:
            made = _made(kind, value, args, integers, has_i)
        except (TooLarge, Unclear, MemoryError):
            raise
        except Exception as error:
            raise Unclear(f"sympy: {type(error).__name__}") from error
        if made in _NO_VALUES:
            raise Unclear("undefined")
        stack.append(made)
    (whole,) = stack
    if whole.has(*_NO_VALUES):
        raise Unclear("undefined")
    return whole


_NO_VALUES = (sympy.nan, sympy.zoo, sympy.oo, -sympy.oo)


Function = Callable[..., Expr]


def _made(
    kind: str,
    value: Value,
    args: list[Expr],
    integers: frozenset[int],
    has_i: bool,
) -> Expr:
    match kind:
        case "number":
            return sympy.Rational(*(_bounded(int(part, 16)) for part in value))
        case "symbol":
            if value in integers:
                return sympy.Symbol(f"n{value}", integer=True)
            return sympy.Symbol(f"x{value}", real=True)
        case "constant" if value in _CONSTANTS:
            return _CONSTANTS[value]
        case "add":
            return sympy.Add(*args)
        case "mul":
            return sympy.Mul(*args)
        case "neg":
            return -args[0]
        case "div":
            return _power(args[1], sympy.Integer(-1)) * args[0]
        case "pow":
            return _power(*args)
        case "root":
            return _root(args[0], args[1], has_i)
        case "factorial":
            return _factorial(args[0])
        case "call" if value in _FUNCTIONS:
            return _FUNCTIONS[value](*args)
        case "apply":
            return sympy.Function(f"f{value}")(*args)
        case _:
            raise Unclear(f"no algebra: {value or kind}")


def _bounded(number: int) -> int:
    if number.bit_length() > MAX_BITS:
        raise TooLarge("number")
    return number


def _bits(expression: Expr) -> int:
    """Bits of all the numbers in an expression."""
    return sum(
        number.p.bit_length() + number.q.bit_length()
        for number in sympy.preorder_traversal(expression)
        if number.is_Rational
    )


def _power(base: Expr, exponent: Expr) -> Expr:
    if base.is_number and (not exponent.is_number or not exponent.is_positive):
        if base.is_zero:  # 1/0 and 0^0, whatever sympy would say
            raise Unclear("undefined")
        if not base.is_Rational and base.is_zero is None and _value(base) is None:
            raise Unclear("denominator may be zero")
    if exponent.is_Rational:
        whole = abs(int(exponent)) + 1
        if base.is_number and _bits(base) * whole > MAX_BITS:
            raise TooLarge("power")
        if not base.is_number and whole > MAX_EXPONENT:
            raise TooLarge("power")
        if base.is_Add and math.comb(whole + len(base.args) - 1, whole) > MAX_TERMS:
            raise TooLarge("power")
    elif _bits(exponent) > MAX_BITS:
        raise TooLarge("power")
    if base.is_number and not exponent.is_integer and base != sympy.E:
        sign = _sign(base)
        rooted = exponent.is_Rational and exponent.q % 2 == 0
        if not rooted and (sign is None or sign < 0):
            raise Unclear("a negative number to a broken power")
    return base**exponent


def _root(radicand: Expr, index: Expr, has_i: bool) -> Expr:
    """The principal root; the odd root of a negative number is negative."""
    exponent = 1 / index
    if index.p % 2 == 0 or radicand.is_nonnegative:
        return radicand**exponent
    if radicand.is_number:
        sign = _sign(radicand)
        if sign is None and (radicand.is_real is not False):
            raise Unclear("a root of who knows what sign")
        return -((-radicand) ** exponent) if sign == -1 else radicand**exponent
    if has_i:
        raise Unclear("a root of something complex")
    return sympy.sign(radicand) * abs(radicand) ** exponent


def _factorial(n: Expr) -> Expr:
    _small(n)
    return sympy.factorial(n)


def _small(n: Expr) -> None:
    """Bound what grows as a factorial: n log2(n) bits."""
    if n.is_number and not n.is_Rational:
        raise Unclear("a factorial of no rational number")
    if n.is_Rational and abs(n) * (int(abs(n)).bit_length() + 1) > MAX_BITS:
        raise TooLarge("factorial")


def _binomial(n: Expr, k: Expr) -> Expr:
    if n.is_Integer and k.is_Integer:
        terms = min(abs(k.p), abs(n.p - k.p))
        if terms * (n.p.bit_length() + 1) > MAX_BITS:
            raise TooLarge("binomial")
        if n.p < 0:
            raise Unclear("a binomial of a negative number")
    elif n.is_Rational:
        _small(n)
    if k.is_Rational and not n.is_Rational and abs(k) > MAX_EXPONENT:
        raise TooLarge("binomial")
    return sympy.binomial(n, k)


def _gamma(x: Expr) -> Expr:
    _small(x)
    return sympy.gamma(x)


def _double_factorial(n: Expr) -> Expr:
    if n.is_number and not (n.is_Integer and n.p >= 0):
        raise Unclear("a double factorial of no natural number")
    _small(n)
    return sympy.factorial2(n)


def _log(x: Expr, base: Expr | None = None) -> Expr:
    base = sympy.Integer(10) if base is None else base
    bottom = sympy.log(base)
    return sympy.log(x) * _power(bottom, sympy.Integer(-1))


def _arccot(x: Expr) -> Expr:
    if not x.is_nonnegative and _sign(x) not in (0, 1):
        raise Unclear("arccot of a negative number")  # -pi/4 to some, 3 pi/4 to others
    return sympy.acot(x)


def _rounded(function: Function, rounding: Function) -> Function:
    """Floor or ceiling; of a constant only if its value leaves no doubt."""

    def of(x: Expr) -> Expr:
        if not x.is_number or x.is_Rational:
            return function(x)
        value = _value(x)
        if value is None or value.imag:
            raise Unclear("rounding of no real number")
        with mpmath.workprec(HIGH_BITS):
            if abs(value) > mpmath.mpf(2) ** (HIGH_BITS // 2):
                raise TooLarge("rounding")
            if abs(value.real - mpmath.nint(value.real)) < mpmath.mpf(2) ** -(HIGH_BITS // 4):
                raise Unclear("rounding of what may be a whole number")
            return sympy.Integer(int(rounding(value.real)))

    return of


def _mod(a: Expr, b: Expr) -> Expr:
    if not (a.is_Rational and b.is_Rational and b > 0):
        raise Unclear("mod of no rational numbers")
    return sympy.Mod(a, b)


def _whole(function: Function) -> Function:
    def of(*args: Expr) -> Expr:
        if not all(arg.is_Integer for arg in args):
            raise Unclear("gcd of no whole numbers")
        made = args[0]
        for arg in args[1:]:
            made = function(made, arg)
        return sympy.Integer(_bounded(int(abs(made))))

    return of


def _inverted(function: Function) -> Function:
    """The reciprocal function, or the inverse one of the reciprocal."""
    return lambda x: function(_power(x, sympy.Integer(-1)))


_CONSTANTS: dict[str, Expr] = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I}

_FUNCTIONS: dict[str, Function] = {
    "abs": sympy.Abs, "sign": sympy.sign,
    "floor": _rounded(sympy.floor, mpmath.floor),
    "ceil": _rounded(sympy.ceiling, mpmath.ceil),
    "re": sympy.re, "im": sympy.im, "conjugate": sympy.conjugate, "arg": sympy.arg,
    "exp": sympy.exp, "ln": sympy.log, "log": _log,
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "cot": sympy.cot, "sec": sympy.sec,
    "csc": sympy.csc,
    "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan, "arccot": _arccot,
    "arcsec": _inverted(sympy.acos), "arccsc": _inverted(sympy.asin),
    "sinh": sympy.sinh, "cosh": sympy.cosh, "tanh": sympy.tanh, "coth": sympy.coth,
    "sech": sympy.sech, "csch": sympy.csch,
    "arsinh": sympy.asinh, "arcosh": sympy.acosh, "artanh": sympy.atanh,
    "binomial": _binomial, "gcd": _whole(sympy.igcd), "lcm": _whole(sympy.ilcm),
    "max": sympy.Max, "min": sympy.Min, "mod": _mod, "gamma": _gamma,
    "double_factorial": _double_factorial,
}  # fmt: skip
