import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracefactory.verifiers import extract
from tracefactory.verifiers.extract import Answer, final_answer, read_options, split_reasoning

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "cases" / "extract.jsonl")
    .read_text("utf-8")
    .splitlines()
]

pieces = st.lists(
    st.sampled_from(
        [
            "\\boxed",
            "\\fbox",
            "{",
            "}",
            "\\{",
            "\\\\",
            " ",
            "\n",
            "7",
            "x",
            "<think>",
            "</think>",
            "####",
            "answer is",
            "Answer:",
            ".",
            "A:",
            "*",
            "**",
            "$",
            "or",
            ",",
            "<answer>",
            "</answer>",
            "<thinking>",
            "</thinking>",
            "# Answer",
            " because ",
            " is not ",
            " is wrong",
            "? No, it is ",
            "(a) ",
            "x = ",
            "<ANSWER>",
            "</ANSWER>",
            " must be ",
            "\\[",
            "\\]",
        ]
    )
).map("".join)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_case(case):
    found = final_answer(case["response"], **case["options"])
    assert (found.text, found.rule) == (case["text"], case["rule"])


@given(pieces | st.text(), st.sampled_from([None, "A:"]))
def test_the_span_holds_the_text(response, answer_after):
    found = final_answer(response, answer_after)
    if found.text is None:
        assert (found.start, found.end) == (-1, -1)
        assert (found.parts, found.hedge, found.joined_by_or) == ((), None, False)
        assert found.labels == ()
    else:
        assert found.parts[-1] == found.text
        assert len(found.labels) in (0, len(found.parts))
        assert found.text == response[found.start : found.end] == found.text.strip(" \t\r\n") != ""


def slow_last_box(text):
    """Every box tried on its own, brace by brace: quadratic, and plainly right."""
    for at in range(len(text) - 1, -1, -1):
        if not text.startswith("\\boxed{", at):
            continue
        depth, i = 1, at + 7
        while i < len(text):
            if text[i] == "\\" and text[i + 1 : i + 2] in ("{", "}", "\\"):
                i += 2
                continue
            depth += {"{": 1, "}": -1}.get(text[i], 0)
            if depth == 0:
                break
            i += 1
        if depth == 0 and text[at + 7 : i].strip():
            return text[at + 7 : i].strip()
    return None


@given(st.lists(st.sampled_from(["\\boxed{", "{", "}", "\\{", "\\}", " ", "7"])).map("".join))
def test_the_last_box_is_the_one_that_a_slow_search_finds(response):
    assert final_answer(response).text == slow_last_box(response)


@given(st.text(alphabet="ab<>/\n", max_size=20), st.text(alphabet="ab\n", max_size=20))
def test_reasoning_and_answer_are_split_at_the_tags(reasoning, answer):
    assert split_reasoning(f"<think>{reasoning}</think>{answer}") == (reasoning, answer)
    assert split_reasoning(f"{reasoning}</think>{answer}") == (reasoning, answer)
    assert split_reasoning(f"<think>{reasoning}") == (reasoning, "")
    assert split_reasoning(answer) == ("", answer)


def test_reasoning_of_several_blocks_runs_from_the_first_tag_to_the_last():
    assert split_reasoning("<think>a</think>b<think>c</think>d") == ("a</think>b<think>c", "d")
    assert split_reasoning("<think>a</think>b<think>c") == ("a</think>b<think>c", "")
    assert split_reasoning("a</think>b<think>c") == ("a</think>b<think>c", "")


@given(pieces)
def test_an_answer_is_never_taken_from_the_reasoning(response):
    found = final_answer(response)
    if found.text is not None:
        assert found.start >= len(response) - len(split_reasoning(response)[1])


# A scan that goes over the text again for each part of it would need hours for these.
@pytest.mark.parametrize(
    "part",
    [
        "{",
        "}",
        "{}",
        "\\boxed",
        "\\boxed{",
        "\\fbox{",
        "\\boxed{}",
        "\\boxed{{}",
        "\\boxed {\\fbox",
        "\\",
        "\\boxed{1},",
        "\\boxed 1 ",
        "<think>",
        "</think>",
        "</thinking>",
        "<answer>",
        "</answer>",
        "<answer></answer>",
        "**",
        "**a**\n",
        "$",
        "answer",
        "Answer\n",
        "####",
        "answer is ",
        "answer: ",
        "A:",
        "\n",
        " ",
        "\nA:",
        ". ",
        "(a) ",
        "? No, ",
        "<ANSWER>",
        "</ANSWER>",
        "is not \\boxed{5} is wrong. ",
        "answer must be $x ",
        "The sum is **",
    ],
)
def test_a_million_characters_are_read_once(part):
    response = part * (1_000_000 // len(part))
    final_answer(response)
    final_answer("\\boxed{" + response)
    final_answer("\\boxed{4}" + response)
    final_answer("<answer>" + response + "</answer>")
    final_answer("The answer is " + response)
    final_answer(response, "A:")
    split_reasoning(response)


def test_a_box_is_found_before_and_behind_a_million_braces():
    for rest in ("{" * 1_000_000, "}" * 1_000_000, "\\boxed{" * 150_000):
        assert final_answer("\\boxed{4}" + rest).text == "4"
        assert final_answer(rest + "\\boxed{4}").text == "4"


BOX_GROUPS = [
    (r"\boxed{2} and \boxed{3}", ("2", "3"), False),
    (r"\boxed{2} or \boxed{3}", ("2", "3"), True),
    (r"\boxed{2}\text{ or }\boxed{3}", ("2", "3"), True),
    (r"\[\boxed{2} \quad \text{or} \quad \boxed{3}\]", ("2", "3"), True),
    (r"$\boxed{1}$, $\boxed{2}$, and $\fbox{3}$.", ("1", "2", "3"), False),
    (r"$x = \boxed{2}$, $y = \boxed{3}$", ("2", "3"), False),
    ("(a) \\boxed{2}\n(b) \\boxed{3}", ("2", "3"), False),
    ("- \\boxed{2}\n- \\boxed{3}", ("2", "3"), False),
    ("1. \\boxed{2}\n2. \\boxed{3}", ("2", "3"), False),
    (r"\boxed{2} \\ \boxed{3}", ("2", "3"), False),
    (r"\boxed{2}, \boxed{2}", ("2",), False),
    (r"\boxed{2}, \boxed{2}, \boxed{3}", ("2", "2", "3"), False),
    (r"\boxed{2} so it is not 2. Again: \boxed{3}", ("3",), False),
    (r"\boxed{2}, no, \boxed{3}", ("3",), False),
    (r"\boxed{\boxed{4}}", ("4",), False),
    (r"\boxed{2} for \boxed{3}", ("3",), False),
    (r"So (a) is \boxed{2} and (b) is \boxed{3}.", ("2", "3"), False),
]


@pytest.mark.parametrize(("response", "parts", "either"), BOX_GROUPS)
def test_boxes_that_stand_together_are_one_answer(response, parts, either):
    found = final_answer(response)
    assert (found.parts, found.joined_by_or) == (parts, either)
    assert found.hedge is None


LABELS = [
    (r"So (a) is \boxed{2} and (b) is \boxed{3}.", ("(a)", "(b)")),
    ("(a) \\boxed{2}\n(b) \\boxed{3}", ("(a)", "(b)")),
    (r"$y=\boxed{5}$ and $x=\boxed{7}$", ("y", "x")),
    # Not all have one of their own.
    (r"$x=\boxed{5}$ and $x=\boxed{7}$", ()),
    (r"$x=\boxed{5}$ or $y=\boxed{7}$", ()),
    (r"$AB=\boxed{5}$, $CD=\boxed{7}$", ()),
    (r"$x_1=\boxed{5}$, $x_2=\boxed{7}$", ()),
    (r"$x=\boxed{5}$ and \boxed{7}", ()),
    (r"$x=\boxed{5}$", ()),
]


@pytest.mark.parametrize(("response", "labels"), LABELS)
def test_the_labels_of_boxes_that_stand_together_are_kept(response, labels):
    assert final_answer(response).labels == labels


HEDGES = [
    (r"\boxed{5} <answer>6</answer>", "6"),
    (r"\boxed{5} <answer>maybe</answer>", "maybe"),
    ("\\boxed{5}\n#### 6\n", "6"),
    ("\\boxed{5}\n\nThe answer is 6.", "6"),
    ("\\boxed{A}\n\nAnswer: B", "B"),
    ("\\boxed{A}\n\nAnswer: A or B", "A or B"),
    ("\\boxed{5}\n\n**6**", "6"),
    ("\\boxed{5}\n\n**x = 6**", "x = 6"),
    ("The answer is 5.\n\n**6**", "6"),
    ("#### 5\n\n**6**", "6"),
    ("<answer>5</answer>\n\n**6**", "6"),
    (r"\boxed{5}? No: it is 6.", "6"),
    (r"\boxed{5}. Wait, no: it is 6.", "6"),
    (r"\boxed{5}? No, that cannot be.", "no"),
    ("The answer is $5$? No, $6$.", "$6$"),
    ("The answer is **5**? No: **6**", "6"),
    # The same again, in other dress.
    ("\\boxed{5}\n\n**$5$**", None),
    ("The answer is 5.\n\n**5**", None),
    (r"\boxed{5}. Can it be 6? No, it is 5.", None),
    ("\\boxed{5}\n#### **5**", None),
    (r"\boxed{5} <answer>$5$</answer>", None),
    (r"\boxed{5}. The answer is $5$.", None),
    (r"<answer>\boxed{5}</answer>", None),
    (r"\boxed{\text{yes}}. Answer: Yes", None),
    # No answers at all.
    ("\\boxed{5}. The answer is correct.", None),
    ("\\boxed{5}\n#### Why 5\nBecause.", None),
    ("\\boxed{5}\n\n**3. Conclusion**", None),
    ("\\boxed{5}\n\n**Done in 3 steps**", None),
    (r"\boxed{5}. Is 7 possible? No, it is not.", None),
    ("\\boxed{5}\n\nThe answer is less than 10, so it fits.", None),
    ("\\boxed{5}\n\nNote that the answer is not 6.", None),
    ("\\boxed{5}\n\nNote that the answer is not 5.", "not 5"),
    ("\\boxed{5}\n\nActually it should be 6.", "6"),
    ("\\boxed{5}\n\nCorrection: 6.", "6"),
    ("\\boxed{5}\n\nWait, 2+3 is it. The answer is 5.", None),
    # Alternatives in the sentence.
    (r"\boxed{5} or 6.", "6"),
    (r"either \boxed{5} or $6$", "$6$"),
    (r"6 or \boxed{5}", "6"),
    (r"\boxed{5} (or maybe 6)", "6)"),
    (r"\boxed{5}, but it could be 6.", "6"),
    (r"\boxed{6}. Alternatively \boxed{5}.", "6"),
    (r"It could be \boxed{6} or it could be \boxed{5}.", "6"),
    (r"half of $10$, or $\boxed{5}$", None),
    (r"$x=\boxed{5}$ or so", None),
    # The formula goes on.
    (r"$x = -\boxed{5}$", r"-\boxed{5}"),
    (r"$2\boxed{5}$", r"2\boxed{5}"),
    (r"$\boxed{5}^2$", r"\boxed{5}^2"),
    (r"$\sqrt{\boxed{5}}$", r"\sqrt{\boxed{5}"),
    (r"$3+\boxed{5}$", r"3+\boxed{5}"),
    (r"\boxed{5},000", r"\boxed{5},000"),
    (r"\boxed{5} million", r"\boxed{5} million"),
    (r"\boxed{5} cm.", r"\boxed{5} cm"),
    (r"$\boxed{5}\text{ cm}$", r"\boxed{5}\text{ cm}"),
    (r"$3+2=\boxed{5}$", None),
    (r"$\boxed{5} = 3+2$", None),
    ("- \\boxed{5}", None),
    (r"Problem 3 - \boxed{5}", None),
    (r"$\boxed{5}^\circ$", None),
    (r"\boxed{5}!", None),
    (r"is\boxed{5}", None),
    (r"\boxed{60} miles per hour", None),
    (r"$\boxed{5}\text{ cm}^2$", None),
    # The choice and what it says.
    ("\\boxed{B}\n\n**24**", None),
    # Before the box.
    (r"Is it 6? No, \boxed{5}", None),
    (r"#### 6, so \boxed{5}", None),
]


@pytest.mark.parametrize(("response", "rival"), HEDGES)
def test_a_later_marker_that_says_something_else_is_a_hedge(response, rival):
    assert final_answer(response).hedge == rival


@given(pieces, st.sampled_from(["7", r"\frac{1}{2}", "", " ", "{", "a}b"]), st.text(max_size=8))
def test_the_short_way_to_one_box_finds_what_the_long_one_does(before, held, behind):
    response = f"{before}\\boxed{{{held}}}{behind}"
    short, long = extract._only_box(response, 0), extract._last_boxes(response, 0)
    assert short is None or short == long


def test_options_are_named_when_they_are_wrong():
    assert read_options('{"answer_after": "A:"}', ("answer_after",)) == {"answer_after": "A:"}
    for text, named in [
        ('{"answer_befor": "A:"}', "answer_befor"),
        ('{"answer_after": 3}', "answer_after"),
        ('{"answer_after": ""}', "answer_after"),
        ("[]", "not a JSON object"),
        ("{", "not JSON"),
    ]:
        with pytest.raises(ValueError, match=named):
            read_options(text, ("answer_after",))


def test_no_answer_has_no_span():
    assert final_answer("") == Answer(None, "nothing_found", -1, -1)
