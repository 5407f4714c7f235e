"""The separation bound is below every difference, and small for small expressions."""

from flint import arb
from hypothesis import assume, given
from hypothesis import strategies as st

from tracefactory.verifiers.maths.algebraic import separation_bits
from tracefactory.verifiers.maths.balls import precision, real_values, spread
from tracefactory.verifiers.maths.exact import Budget
from tracefactory.verifiers.maths.graph import Graph
from tracefactory.verifiers.maths.nodes import Node, call, constant, number


def root(a, k=2):
    return Node("root", (a, number(k)))


def bound_and_difference(a, b):
    graph = Graph(Budget())
    first, second = graph.insert(a), graph.insert(b)
    order = graph.reachable((first, second))
    bound = separation_bits(graph, order, first, second)
    with precision(4096):
        values = real_values(graph, order, {})
        return bound, abs(values[first] - values[second])


POSITIVE = st.recursive(
    st.integers(1, 9).map(number),
    lambda inner: st.one_of(
        st.builds(lambda a, b: Node("add", (a, b)), inner, inner),
        st.builds(lambda a, b: Node("div", (a, b)), inner, inner),
        st.builds(root, inner, st.integers(2, 3)),
    ),
    max_leaves=4,
)


@given(POSITIVE, POSITIVE)
def test_different_numbers_are_at_least_that_far_apart(a, b):
    bound, difference = bound_and_difference(a, b)
    assert bound is not None
    assume(difference > 0)
    assert difference > arb(2) ** -bound


def test_root_sums_that_agree_to_many_digits_are_kept_apart():
    terms = [
        [root(number(10**6 + k)) for k in offsets] for offsets in ((0, 5, 7, 12), (1, 3, 9, 11))
    ]
    bound, difference = bound_and_difference(*(Node("add", tuple(side)) for side in terms))
    assert bound is not None
    assert difference > arb(2) ** -bound


def test_small_expressions_need_few_bits():
    golden = Node("div", (Node("add", (number(1), root(number(5)))), number(4)))
    cosine = call("cos", Node("div", (constant("pi"), number(5))))
    bound, difference = bound_and_difference(golden, cosine)
    assert bound is not None
    assert bound < 100
    assert not difference > 0


def test_transcendental_numbers_have_no_bound():
    assert bound_and_difference(call("ln", number(2)), number(1))[0] is None
    assert bound_and_difference(constant("pi"), number(3))[0] is None


def test_sizes_are_those_of_the_values():
    with precision(64):
        assert spread({0: arb(1), 1: arb(2) ** -900}) in (899, 900)
