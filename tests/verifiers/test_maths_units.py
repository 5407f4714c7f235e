"""Units: their names, what they convert to, and the words that are none."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.verifiers.maths.units import (
    _table,
    convert,
    is_percent,
    read_unit,
    same_dimension,
    scale_word,
    scaled_unit,
    singular,
)

NAMES = [
    (r"\text{ cm}", "centimeter"),
    (r"\mathrm{cm}^2", "centimeter^2"),
    (r"\text{cm}^{2}", "centimeter^2"),
    (r"\text{ cm}$^2$", "centimeter^2"),
    ("cm²", "centimeter^2"),
    (r"\, \text{km/h}", "kilometer/hour"),
    ("square feet", "foot^2"),
    ("sq. ft.", "foot^2"),
    ("square cm", "centimeter^2"),
    ("meters squared", "meter^2"),
    ("cubic inches", "inch^3"),
    ("inches^2", "inch^2"),
    ("units^2", "unit^2"),
    ("square units", "unit^2"),
    ("cubic units", "unit^3"),
    ("m/s^2", "meter/second^2"),
    ("feet per second squared", "foot/second^2"),
    (r"\frac{\text{m}}{\text{s}}", "meter/second"),
    ("miles an hour", "mile/hour"),
    ("mph", "mile/hour"),
    ("kg·m²/s²", "kilogram·meter^2/second^2"),
    (r"\text{kg} \cdot \text{m}", "kilogram·meter"),
    ("J/(kg·K)", "joule/kilogram·kelvin"),
    (r"\mu\text{m}", "micrometer"),
    ("kilowatt-hours", "kilowatt_hour"),
    (r"\$", "dollar"),
    ("$", "dollar"),
    ("USD", "dollar"),
    (r"\$/hour", "dollar/hour"),
    ("€", "euro"),
    ("°", "degree"),
    (r"^\circ", "degree"),
    (r"^{\circ}", "degree"),
    (r"\degree", "degree"),
    (r"^\circ\text{C}", "celsius"),
    ("degrees Fahrenheit", "fahrenheit"),
    ("K", "kelvin"),
    ("KM", "kilometer"),
    ("years old", "year"),
    ("feet tall", "foot"),
    ("mile(s)", "mile"),
    ("fluid ounces", "fluid_ounce"),
    ("apples", "apple"),
    ("boxes", "box"),
    ("children", "child"),
    ("people", "person"),
    ("ways", "way"),
    ("square tiles", "square tile"),
    ("children tickets", "children ticket"),
    ("dollar bills", "dollar bill"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_a_unit_has_one_name(text, name):
    unit = read_unit(text)
    assert unit is not None
    assert unit.name == name


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "12", "5 apples", "x", "xy", "M", "S", "or", "and", "squared", "percent", "half",
        "quarters", "thousand", "dozen eggs", "more apples", "at least", "apples or oranges",
        "hours and minutes", "degrees of freedom", "pi", r"\pi", "sin", "times", "twelve", "none",
        "am", r"\text{ a.m.}", "m + s", "m = s", "/h", "m/", "m·", "(", "()", "(m", "m)", "cm^",
        "cm^^2", "cm^2^3", "cm^x", "½", "m½", "J/kg K", "m(s)", "kg apples", "units left",
        r"\frac{m}", "apples^2", "cm^0", "one two three four five", "a" * 81, "m/s " * 21,
    ],
)  # fmt: skip
def test_what_may_change_the_number_is_no_unit(text):
    assert read_unit(text) is None


CONVERSIONS = [
    ("5", "m", "cm", "500"),
    ("1", "hour", "minutes", "60"),
    ("36", "km/h", "m/s", "10"),
    ("60", "mph", "feet per second", "88"),
    ("5", r"\$", "cents", "500"),
    ("212", "°F", "°C", "100"),
    ("0", "°C", "K", "27315/100"),
    ("1", "foot", "inches", "12"),
    ("1", "square feet", "square inches", "144"),
    ("1", "L", "cm^3", "1000"),
    ("1", "gallon", "cups", "16"),
    ("2", "years", "months", "24"),
    ("1", "N", "kg m/s^2", "1"),
    ("1", "kWh", "J", "3600000"),
    ("5", "pounds", "£", "5"),
    ("16", "oz", "pounds", "1"),
    ("5", "units", "cm", "5"),
    ("5", "square units", "square inches", "5"),
    ("5", "apples", "red apples", "5"),
    ("20", "degrees", "°C", "20"),
    ("5", "cups of flour", "cups", "5"),
]


@pytest.mark.parametrize(("value", "unit", "to", "expected"), CONVERSIONS)
def test_conversions_are_exact(value, unit, to, expected):
    one, other = read_unit(unit), read_unit(to)
    assert same_dimension(one, other)
    there = convert(Fraction(value).as_integer_ratio(), one, other)
    assert there == Fraction(expected).as_integer_ratio()


@pytest.mark.parametrize(
    ("unit", "to"),
    [
        ("m", "kg"), ("m", "m^2"), ("€", r"\$"), ("£", "kg"), ("lb", "£"), ("days", "years"),
        ("apples", "oranges"), ("red apples", "green apples"), ("apples", "m"),
        ("cups of flour", "cups of sugar"),
        ("square units", "cm"), ("m", "s"), ("units", r"\$"), ("K", "J"),
    ],
)  # fmt: skip
def test_what_measures_something_else_does_not_convert(unit, to):
    one, other = read_unit(unit), read_unit(to)
    assert not same_dimension(one, other)
    assert convert((5, 1), one, other) is None


def test_degrees_and_radians_agree_but_the_caller_knows_pi():
    degree, radian = read_unit(r"^\circ"), read_unit("rad")
    assert same_dimension(degree, radian)
    assert (degree.degrees, radian.degrees) == (1, 0)
    assert convert((180, 1), degree, radian) is None


@given(st.sampled_from(sorted(_table())), st.sampled_from(sorted(_table())), st.fractions())
def test_a_conversion_there_and_back_changes_nothing(unit, to, value):
    one, other = _table()[unit], _table()[to]
    assert same_dimension(one, other) == same_dimension(other, one)
    there = convert(value.as_integer_ratio(), one, other)
    if there is not None:
        assert convert(there, other, one) == value.as_integer_ratio()


@given(
    st.lists(
        st.sampled_from(
            ["cm", "m", "s", "apples", "per", "square", "of", " ", "/", "·", "^2", "^", "²", "(",
             ")", r"\text{", "}", "{", r"\frac", "$", r"\$", "°", r"\circ", "^{-1}", ".", "-",
             "a", "\\", "5"]
        )
    ).map("".join)
    | st.text()
)  # fmt: skip
def test_any_text_is_read_without_an_error(text):
    for function in (read_unit, scaled_unit, scale_word, is_percent, singular):
        function(text)


def test_percent_and_scale_words():
    for text in ("%", r"\%", "percent", r"\text{ percent}", "per cent"):
        assert is_percent(text)
    assert not is_percent("")
    assert not is_percent("percent of")
    assert [scale_word(text) for text in ("dozen", "Million", r"\text{ thousand}", "cm")] == [
        12, 10**6, 1000, None,
    ]  # fmt: skip
    assert scaled_unit("million dollars") == (10**6, read_unit("dollars"))
    assert scaled_unit(r"\text{ hundred thousand}") == (10**5, None)
    assert scaled_unit("million or") is None
