"""Answers in words: letters, yes and no, dates, times, numbers, none; and what is not one."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.verifiers.maths import (
    choices,
    counting,
    dates,
    labelled,
    phrases,
    wording,
    words,
)

TABLES = {
    words.plain: [
        (r"\text{Hello  World}.", "hello world"),
        ("**Yes**", "yes"),
        ("“The Cat”", "cat"),
        ("$x$", "x"),
        ("a\u200bb\u00ad", "ab"),
        ("Ｈｅllo", "hello"),
        ("1½", "1½"),
        ("2²", "2²"),
        (r"\frac{11}{2}", r"\frac{11}{2}"),
        ('"yes" or "no"', '"yes" or "no"'),
        ("$5", "$5"),
    ],
    phrases.yes_no: [("Yes.", "yes"), (r"\text{No}", "no"), ("TRUE", "true"), ("yes and no", None)],
    choices.letter_choice: [
        ("B", ("B", "")),
        ("b", ("B", "")),
        ("(b)", ("B", "")),
        (r"\text{(B)}", ("B", "")),
        (r"\textbf{(B)} 24", ("B", "24")),
        (r"\textbf{(B)}24", ("B", "24")),
        (r"\textbf{(B) 24}", ("B", "24")),
        (r"$\textbf{(B)}\ \frac{1}{2}$", ("B", r"\frac{1}{2}")),
        ("B) 12", ("B", "12")),
        ("B: 12", ("B", "12")),
        ("B 24", ("B", "24")),
        ("B.", ("B", "")),
        ("**B**", ("B", "")),
        ("Option B", ("B", "")),
        ("Choice (B)", ("B", "")),
        ("A or B", None),
        ("A:B", None),
        ("AB", None),
        ("B) 12 or C) 13", None),
        ("(A)(B)", None),
        ("(A), (B)", None),
        ("A + B", None),
        ("A dog", None),
        ("f(A)", None),
        ("(1)", None),
        ("(a)(b)", None),
        (r"(a) \cdot (b) 2", None),
    ],
    choices.letter_set: [
        ("A, C", frozenset("AC")),
        ("A and C", frozenset("AC")),
        (r"\text{A,C,F}", frozenset("ACF")),
        ("A, C, and F", frozenset("ACF")),
        ("(a), (c)", frozenset("AC")),
        ("A or C", None),
        ("a, c", None),
        ("A", None),
        ("A, A", None),
    ],
    dates.date: [
        ("2024-02-29", (2024, 2, 29)),
        ("February 29, 2024", (2024, 2, 29)),
        ("29 February 2024", (2024, 2, 29)),
        ("Feb. 29th, 2024", (2024, 2, 29)),
        (r"\text{Thursday, February }29^{\text{th}}", (None, 2, 29)),
        ("2/29/2024", (2024, 2, 29)),
        ("29/2/2024", (2024, 2, 29)),
        ("June 20", (None, 6, 20)),
        ("June 2024", (2024, 6, None)),
        ("3/4/2024", None),
        ("February 30", None),
        ("2023-02-29", None),
        ("31 June", None),
        ("1/2", None),
        ("Monday", None),
    ],
    dates.clock: [
        ("4:30 p.m.", (990, "pm", 0)),
        ("4:30PM", (990, "pm", 0)),
        (r"4:30\,\mathrm{PM}", (990, "pm", 0)),
        ("16:30", (990, "pm", 0)),
        ("16:30:15", (990, "pm", 15)),
        ("4 pm", (960, "pm", 0)),
        (r"9\text{ a.m.}", (540, "am", 0)),
        ("12:00 am", (0, "am", 0)),
        ("12:30", (30, None, 0)),
        ("noon", (720, "pm", 0)),
        ("midnight", (0, "am", 0)),
        ("4 o'clock", (240, None, 0)),
        ("16:30 am", None),
        ("4", None),
        ("4.30", None),
        ("4:60", None),
        ("25:00", None),
    ],
    counting.number_words: [
        ("Twelve.", 12),
        ("twenty-one", 21),
        ("one hundred and five", 105),
        ("a hundred", 100),
        ("nineteen hundred", 1900),
        ("one million and five", 1000005),
        ("one thousand, two hundred", 1200),
        ("negative five", -5),
        ("zero", 0),
        ("one or two", None),
        ("one, two", None),
        ("one and two", None),
        ("one two", None),
        ("twenty eleven", None),
        ("thousand million", None),
        ("five apples", None),
        ("", None),
    ],
    phrases.is_none: [
        ("No Solutions.", "none"),
        (r"\text{no real solutions}", "none"),
        (r"\emptyset", "none"),
        ("∅", "none"),
        ("the empty set", "none"),
        ("DNE", "undefined"),
        ("does not exist", "undefined"),
        ("undefined", "undefined"),
        ("cannot be determined", "undetermined"),
        ("no integer solutions", "none integer"),
        ("no positive integer solution", "none integer positive"),
        ("no such integer exists", "none"),
        ("cannot be determined or otherwise", None),
        ("nobody", None),
        ("5", None),
    ],
    counting.fraction_words: [
        ("one half", (1, 2)),
        ("a half", (1, 2)),
        ("three-quarters", (3, 4)),
        ("two and a half", (5, 2)),
        ("three halves", (3, 2)),
        ("twenty-one hundredths", (21, 100)),
        ("fifth", None),
        ("twenty-fifths", None),
        ("one halves", None),
        ("half of x", None),
        ("half dozen", None),
    ],
    counting.ordinal: [
        ("fifth", 5),
        ("the 5th", 5),
        ("5^{\\text{th}}", 5),
        ("twenty-first", 21),
        ("fortieth", 40),
        ("112th", 112),
        ("a fifth", None),
        ("5st", None),
        ("twenty-eleventh", None),
        ("both", None),
        ("5", None),
    ],
    counting.counted: [
        ("exactly 5", "5"),
        ("5 distinct solutions", "5"),
        ("two solutions", "2"),
        ("five red apples", "5 red apples"),
        ("5", None),
        ("5 apples", None),
        ("at most 5", None),
        ("no solutions", None),
    ],
    phrases.phrases: [
        ("red, blue and green", (False, ("red", "blue", "green"))),
        (r"\text{red}, \text{blue}", (False, ("red", "blue"))),
        (r"\{red, blue\}", (False, ("red", "blue"))),
        ("(red, blue)", (True, ("red", "blue"))),
        ("True, False", (True, ("true", "false"))),
        ("red, red, blue", (True, ("red", "red", "blue"))),
        ("the red house", (False, ("red house",))),
        ("f(a, b)", (False, ("f(a, b)",))),
    ],
    phrases.named_set: [
        ("all real numbers", "reals"),
        (r"\text{the set of all integers}", "integers"),
        ("all real numbers except 0", None),
        ("all numbers", None),
    ],
    labelled.labelled_parts: [
        ("(a) 5 (b) 7", (("a", "5"), ("b", "7"))),
        ("a) 5, and b) -7", (("a", "5"), ("b", "-7"))),
        (r"\textbf{(a)} x,\ \textbf{(b)} y", (("a", "x"), ("b", "y"))),
        ("(i) x^2; (ii) 2x", (("i", "x^2"), ("ii", "2x"))),
        (r"\min = 1, \max = 5", (("min", "1"), ("max", "5"))),
        ("(a) 5", None),
        ("(b) 5 (c) 7", None),
        ("(a)(b)", None),
        ("(a) - 5(b) + 1", None),
        (r"(a) \cdot (b) 2", None),
        ("x = 1, y = 2", None),
        ("alpha = 1, beta = 2", None),
        ("f(a) + f(b)", None),
    ],
    words.without_label: [
        (r"\text{The answer is }5", "5"),
        (r"\text{Answer: 5}", r"\text{5}"),
        ("Final answer: 5", "5"),
        ("answers: 5", "answers: 5"),
        ("Answer: ", "Answer:"),
    ],
    wording.is_word: [
        *((word, True) for word in ["red", "on", "KG", "north-east", "x-axis", "café", "New"]),
        *((run, False) for run in ["x", "xy", "abc", "xyz", "mgh", "x-y", "ab-cd", "sin", "pqr"]),
    ],
}
CASES = [(function, *row) for function, rows in TABLES.items() for row in rows]


@pytest.mark.parametrize(("function", "text", "value"), CASES)
def test_case(function, text, value):
    assert function(text) == value


@given(
    st.lists(
        st.sampled_from(
            [r"\text{", "}", "{", "$", "**", '"', "A", "b", "(", ")", ",", " and ", " or ", "12",
             ":", "30", " ", "pm", ".", "June", "/", "-", "two", "hundred", "\\", "\0", "½", "²"]
        )
    ).map("".join)
    | st.text()
)  # fmt: skip
def test_any_text_is_read_without_an_error(text):
    for function in TABLES:
        function(text)
    phrases.said(text)
    wording.holds_words(text, frozenset("abcxyz"))


@pytest.mark.parametrize(
    ("text", "letters", "holds"),
    [
        ("red, blue", "redblu", True),
        ("x = red", "xred", True),
        ("H2O", "HO", True),
        ("2AB", "AB", False),
        ("P(AB)", "PAB", False),
        ("sin x", "x", False),
        ("5 apples", "", False),
        ("red + blue", "redblu", False),
        ("x = at", "xat", False),
    ],
)
def test_words_are_told_from_products_of_letters(text, letters, holds):
    assert wording.holds_words(text, frozenset(letters)) is holds


def test_one_list_is_said_in_one_way():
    assert phrases.said("the 5th") == phrases.said("fifth") != phrases.said("5")
    assert phrases.said("infinite solutions") == phrases.said("infinitely many")


def test_signs_that_are_numbers_stay_as_they_are():
    assert words.normal_characters("1½ 2² ¾").split() == ["1½", "2²", "¾"]


@given(st.text())
def test_invisible_signs_go(text):
    assert "\u200b" not in words.plain(f"{text}\u200b{text}")


@given(st.dates(datetime.date(1000, 1, 1)))
def test_a_day_is_the_same_in_all_forms(day):
    names = "January February March April May June July August September October November December"
    month = names.split()[day.month - 1]
    for text in (
        day.isoformat(),
        f"{month} {day.day}, {day.year}",
        f"{day.day} {month[:3]} {day.year}",
    ):
        assert dates.date(text) == (day.year, day.month, day.day)


@given(st.integers(0, 23), st.integers(0, 59))
def test_a_time_agrees_with_itself_and_with_one_that_leaves_the_half_open(hour, minute):
    half = "a.m." if hour < 12 else "p.m."
    other = "p.m." if hour < 12 else "a.m."
    twelve = f"{hour % 12 or 12}:{minute:02}"
    full = dates.clock(f"{hour}:{minute:02}")
    assert dates.same_clock(full, dates.clock(f"{twelve} {half}"))
    assert dates.same_clock(dates.clock(twelve), dates.clock(f"{twelve} {other}"))
    assert not dates.same_clock(dates.clock(f"{twelve} {half}"), dates.clock(f"{twelve} {other}"))
    assert not dates.same_clock(full, dates.clock(f"{hour}:{(minute + 1) % 60:02}"))


SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def spoken(number):
    for scale, name in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"),
                        (1000, "thousand"), (100, "hundred")):  # fmt: skip
        if number >= scale:
            rest = number % scale
            joint = " and " if 0 < rest < 100 else " "
            return spoken(number // scale) + f" {name}" + (joint + spoken(rest) if rest else "")
    if number < 20:
        return SMALL[number]
    tens, units = divmod(number, 10)
    return TENS[tens - 2] + (f"-{SMALL[units]}" if units else "")


@given(st.integers(0, 10**15 - 1) | st.integers(0, 2000))
def test_a_number_is_read_back_from_its_words(number):
    assert counting.number_words(spoken(number)) == number
