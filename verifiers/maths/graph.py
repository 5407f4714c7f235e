"""Two trees as one graph without repeats, in a few canonical forms.

Every operation is stored once, after the operations it needs, so that evaluating is one loop over
a list, without recursion, and equal subtrees are one vertex. On the way in: rational parts are
computed, rational multiples of π collected, cosines of them reduced to (0, π/2), logarithms of
rationals split into primes, differences and quotients written with products and inverses.

Operations (an Op is a name, the vertices it needs, a payload):

    rational   payload an fmpq                    pi        payload c: the number c π
    symbol     payload the name                   i
    add, mul   any number of vertices             inverse
    pow        payload n, any whole number        power     base, exponent: principal exp(e ln b)
    root       payload k; odd: real of a real     principal payload k: principal k-th root
    exp, ln    natural                            cospi     payload c in (0, 1/2): cos(c π)
    factorial  Γ(x + 1)                           call, apply   payload the name

No rewriting changes where an expression with symbols is defined, or its value there.
"""

from typing import NamedTuple

from flint import fmpq

from tracefactory.verifiers.maths import exact
from tracefactory.verifiers.maths.exact import Budget, Undefined, whole, whole_index
from tracefactory.verifiers.maths.nodes import Node

MAX_VERTICES = 20_000


class Op(NamedTuple):
    """One operation of the graph."""

    name: str
    args: tuple[int, ...] = ()
    payload: fmpq | int | str | None = None


class Unsupported(Exception):
    """A kind that is no scalar, or infinity: these tiers have nothing to say."""


class Graph:
    """The operations of some trees; `insert` adds a tree and says which vertex it is."""

    def __init__(self, budget: Budget) -> None:
        self.ops: list[Op] = []
        self.budget = budget
        self._index: dict[object, int] = {}

    def insert(self, node: Node) -> int:
        """The vertex of a tree.

        Raises:
            Undefined: if it certainly has no value.
            Unsupported: if it is not scalar.
            Spent: if the budget is.
        """
        kind, args, value = node
        if kind == "number":
            return self.rational(exact.leaf(value, self.budget))
        if kind == "symbol" or kind == "apply":
            vertices = tuple(self.insert(arg) for arg in args)
            return self._vertex(Op(kind, vertices, str(value)))
        if kind == "constant":
            return self._constant(value)
        if kind == "root":
            return self.root(self.insert(args[0]), whole_index(node))
        vertices = tuple([self.insert(arg) for arg in args])
        if kind == "add":
            return self.add(vertices)
        if kind == "mul":
            return self.mul(vertices)
        if kind == "neg":
            return self.mul((self.rational(fmpq(-1)), vertices[0]))
        if kind == "div":
            return self.mul((vertices[0], self.inverse(vertices[1])))
        if kind == "pow":
            return self.power(vertices[0], vertices[1])
        if kind == "factorial":
            return self._function(kind, None, vertices)
        if kind == "call":
            return self._call(str(value), vertices)
        raise Unsupported(kind)

    def value(self, vertex: int) -> fmpq | None:
        """The rational number that a vertex is, if it is one."""
        op = self.ops[vertex]
        return op.payload if op.name == "rational" and isinstance(op.payload, fmpq) else None

    def reachable(self, roots: tuple[int, ...]) -> list[int]:
        """The vertices needed for these, in order of evaluation."""
        seen = bytearray(max(roots) + 1)
        for root in roots:
            seen[root] = 1
        for vertex in range(len(seen) - 1, -1, -1):
            if seen[vertex]:
                for arg in self.ops[vertex].args:
                    seen[arg] = 1
        return [vertex for vertex, needed in enumerate(seen) if needed]

    def _vertex(self, op: Op, key: object = None) -> int:
        key = op if key is None else key
        found = self._index.get(key)
        if found is None:
            if len(self.ops) >= MAX_VERTICES:
                raise exact.Spent
            self.budget.charge(1000)
            found = self._index[key] = len(self.ops)
            self.ops.append(op)
        return found

    def rational(self, number: fmpq) -> int:
        """The vertex of a rational number."""
        # Hashing an fmpq makes two ints of it.
        self.budget.charge_number(exact.bits(number), whole=True)
        key = ("rational", int(number.p), int(number.q))
        return self._vertex(Op("rational", (), number), key)

    def pi(self, factor: fmpq) -> int:
        """The vertex of factor times π."""
        if not factor:
            return self.rational(factor)
        return self._vertex(Op("pi", (), factor), ("pi", int(factor.p), int(factor.q)))

    def _factor_of_pi(self, vertex: int) -> fmpq | None:
        op = self.ops[vertex]
        return op.payload if op.name == "pi" and isinstance(op.payload, fmpq) else None

    def _constant(self, value: object) -> int:
        if value == "pi":
            return self.pi(fmpq(1))
        if value == "e":
            return self.exp(self.rational(fmpq(1)))
        if value == "i":
            return self._vertex(Op("i"))
        raise Unsupported(str(value))

    def add(self, vertices: tuple[int, ...]) -> int:
        """A sum: nested ones are opened, rational terms and multiples of π collected."""
        total, turns, rest = fmpq(0), fmpq(0), []
        for vertex in self._opened("add", vertices):
            number, turn = self.value(vertex), self._factor_of_pi(vertex)
            if number is not None:
                total = exact.add(total, number, self.budget)
            elif turn is not None:
                turns = exact.add(turns, turn, self.budget)
            else:
                rest.append(vertex)
        if turns:
            rest.append(self.pi(turns))
        if total or not rest:
            rest.append(self.rational(total))
        return rest[0] if len(rest) == 1 else self._vertex(Op("add", tuple(sorted(rest))))

    def mul(self, vertices: tuple[int, ...]) -> int:
        """A product: nested ones are opened, rational factors collected, also into a π."""
        total, rest, pis = fmpq(1), [], 0
        for vertex in self._opened("mul", vertices):
            number, turn = self.value(vertex), self._factor_of_pi(vertex)
            if number is not None:
                total = exact.mul(total, number, self.budget)
            elif turn is not None:
                total, pis = exact.mul(total, turn, self.budget), pis + 1
            else:
                rest.append(vertex)
        if not total:
            # 0 times what may be undefined stays: only a value makes it 0.
            return self.rational(total) if not rest else self._zero_times(rest)
        if pis:
            rest += [self.pi(fmpq(1))] * (pis - 1) + [self.pi(total)]
        elif total != 1 or not rest:
            rest.append(self.rational(total))
        return rest[0] if len(rest) == 1 else self._vertex(Op("mul", tuple(sorted(rest))))

    def _zero_times(self, rest: list[int]) -> int:
        if all(self._certain(vertex) for vertex in rest):
            return self.rational(fmpq(0))
        return self._vertex(Op("mul", (self.rational(fmpq(0)), *sorted(rest))))

    def _certain(self, vertex: int) -> bool:
        """Is it defined whatever the symbols are? Only the plainest are looked at."""
        name, args, _ = self.ops[vertex]
        if name in ("symbol", "i", "pi", "cospi"):
            return True
        return name in ("root", "exp") and self.value(args[0]) is not None

    def _opened(self, name: str, vertices: tuple[int, ...]) -> list[int]:
        opened: list[int] = []
        for vertex in vertices:
            op = self.ops[vertex]
            opened.extend(op.args if op.name == name else (vertex,))
        if len(opened) > len(vertices):
            self.budget.charge(200 * len(opened))
        return opened

    def inverse(self, vertex: int) -> int:
        """1 / vertex."""
        number = self.value(vertex)
        if number is not None:
            return self.rational(exact.divide(fmpq(1), number, self.budget))
        return self._vertex(Op("inverse", (vertex,)))

    def root(self, vertex: int, index: int) -> int:
        """The real root if the index is odd and the radicand real, else the principal one."""
        number = self.value(vertex)
        if index == 1:
            return vertex
        if number is not None:
            got = exact.root(number, index, self.budget)
            if got is not None:
                return self.rational(got)
            if number == -1:
                return self._vertex(Op("i")) if index == 2 else self._half_turn(fmpq(1, index))
            if number < 0 and index % 2:
                positive = self.root(self.rational(-number), index)
                return self.mul((self.rational(fmpq(-1)), positive))
            if number < 0:
                positive = self.root(self.rational(-number), index)
                return self.mul((positive, self._half_turn(fmpq(1, index))))
        return self._vertex(Op("root", (vertex,), index))

    def _half_turn(self, c: fmpq) -> int:
        """The number exp(i π c)."""
        sine = self.mul((self._vertex(Op("i")), self._cosine(fmpq(1, 2) - c)))
        return self.add((self._cosine(c), sine))

    def power(self, base: int, exponent: int) -> int:
        """base^exponent."""
        number, rational_base = self.value(exponent), self.value(base)
        if number is not None and rational_base is not None:
            got = exact.power(rational_base, number, self.budget)
            if got is not None:
                return self.rational(got)
        if self.ops[base] == Op("exp", (self.rational(fmpq(1)),)):
            return self.exp(exponent)
        if number is None:
            return self._vertex(Op("power", (base, exponent)))
        if whole(number):
            return self._whole_power(base, int(number.p))
        index = int(number.q)
        if index % 2 == 0 or (rational_base is not None and rational_base > 0):
            below = self.root(base, index)
        else:
            below = self._vertex(Op("principal", (base,), index))
        return self._whole_power(below, int(number.p))

    def _whole_power(self, base: int, n: int) -> int:
        if n == 1:
            return base
        name = self.ops[base].name
        if name == "i":
            power = [self.rational(fmpq(1)), base, self.rational(fmpq(-1))]
            return power[n % 4] if n % 4 < 3 else self.mul((power[2], base))
        if n == 0 and name in ("symbol", "pi", "exp"):
            return self.rational(fmpq(1))
        return self._vertex(Op("pow", (base,), n))

    def exp(self, vertex: int) -> int:
        """The exponential; a rational multiple of i π becomes cosine and sine."""
        number = self.value(vertex)
        if number is not None and not number:
            return self.rational(fmpq(1))
        op = self.ops[vertex]
        if op.name == "mul" and len(op.args) == 2:
            names = {self.ops[arg].name: arg for arg in op.args}
            if names.keys() == {"i", "pi"}:
                turn = self._factor_of_pi(names["pi"])
                if turn is not None:
                    return self._half_turn(turn)
        return self._vertex(Op("exp", (vertex,)))

    def _cosine(self, c: fmpq) -> int:
        """cos(c π), c any rational."""
        self.budget.charge_number(exact.bits(c), whole=False)
        c = c - 2 * fmpq((c / 2).floor())
        if c > 1:
            c = 2 - c
        if c > fmpq(1, 2):
            return self.mul((self.rational(fmpq(-1)), self._cosine(1 - c)))
        known = _COSINES.get((int(c.p), int(c.q)))
        if known is None:
            return self._vertex(Op("cospi", (), c), ("cospi", int(c.p), int(c.q)))
        squared, halves = known
        return self.mul((self.rational(fmpq(1, halves)), self.root(self.rational(squared), 2)))

    def ln(self, vertex: int) -> int:
        """The natural logarithm; of rationals into primes as far as those are small."""
        number = self.value(vertex)
        if number is None:
            op = self.ops[vertex]
            if op.name == "exp":
                inner = self.value(op.args[0])
                if inner is not None:
                    return op.args[0]
            if op.name == "root" and isinstance(op.payload, int):
                below = self.value(op.args[0])
                if below is not None and below > 0:
                    return self.mul((self.rational(fmpq(1, op.payload)), self.ln(op.args[0])))
            return self._vertex(Op("ln", (vertex,)))
        if not number:
            raise Undefined
        if number < 0:
            turn = self.mul((self.pi(fmpq(1)), self._vertex(Op("i"))))
            return self.add((turn, self.ln(self.rational(-number))))
        factors = prime_powers(number)
        if factors is None:
            return self._vertex(Op("ln", (vertex,)))
        terms = []
        for prime, exponent in sorted(factors.items()):
            log = self._vertex(Op("ln", (self.rational(fmpq(prime)),)))
            terms.append(self.mul((self.rational(fmpq(exponent)), log)))
        return self.add(tuple(terms)) if terms else self.rational(fmpq(0))

    def _call(self, name: str, args: tuple[int, ...]) -> int:
        first = args[0]
        if name == "exp":
            return self.exp(first)
        if name == "ln" or name == "log":
            values = [self.value(arg) for arg in args]
            if all(v is not None for v in values):
                numbers = [v for v in values if v is not None]
                got = exact.combine("call", name, numbers, self.budget)
                if got is not None:
                    return self.rational(got)
            above = self.ln(first)
            if name == "ln":
                return above
            base = args[1] if len(args) == 2 else self.rational(fmpq(10))
            return self.mul((above, self.inverse(self.ln(base))))
        if name in _RECIPROCALS:
            return self.inverse(self._call(_RECIPROCALS[name], args))
        if name in _QUOTIENTS:
            # Also tanh: beside 1 it would hide how small e^(-2x) is.
            above, below = (self._call(part, args) for part in _QUOTIENTS[name])
            return self.mul((above, self.inverse(below)))
        turn = self._factor_of_pi(first)
        if turn is not None and name == "cos":
            return self._cosine(turn)
        if turn is not None and name == "sin":
            return self._cosine(fmpq(1, 2) - turn)
        if name in ("max", "min"):
            args = tuple(sorted(set(args)))
            if len(args) == 1:
                return args[0]
        if name in ("gcd", "lcm"):
            args = tuple(sorted(args))
        return self._function("call", name, args)

    def _function(self, kind: str, name: str | None, args: tuple[int, ...]) -> int:
        values = [self.value(arg) for arg in args]
        numbers = [v for v in values if v is not None]
        if len(numbers) == len(values):
            got = exact.combine(kind, name, numbers, self.budget)
            if got is not None:
                return self.rational(got)
        return self._vertex(Op(kind, args, name))


_RECIPROCALS = {"sec": "cos", "csc": "sin", "sech": "cosh", "csch": "sinh"}

_QUOTIENTS = {
    "tan": ("sin", "cos"),
    "cot": ("cos", "sin"),
    "tanh": ("sinh", "cosh"),
    "coth": ("cosh", "sinh"),
}

# cos(c π) = √s / h for c = p/q: (p, q) -> (s, h).
_COSINES = {
    (0, 1): (fmpq(1), 1),
    (1, 2): (fmpq(0), 1),
    (1, 3): (fmpq(1), 2),
    (1, 4): (fmpq(2), 2),
    (1, 6): (fmpq(3), 2),
}


def prime_powers(number: fmpq) -> dict[int, int] | None:
    """Of a positive rational, if its primes are below 1000 but for one cofactor below 10^6."""
    if exact.bits(number) > 2_000:
        return None
    factors: dict[int, int] = {}
    for part, sign in ((int(number.p), 1), (int(number.q), -1)):
        left, candidate = part, 2
        while candidate < 1000 and candidate * candidate <= left:
            while left % candidate == 0:
                left //= candidate
                factors[candidate] = factors.get(candidate, 0) + sign
            candidate += 1
        if left >= 1_000_000:
            return None
        if left > 1:
            factors[left] = factors.get(left, 0) + sign
    return factors
