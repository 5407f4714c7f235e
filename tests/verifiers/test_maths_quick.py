"""The short cut for plain numbers says what the parser and the tiers say."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.verifiers import symbolic
from tracefactory.verifiers.maths.quick import read_number
from tracefactory.verifiers.symbolic import judge

SIGNS = st.sampled_from(["", "-"])
DIGITS = st.text("0123456789", min_size=1, max_size=4)
WHOLE = st.integers(0, 40).map(str)
DECIMALS = st.builds("{}.{}".format, WHOLE, DIGITS)
GROUPED = st.builds(
    "{}{}{}".format,
    WHOLE,
    st.sampled_from([",", "{,}", ",\\!"]),
    st.from_regex("[0-9]{3}(\\.5)?", fullmatch=True),
)
FRACTIONS = st.builds(
    str.format,
    st.sampled_from(["{}/{}", "\\frac{{{}}}{{{}}}", "\\dfrac{{{}}}{{{}}}"]),
    WHOLE,
    WHOLE,
)
POWERS = st.builds(
    "{}{}".format,
    WHOLE | DECIMALS,
    st.sampled_from(
        [" \\times 10", "\\cdot10", " \\times 10^3", "\\times 10^{-2}", " \\cdot 10^{12}"]
    ),
)
NAMED = st.builds(
    "{}{}{}".format, st.sampled_from("xyaABeiI"), st.sampled_from(["=", " = "]), WHOLE | DECIMALS
)
SIGNED = st.builds("{}{}".format, SIGNS, WHOLE | DECIMALS | GROUPED | FRACTIONS | POWERS)
DRESSED = st.builds(
    str.format, st.sampled_from(["{}", "${}$", "\\text{{{}}}", "\\mathbf{{{}}}"]), SIGNED
)
NUMBERS = DRESSED | NAMED


def near(text):
    """Numbers about as large, and such as round to it or just not."""
    found = read_number(text)
    value = found.top / found.bottom if found else 1.0
    offs = st.sampled_from([0, 0.5, 0.05, 0.049, 0.005, 0.0049, 0.0005])
    shown = st.builds(
        lambda off, sign, places: f"{value + sign * off:.{places}f}",
        offs,
        st.sampled_from([1, -1]),
        st.integers(0, 5),
    )
    return st.tuples(st.just(text), shown | NUMBERS)


@given(NUMBERS.flatmap(near))
def test_the_short_cut_says_what_the_long_way_says(pair):
    reference, answer = pair
    response = f"So it is \\boxed{{{answer}}}."
    short = judge(reference, response)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(symbolic, "read_number", lambda text: None)
        long = judge(reference, response)
    assert (short.status, short.reason, short.final_answer) == (
        long.status,
        long.reason,
        long.final_answer,
    )
    one, other = orjson.loads(short.evidence), orjson.loads(long.evidence)
    for name in ("answer", "reference", "certainty", "rule", "span", "type"):
        assert one[name] == other[name]


@pytest.mark.parametrize(
    "text",
    [
        "", "1,23", "1,2345", "5%", "\\$5", "$5", "5$", "5 m", "1/0", "\\frac{1}{0}", "2^3",
        "e = 5", "i=1", "1 1/2", "1.", "--5", "+5",
        "0.\\overline{3}", "0.3...", "5!", "1010_2", "12:30", "x",
        "\\text{}", "١",
    ],
)  # fmt: skip
def test_what_is_no_plain_number_is_left_to_the_parser(text):
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("text", "top", "bottom"),
    [
        ("-0.50", -50, 100), ("1,234", 1234, 1), ("\\frac{6}{4}", 3, 2), ("x = 7", 7, 1),
        ("-1.5 \\times 10^{3}", -15000, 10), ("$12$", 12, 1),
    ],
)  # fmt: skip
def test_plain_numbers_are_read(text, top, bottom):
    found = read_number(text)
    assert found is not None
    assert (found.top, found.bottom) == (top, bottom)
