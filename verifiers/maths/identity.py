"""Exact normal forms: quotients of polynomials in unknowns, with the relations that are known.

Whatever is no arithmetic (a symbol, π, √x, sin x, e^x) becomes an unknown, the same one for equal
arguments, and what is known about it a relation: (√x)² = x, i² = -1, sin² = 1 - cos², powers with
the same base multiply. A difference that reduces to 0 is a proof of equality wherever both sides
are defined; one that reduces to another rational number, of inequality. Anything else says
nothing: √2 √3 and √6 are three unknowns.

The growth of every product is estimated before it is computed.
"""

from collections.abc import Sequence
from math import comb

from flint import fmpq, fmpq_mpoly, fmpq_mpoly_ctx

from tracefactory.verifiers.maths.exact import Budget, Undefined
from tracefactory.verifiers.maths.graph import Graph, prime_powers

MAX_TERMS = 1_000
MAX_UNKNOWNS = 24
MAX_COEFFICIENT_BITS = 20_000
MAX_EXPONENT = 1_000_000


class TooBig(Exception):
    """The normal form would be too long to write down."""


class Quotient:
    """A polynomial over another, and a bound for the bits of their coefficients."""

    __slots__ = ("above", "below", "bits")

    def __init__(self, above: fmpq_mpoly, below: fmpq_mpoly, bits: int) -> None:
        if bits > MAX_COEFFICIENT_BITS or len(above) > MAX_TERMS or len(below) > MAX_TERMS:
            raise TooBig
        self.above, self.below, self.bits = above, below, bits


Key = tuple[object, ...]


class NormalForm:
    """The unknowns, their relations, and the arithmetic of quotients in them."""

    def __init__(self, budget: Budget, unknowns: int) -> None:
        if unknowns > MAX_UNKNOWNS:
            raise TooBig
        self.budget = budget
        self.context = fmpq_mpoly_ctx.get([f"t{i}" for i in range(max(unknowns, 1))], "lex")
        self.free = list(self.context.gens())[::-1]
        self.one = self.context.constant(1)
        self.unknowns: dict[Key, tuple[int, Quotient]] = {}
        self.relations: list[tuple[int, Quotient] | None] = []
        self.logarithms: dict[tuple[int, ...], Quotient] = {}

    def unknown(self, *key: object, power: int = 0, value: Quotient | None = None) -> Quotient:
        """The unknown of that key; its power-th power is the value, if there is one."""
        found = self.unknowns.get(key)
        if found is None:
            if not self.free:
                raise TooBig
            self.budget.charge(3_000)
            made = Quotient(self.free.pop(), self.one, 1)
            found = self.unknowns[key] = (len(self.relations), made)
            self.relations.append((power, value) if value is not None else None)
        return found[1]

    def rational(self, number: fmpq) -> Quotient:
        """A rational number."""
        return Quotient(self.context.constant(number), self.one, number.height_bits())

    def add(self, a: Quotient, b: Quotient) -> Quotient:
        """The sum a + b."""
        if a.below == b.below:
            return Quotient(a.above + b.above, a.below, max(a.bits, b.bits) + 1)
        above = self._times(a.above, b.below) + self._times(b.above, a.below)
        return Quotient(above, self._times(a.below, b.below), a.bits + b.bits + 12)

    def mul(self, a: Quotient, b: Quotient) -> Quotient:
        """The product a b."""
        above, below = self._times(a.above, b.above), self._times(a.below, b.below)
        return Quotient(above, below, a.bits + b.bits + 10)

    def _times(self, p: fmpq_mpoly, q: fmpq_mpoly) -> fmpq_mpoly:
        if p.is_one():
            return q
        if q.is_one():
            return p
        work = len(p) * len(q)
        if work > 20 * MAX_TERMS:
            raise TooBig
        self.budget.charge(1_000 + 300 * work)
        return p * q

    def inverse(self, a: Quotient) -> Quotient:
        """1/a.

        Raises:
            Undefined: if a reduces to 0.
        """
        above = self.reduced(a.above)
        if above.is_zero():
            raise Undefined
        return Quotient(a.below, above, 2 * a.bits)

    def power(self, a: Quotient, n: int) -> Quotient:
        """a^n for a whole n; 0^0 is undefined."""
        if n <= 0:
            a, n = self.inverse(a), -n
        if n > MAX_EXPONENT or (n and n * (a.bits + 10) > 50 * MAX_COEFFICIENT_BITS):
            raise TooBig
        for part in (a.above, a.below):
            terms = len(part)
            if terms > 1 and (n > 2_000 or comb(n + min(terms, 6) - 1, n) > MAX_TERMS):
                raise TooBig
        # Of a single term with coefficients of one bit, any power is as small.
        size = n * (a.bits + 4) if a.bits > 1 or len(a.above) * len(a.below) > 1 else 1
        if size > MAX_COEFFICIENT_BITS:
            raise TooBig
        self.budget.charge(20_000 + 100 * size)
        return Quotient(a.above**n, a.below**n, size)

    def reduced(self, p: fmpq_mpoly) -> fmpq_mpoly:
        """By all relations, newest first; up to a factor that is nonzero where all is defined."""
        for place in range(len(self.relations) - 1, -1, -1):
            relation = self.relations[place]
            if relation is not None and not p.is_constant():
                p = self._reduced_by(p, place, *relation)
        return p

    def _reduced_by(self, p: fmpq_mpoly, index: int, power: int, value: Quotient) -> fmpq_mpoly:
        degree = int(p.degrees()[index])
        if degree < power:
            return p
        most = degree // power
        groups: dict[int, dict[tuple[int, ...], fmpq]] = {}
        self.budget.charge(2_000 + 1_000 * len(p))
        for monomial, coefficient in zip(p.monoms(), p.coeffs(), strict=True):
            exponents = [int(e) for e in monomial]
            quotient, exponents[index] = divmod(exponents[index], power)
            groups.setdefault(quotient, {})[tuple(exponents)] = coefficient
        total = self.context.constant(0)
        bound = most * (value.bits + 10)
        if bound > MAX_COEFFICIENT_BITS or most > 200:
            raise TooBig
        for quotient, terms in groups.items():
            part = self.context.from_dict(terms)
            part = self._times(part, self._power(value.above, quotient))
            total += self._times(part, self._power(value.below, most - quotient))
            if len(total) > MAX_TERMS:
                raise TooBig
        return total

    def _power(self, p: fmpq_mpoly, n: int) -> fmpq_mpoly:
        if n == 0 or p.is_one():
            return self.one
        if len(p) > 1 and comb(n + min(len(p), 6) - 1, n) > MAX_TERMS:
            raise TooBig
        self.budget.charge(5_000)
        return p**n

    def key(self, a: Quotient) -> tuple[object, ...]:
        """Equal only for equal quotients, and for most equal ones."""
        above, below = a.above, a.below
        if not below.is_constant() and len(above) * len(below) <= 100:
            common = above.gcd(below) if sum(map(int, above.degrees())) <= 40 else self.one
            above, below = above / common, below / common
        leading = below.leading_coefficient()
        if leading != 1:
            above, below = above / leading, below / leading
        self.budget.charge(2_000 * (len(above) + len(below)) + 20 * a.bits)
        parts: list[object] = []
        for p in (above, below):
            parts.append(tuple(tuple(int(e) for e in monomial) for monomial in p.monoms()))
            parts.append(tuple((int(c.p), int(c.q)) for c in p.coeffs()))
        return tuple(parts)

    def logarithm(self, a: Quotient) -> Quotient:
        """The principal logarithm; of rationals by their primes.

        Raises:
            Undefined: of 0.
        """
        if a.above.is_zero():
            raise Undefined
        if a.above.is_constant() and a.below.is_constant():
            number = a.above.leading_coefficient() / a.below.leading_coefficient()
            factors = prime_powers(abs(number))
            if factors is not None:
                total = self.rational(fmpq(0))
                if number < 0:
                    total = self._unknown_logarithm(self.rational(fmpq(-1)))
                for prime, exponent in sorted(factors.items()):
                    log = self._unknown_logarithm(self.rational(fmpq(prime)))
                    total = self.add(total, self.mul(self.rational(fmpq(exponent)), log))
                return total
        return self._unknown_logarithm(a)

    def _unknown_logarithm(self, a: Quotient) -> Quotient:
        made = self.unknown("ln", self.key(a))
        self.logarithms.setdefault(tuple(int(e) for e in made.above.monoms()[0]), a)
        return made

    def exponential(self, a: Quotient) -> Quotient:
        """e^a, term by term: e^{m + n} = e^m e^n, e^{n ln x} = x^n."""
        above = self.reduced(a.above) if a.below.is_constant() else a.above
        if not a.below.is_constant() or len(above) > 8:
            return self.unknown("exp", self.key(a))
        scale = 1 / a.below.leading_coefficient()
        product = Quotient(self.one, self.one, 1)
        for monomial, coefficient in zip(above.monoms(), above.coeffs(), strict=True):
            c = coefficient * scale
            exponents = tuple(int(e) for e in monomial)
            base = self.logarithms.get(exponents)
            if base is not None and c.q == 1:
                factor = self.power(base, int(c.p))
            else:
                factor = self.power(self._root_of_exponential(exponents, int(c.q)), int(c.p))
            product = self.mul(product, factor)
        return product

    def _root_of_exponential(self, exponents: tuple[int, ...], index: int) -> Quotient:
        base = self.logarithms.get(exponents)
        if base is None:
            base = self.unknown("exp", exponents, 1)
        if index == 1:
            return base
        return self.unknown("exp", exponents, index, power=index, value=base)


# f(-x) = -f(x), and f(-x) = f(x).
_ODD = frozenset(["sin", "arcsin", "arctan", "sinh", "tanh", "arsinh", "artanh", "sign"])
_EVEN = frozenset(["cos", "cosh", "abs"])
_PAIRS = {"sin": "cos", "cos": "sin", "sinh": "cosh", "cosh": "sinh"}


def normal_forms(
    graph: Graph, order: Sequence[int], roots: tuple[int, int], budget: Budget
) -> bool | None:
    """Are the two vertices identical? None if that cannot be told.

    Raises:
        Undefined: if one certainly has no value.
        Spent: if the budget is.
    """
    try:
        # Sines come with their cosines, powers with logarithms and exponentials.
        weights = {"rational": 0, "add": 0, "mul": 0, "inverse": 0, "pow": 0, "symbol": 1, "pi": 1}
        unknowns = sum(weights.get(graph.ops[vertex].name, 3) for vertex in order)
        form = NormalForm(budget, unknowns)
        values: dict[int, Quotient] = {}
        for vertex in order:
            values[vertex] = _value(form, graph, vertex, values)
        first, second = values[roots[0]], values[roots[1]]
        difference = form.add(first, form.mul(second, form.rational(fmpq(-1))))
        above = form.reduced(difference.above)
    except TooBig:
        return None
    if above.is_zero():
        return True
    return False if above.is_constant() else None


def _value(form: NormalForm, graph: Graph, vertex: int, values: dict[int, Quotient]) -> Quotient:
    name, args, payload = graph.ops[vertex]
    xs = [values[arg] for arg in args]
    if name == "add" or name == "mul":
        total = xs[0]
        for x in xs[1:]:
            total = form.add(total, x) if name == "add" else form.mul(total, x)
        return total
    if name == "rational" and isinstance(payload, fmpq):
        return form.rational(payload)
    if name == "inverse":
        return form.inverse(xs[0])
    if name == "pow" and isinstance(payload, int):
        return form.power(xs[0], payload)
    if name == "pi" and isinstance(payload, fmpq):
        return form.mul(form.unknown("pi"), form.rational(payload))
    if name == "i":
        return form.unknown("i", power=2, value=form.rational(fmpq(-1)))
    if name in ("root", "principal") and isinstance(payload, int):
        return form.unknown(name, payload, form.key(xs[0]), power=payload, value=xs[0])
    if name == "exp":
        return form.exponential(xs[0])
    if name == "ln":
        return form.logarithm(xs[0])
    if name == "power":
        if xs[0].above.is_zero():
            raise TooBig  # 0^x is 0 for positive x: no exponential says so
        return form.exponential(form.mul(xs[1], form.logarithm(xs[0])))
    if name == "call" and len(xs) == 1:
        return _function(form, str(payload), xs[0])
    keys = [form.key(x) for x in xs]
    if payload in ("gcd", "lcm", "max", "min"):
        keys.sort(key=hash)
    return form.unknown(name, str(payload), *keys)


def _function(form: NormalForm, name: str, x: Quotient) -> Quotient:
    minus = form.rational(fmpq(-1))
    odd = False
    if (name in _ODD or name in _EVEN) and not x.above.is_zero():
        leading = x.above.leading_coefficient() * x.below.leading_coefficient()
        if leading < 0:
            x, odd = form.mul(x, minus), name in _ODD
    key = form.key(x)
    if name in _PAIRS:
        even = "cosh" if name.endswith("h") else "cos"
        cosine = form.unknown("call", even, key)
        made = cosine
        if name != even:
            # sin² = 1 - cos², sinh² = cosh² - 1
            sign = fmpq(-1) if even == "cos" else fmpq(1)
            square = form.mul(form.rational(sign), form.power(cosine, 2))
            square = form.add(square, form.rational(-sign))
            made = form.unknown("call", name, key, power=2, value=square)
    else:
        made = form.unknown("call", name, key)
    return form.mul(made, minus) if odd else made
