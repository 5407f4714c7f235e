import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from recipe_fakes import problems

from tracefactory.recipe import RecipeError, dump, read_file, read_text
from tracefactory.recipe.source import MAX_BYTES, MAX_DEPTH, MAX_VALUES


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("null", None),
        ("~", None),
        ("''", ""),
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", "017"),
        ("0", 0),
        ("-0.0", 0.0),
        ("1_000", "1_000"),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("1E-2", 0.01),
        ("12:30:00", "12:30:00"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("=", "="),
        ("'7'", "7"),
        ("!!str 7", "7"),
        ("!!float 7", 7.0),
        (str(2**64 - 1), 2**64 - 1),
        (r'"\ud83d\ude00"', "😀"),
        ("", None),
        ("# nothing", None),
        ("{1: a, true: b, null: c, 1.0: d}", {"1": "a", "true": "b", "null": "c", "1.0": "d"}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    read = read_text(text).value
    assert read == value
    assert type(read) is type(value)


def test_every_value_knows_its_line():
    document = read_text(
        "a: 1\n\nb:\n  c:\n    - x\n    -\n      d: y\n  e: |\n    long\n    text\n"
    )
    assert dict(document.positions) == {
        (): 1,
        ("a",): 1,
        ("b",): 3,
        ("b", "c"): 4,
        ("b", "c", 0): 5,
        ("b", "c", 1): 7,
        ("b", "c", 1, "d"): 7,
        ("b", "e"): 8,
    }
    assert document.place(("b", "c", 7, "missing")) == 4
    assert document.place(("z",)) == 1


def test_an_alias_is_a_copy_that_knows_where_it_was_written():
    document = read_text("a: &x\n  n: [1]\nb: *x\n")
    assert document.value == {"a": {"n": [1]}, "b": {"n": [1]}}
    assert document.positions["b",] == 3
    assert document.positions["b", "n"] == 2
    document.value["b"]["n"].append(2)
    assert document.value["a"] == {"n": [1]}


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64) + 1, 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(
        ["1e3", "yes", "<<", "=", "0x1", "- a", "a: b", "#", "null", "\u2028", "\x7f"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(plain)
def test_json_and_our_own_yaml_read_back_as_they_were(value):
    for text in (json.dumps(value), json.dumps(value, indent=2), dump(value)):
        assert read_text(text).value == value


@given(plain)
def test_every_place_is_known_and_its_line_is_in_the_text(value):
    text = dump(value)
    document = read_text(text)

    def places(value, keys):
        yield keys
        if isinstance(value, dict | list):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                yield from places(item, (*keys, key))

    assert set(document.positions) == set(places(value, ()))
    assert all(1 <= line <= len(text.split("\n")) + 1 for line in document.positions.values())


@given(st.text() | st.text("-[]{}:,&*!?|>'\"#%@`ab01\\\n\t <.~"))
def test_any_text_is_data_or_a_recipe_error(text):
    values = []
    lines = problems(lambda: values.append(read_text(text).value))
    assert all(line.startswith("recipe") for line in lines)
    for value in values:
        assert json.loads(json.dumps(value, allow_nan=False)) == value


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 9) + "]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "aliases counted at each use"),
        ("a: &a [*a]", "nested more than"),
        ("a: &a {b: *a}", "nested more than"),
        ("[" * 100_000, "nested too deeply"),
        ("- " * 20_000, "nested too deeply"),
        ("{a: " * 20_000, "nested too deeply"),
        ("[" * MAX_DEPTH + "[]" + "]" * MAX_DEPTH, None),
        ("[" * (MAX_DEPTH + 1) + "[]" + "]" * (MAX_DEPTH + 1), "nested more than"),
        ("x" * (MAX_BYTES + 1), "larger than"),
        ("é" * (MAX_BYTES // 2 + 1), "larger than"),
        ("x" * MAX_BYTES, None),
        ("[" + "1," * (MAX_VALUES + 10) + "]", "more than"),
        ("%YAML 1." + "9" * 5000 + "\n---\na", "not YAML"),
        ("0x" + "f" * 10_000, "64 bits"),
        ("9" * 100_000, "64 bits"),
        ("-18446744073709551616", "64 bits"),
        ("!<" + "x" * 100_000 + "> a", "is not allowed"),
    ],
    ids=lambda text: None if text is None else text[:12],
)
def test_no_text_costs_more_than_its_bounds(text, said):
    start = time.process_time()
    if said is None:
        read_text(text)
    else:
        with pytest.raises(RecipeError, match=said):
            read_text(text)
    assert time.process_time() - start < 30


def test_all_duplicates_and_tags_are_named_at_once():
    with pytest.raises(RecipeError) as caught:
        read_text("a: 1\na: 2\nb: !x 3\nb: 4\n", name="r.yaml")
    assert str(caught.value).splitlines() == [
        "r.yaml:2: a: given twice, first on line 1",
        "r.yaml:3: b: tag '!x' is not allowed; a recipe is plain data",
        "r.yaml:4: b: given twice, first on line 3",
    ]


def test_a_file_is_read_as_utf_8(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_bytes("\ufeffname: é\n".encode())
    document = read_file(path)
    assert document.value == {"name": "é"}
    assert document.folder == tmp_path
    path.write_bytes(b"a: 1\nname: \xe9\n")
    with pytest.raises(RecipeError, match=r"r\.yaml:2: not UTF-8"):
        read_file(path)
    path.write_bytes("é".encode() * MAX_BYTES)
    with pytest.raises(RecipeError, match="larger than"):
        read_file(path)
    for missing in (tmp_path / "none.yaml", tmp_path, Path("a\0b")):
        with pytest.raises(RecipeError, match="cannot be read"):
            read_file(missing)


def test_reading_leaves_pyyaml_itself_alone():
    read_text("yes")
    assert yaml.safe_load("yes") is True
    assert yaml.safe_dump("1e3") == "1e3\n...\n"
