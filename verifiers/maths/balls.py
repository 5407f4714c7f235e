"""Rigorous values of the operations of a graph at a point, as balls of real or complex numbers.

A ball contains the true value; one that is not finite means "undefined here, or not known to be
defined at this precision". `real_values` is defined only where every operation is real, as in
school; `complex_values` takes principal branches. `cost` says beforehand how long that takes.

Not here: which points, what precision and what an overlap is worth (agreement.py).
"""

import hashlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from threading import RLock

from flint import acb, arb, ctx, fmpq, fmpz

from tracefactory.verifiers.maths.graph import Graph

NAN = arb.nan()
MAX_PRECISION = 32_768


_ONE_AT_A_TIME = RLock()
"""All threads of a process share flint's precision."""


@contextmanager
def precision(bits: int) -> Generator[None]:
    """Work at that many bits within the block; one thread at a time."""
    with _ONE_AT_A_TIME:
        before = ctx.prec
        ctx.prec = bits
        try:
            yield
        finally:
            ctx.prec = before


def weights(graph: Graph, order: Sequence[int]) -> tuple[int, int, int]:
    """How many operations are cheap, elementary functions, and slow ones."""
    elementary = slow = 0
    for vertex in order:
        name, _, payload = graph.ops[vertex]
        if name in _ELEMENTARY:
            elementary += 1
        elif name in ("factorial", "call"):
            if name == "factorial" or payload in _SLOW_CALLS:
                slow += 1
            else:
                elementary += 1
    return len(order) - elementary - slow, elementary, slow


def cost(counts: tuple[int, int, int], bits: int) -> int:
    """What one evaluation costs at a precision, as measured; before it is done."""
    plain, elementary, slow = counts
    return (
        plain * (1_000 + bits * bits // 13_000)
        + elementary * (2_000 + int(0.066 * bits**1.65))
        + slow * (10_000 + bits * bits // 10)
    )


_ELEMENTARY = frozenset(["power", "principal", "root", "exp", "ln", "cospi", "apply"])
_SLOW_CALLS = frozenset(["gamma", "binomial", "double_factorial", "gcd", "lcm"])


def real_values(graph: Graph, order: Sequence[int], point: Mapping[str, arb]) -> dict[int, arb]:
    """The value of every vertex in `order`; not finite where it is undefined or not known."""
    values: dict[int, arb] = {}
    ops = graph.ops
    for vertex in order:
        name, args, payload = ops[vertex]
        if name == "mul" or name == "add":
            total = values[args[0]]
            for arg in args[1:]:
                total = total * values[arg] if name == "mul" else total + values[arg]
        elif name == "rational":
            total = arb(payload)
        elif name == "symbol":
            total = point[str(payload)]
        elif name == "inverse":
            total = 1 / values[args[0]]
        elif name == "pow":
            total = _whole_power(values[args[0]], _whole(payload))
        else:
            total = _REAL[name]([values[arg] for arg in args], payload)
        values[vertex] = total
    return values


def _whole(payload: object) -> int:
    return payload if isinstance(payload, int) else 0


def _whole_power(x: arb, n: int) -> arb:
    if n <= 0 and not (x > 0 or x < 0):
        return NAN
    return x ** fmpz(n) if x.is_finite() else NAN


_HIGH = 1_000_000


def _nth_root(x: arb, index: int) -> arb:
    if index == 2:
        return x.sqrt()
    if index < _HIGH or x.is_zero():
        return x.root(min(index, _HIGH))
    return (x.log() / index).exp()


def _real_root(xs: list[arb], payload: object) -> arb:
    x, index = xs[0], _whole(payload)
    if index % 2 == 0 or x >= 0:
        return _nth_root(x, index)
    if x < 0:
        return -_nth_root(-x, index)
    if not x.is_finite() or index >= _HIGH:
        return NAN
    # Around zero: between the roots of the ends.
    return (-(-x.lower()).nonnegative_part().root(index)).union(
        x.upper().nonnegative_part().root(index)
    )


def _real_principal(xs: list[arb], payload: object) -> arb:
    return _nth_root(xs[0], _whole(payload))


def _real_power(xs: list[arb], payload: object) -> arb:
    base, exponent = xs
    if base > 0:
        return base**exponent
    whole = _exact_integer(exponent)
    if whole is not None and base.is_finite():
        return _whole_power(base, int(whole)) if whole.bit_length() < 64 else NAN
    if base.is_zero() and exponent > 0:
        return arb(0)
    return NAN


def _exact_integer(x: arb) -> fmpz | None:
    return x.unique_fmpz() if x.is_exact() and x.is_integer() and abs(x) < _LARGE else None


_LARGE = arb(2) ** 200


def _pi(xs: list[arb], payload: object) -> arb:
    return arb.pi() * arb(payload)  # type: ignore[arg-type]


def _apply(xs: list[arb], payload: object) -> arb:
    """Some entire function that depends on the name: an example of what f could be."""
    phase, total = arb(0), arb(0)
    for place, x in enumerate(xs):
        seed = hashlib.blake2b(f"{payload}:{place}:{len(xs)}".encode("utf-8", "replace")).digest()
        scale = fmpq(int.from_bytes(seed[:4], "big") + 1, 2**32)
        phase += x * scale + fmpq(int.from_bytes(seed[4:8], "big"), 2**32)
        total += x * x * fmpq(int.from_bytes(seed[8:12], "big") + 1, 2**33)
    return phase.sin() + total + 3


def _real_call(xs: list[arb], payload: object) -> arb:
    if not all(x.is_finite() for x in xs):
        return NAN
    function = _REAL_CALLS.get(str(payload)) if len(xs) == 1 else None
    return function(xs[0]) if function is not None else _several(str(payload), xs)


def _several(name: str, xs: list[arb]) -> arb:
    if name == "max" or name == "min":
        best = xs[0]
        for x in xs[1:]:
            best = best.max(x) if name == "max" else best.min(x)
        return best
    if name == "mod":
        return xs[0] - xs[1] * (xs[0] / xs[1]).floor()
    wholes = [_exact_integer(x) for x in xs]
    if name == "binomial":
        return _binomial(xs, wholes)
    numbers = [n for n in wholes if n is not None]
    if len(numbers) < len(xs) or name not in ("gcd", "lcm"):
        return NAN
    result = fmpz(0) if name == "gcd" else fmpz(1)
    for n in numbers:
        result = result.gcd(n) if name == "gcd" else result.lcm(n)
        if result.bit_length() > 10_000:
            return NAN
    return arb(result)


def _binomial(xs: list[arb], wholes: list[fmpz | None]) -> arb:
    n, k = xs
    whole_n, whole_k = wholes
    if whole_k is not None and whole_k < 0:
        return arb(0)
    if whole_n is not None and whole_k is not None and 0 <= whole_n < whole_k:
        return arb(0)
    if whole_k is not None and whole_k <= 64:
        product = arb(1)
        for step in range(int(whole_k)):
            product = product * (n - step) / (step + 1)
        return product
    return (n + 1).gamma() * (k + 1).rgamma() * (n - k + 1).rgamma()


def _double_factorial(x: arb) -> arb:
    n = _exact_integer(x)
    if n is None or n < -1:
        return NAN
    if n % 2 == 0:
        return arb(2) ** (n // 2) * arb(n // 2 + 1).gamma()
    # n!! = 2^((n+1)/2) Γ(n/2 + 1) / √π
    return arb(2) ** ((n + 1) // 2) * (arb(n) / 2 + 1).gamma() / arb.pi().sqrt()


def _arg(x: arb) -> arb:
    if x > 0:
        return arb(0)
    return arb.pi() if x < 0 else NAN


def _arccot(x: arb) -> arb:
    # Two conventions differ at negative numbers, so there it has no value.
    return arb.pi() / 2 - x.atan() if x >= 0 else NAN


def _sign(x: arb) -> arb:
    if x > 0 or x < 0 or x.is_zero():
        return x.sgn()
    return NAN


def _step(function: Callable[[arb], arb]) -> Callable[[arb], arb]:
    def value(x: arb) -> arb:
        got = function(x)
        return got if got.is_exact() else NAN

    return value


_REAL_CALLS: dict[str, Callable[[arb], arb]] = {
    "abs": abs, "floor": _step(arb.floor), "ceil": _step(arb.ceil), "sign": _sign,
    "re": lambda x: x, "im": lambda x: arb(0), "conjugate": lambda x: x, "arg": _arg,
    "sin": arb.sin, "cos": arb.cos, "arcsin": arb.asin, "arccos": arb.acos, "arctan": arb.atan,
    "arccot": _arccot, "arcsec": lambda x: (1 / x).acos(), "arccsc": lambda x: (1 / x).asin(),
    "sinh": arb.sinh, "cosh": arb.cosh, "tanh": arb.tanh, "arsinh": arb.asinh,
    "arcosh": arb.acosh, "artanh": arb.atanh, "gamma": arb.gamma, "max": lambda x: x,
    "min": lambda x: x, "double_factorial": _double_factorial,
}  # fmt: skip

_REAL: dict[str, Callable[[list[arb], object], arb]] = {
    "i": lambda xs, payload: NAN,
    "pi": _pi,
    "root": _real_root,
    "principal": _real_principal,
    "power": _real_power,
    "exp": lambda xs, payload: xs[0].exp(),
    "ln": lambda xs, payload: xs[0].log(),
    "cospi": lambda xs, payload: arb.cos_pi_fmpq(payload),  # type: ignore[arg-type]
    "factorial": lambda xs, payload: (xs[0] + 1).gamma(),
    "call": _real_call,
    "apply": _apply,
}


def complex_values(
    graph: Graph, order: Sequence[int], point: Mapping[str, arb], *, principal: bool
) -> dict[int, acb]:
    """The same with complex values; `principal` says what (-8)^{1/3} is, else it is nothing."""
    values: dict[int, acb] = {}
    for vertex in order:
        name, args, payload = graph.ops[vertex]
        zs = [values[arg] for arg in args]
        if name == "add" or name == "mul":
            total = zs[0]
            for z in zs[1:]:
                total = total + z if name == "add" else total * z
        elif name == "i":
            total = acb(0, 1)
        elif name == "inverse":
            total = 1 / zs[0]
        elif not all(z.is_finite() for z in zs):
            total = acb(NAN)
        elif name == "pow":
            n = _whole(payload)
            defined = n > 0 or abs(zs[0]) > 0
            total = zs[0] ** fmpz(n) if defined else acb(NAN)
        elif name == "root" or name == "principal":
            total = _complex_root(zs[0], _whole(payload), name, principal)
        elif name == "power":
            total = _complex_power(zs[0], zs[1])
        elif name == "exp":
            total = zs[0].exp()
        elif name == "ln":
            total = zs[0].log()
        elif name == "factorial":
            total = (zs[0] + 1).gamma()
        elif name == "symbol":
            total = acb(point[str(payload)])
        elif name == "call":
            total = _complex_call(str(payload), zs)
        elif all(z.imag.is_zero() for z in zs):
            xs = [z.real for z in zs]
            total = acb(arb(payload) if name == "rational" else _REAL[name](xs, payload))
        else:
            total = acb(NAN)
        values[vertex] = total
    return values


def _complex_root(z: acb, index: int, name: str, principal: bool) -> acb:
    if index == 2:
        return z.sqrt()
    if z.imag.is_zero():
        if z.real >= 0 or (name == "root" and index % 2):
            return acb(_real_root([z.real], index))
        if name == "principal" and not principal:
            return acb(NAN)
    elif z.imag.contains(0) and index % 2 and not z.real > 0:
        return acb(NAN)  # real or not decides which root is meant
    return z.root(index) if index < _HIGH else (z.log() / index).exp()


def _complex_power(base: acb, exponent: acb) -> acb:
    if base.imag.is_zero() and exponent.imag.is_zero():
        real = _real_power([base.real, exponent.real], None)
        if real.is_finite():
            return acb(real)
    return (exponent * base.log()).exp()


def _complex_call(name: str, zs: list[acb]) -> acb:
    z = zs[0]
    if all(z.imag.is_zero() for z in zs):
        real = _real_call([z.real for z in zs], name)
        if real.is_finite() or name not in _ANALYTIC:
            return acb(real)
    if name in ("re", "im", "abs", "conjugate"):
        if name == "conjugate":
            return z.conjugate()
        return acb(abs(z)) if name == "abs" else acb(z.real if name == "re" else z.imag)
    if name == "arg":
        return acb(z.arg()) if abs(z) > 0 else acb(NAN)
    function = _ANALYTIC.get(name)
    return function(z) if function is not None else acb(NAN)


_ANALYTIC: dict[str, Callable[[acb], acb]] = {
    "sin": acb.sin, "cos": acb.cos, "arcsin": acb.asin, "arccos": acb.acos, "arctan": acb.atan,
    "sinh": acb.sinh, "cosh": acb.cosh, "tanh": acb.tanh, "arsinh": acb.asinh,
    "arcosh": acb.acosh, "artanh": acb.atanh, "gamma": acb.gamma,
}  # fmt: skip


def exponent(x: arb) -> int:
    """The binary exponent of the middle of a ball; 0 for 0 and what is not finite."""
    if not x.is_finite():
        return 0
    mantissa, power = x.mid().man_exp()
    return int(power) + mantissa.bit_length() if mantissa else 0


def hidden_size(graph: Graph, order: Sequence[int]) -> int:
    """How far values may be from plainer ones without showing it: 1 + 10^-99, a 10^99th root."""
    longest = roots = 0
    for vertex in order:
        name, _, payload = graph.ops[vertex]
        if isinstance(payload, fmpq):
            longest = max(longest, payload.height_bits())
        elif name in ("root", "principal"):
            roots += _whole(payload).bit_length()
    return max(longest, roots)


def spread(values: Mapping[int, arb] | Mapping[int, acb]) -> int:
    """The largest size of a binary exponent of any value, either way.

    Values that may be zero count with their radius if that is large: what cancelled there may be
    as small as what went in was large.
    """
    widest = 0
    for value in values.values():
        for x in (value,) if isinstance(value, arb) else (value.real, value.imag):
            size = abs(exponent(x))
            if size > widest and (size < 64 or not x.contains(0)):
                widest = size
            if not x.is_exact():
                widest = max(widest, exponent(x.rad()))
    return widest
