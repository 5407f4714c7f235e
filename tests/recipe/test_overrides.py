import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recipe_fakes import GOOD, problems, resolve

from tracefactory.recipe import (
    RecipeError,
    apply_overrides,
    build_recipe,
    dump,
    load_recipe,
    read_text,
    resolve_paths,
)


def said(*overrides: str) -> list[str]:
    return problems(lambda: load_recipe(GOOD, overrides, resolve=resolve))


@pytest.mark.parametrize(
    ("override", "old", "new"),
    [
        ("seed=8", "seed: 7", "seed: 8"),
        ("stages.problems.families.0.count=50", "count: 2000", "count: 50"),
        ("stages.problems.families.1.count=5", "- name: gcd", "- {name: gcd, count: 5}"),
        ("stages.problems.families.0.split={a: 1, b: 2}", "{ood: 200}", "{a: 1, b: 2}"),
        ("stages.problems.families.0.split.ood=3", "ood: 200", "ood: 3"),
        ("stages.verdicts.also=[]", "also: [steps]", "also: []"),
        ("stages.verdicts.also.0=measures", "also: [steps]", "also: [measures]"),
        ("stages.verdicts.limit=1.5", "also: [steps]", "also: [steps], limit: 1.5"),
        ("stages.verdicts.level= fast ", "also: [steps]", "also: [steps], level: fast"),
        ("stages.attempts.judge=null", "from: problems", "from: problems, judge: null"),
        ("stages.attempts.judge=", "from: problems", "from: problems, judge: null"),
        ("stages.kept.keep=[\"a = 'b'\"]", "status = 'correct'", "a = 'b'"),
        ("stages.kept.keep.0=a = 'b'", "status = 'correct'", "a = 'b'"),
        ("stages.kept.keep.0='a: b'", "status = 'correct'", "'a: b'"),
        ("description=[yes] or no", "seed: 7", "seed: 7\ndescription: '[yes] or no'"),
        (
            "stages.more={use: publish, from: kept}",
            "stages:\n",
            "stages:\n  more: {use: publish, from: kept}\n",
        ),
    ],
)
def test_an_override_equals_editing_the_file(override, old, new):
    assert GOOD.count(old) == 1
    edited = load_recipe(GOOD.replace(old, new), resolve=resolve)
    if override.startswith("description="):
        override = "description='[yes] or no'"
    assert load_recipe(GOOD, [override], resolve=resolve) == edited


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab :=.,", max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.data())
def test_any_value_can_be_set_at_any_place(data):
    root = {"top": data.draw(values), "rest": data.draw(values)}
    keys, here = ["top"], root["top"]
    while isinstance(here, dict | list) and here and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(list(here) if isinstance(here, dict) else range(len(here))))
        keys, here = [*keys, key], here[key]
    if isinstance(here, dict) and data.draw(st.booleans()):
        keys = [*keys, "new"]
    new = data.draw(values)
    text = json.dumps(new)

    document = read_text(dump(root))
    changed = apply_overrides(document, [f"{'.'.join(map(str, keys))}={text}"])

    parent = want = read_text(dump(root)).value
    for key in keys[:-1]:
        parent = parent[key]
    parent[keys[-1]] = new
    assert changed.value == want
    assert document.value == root
    assert str(changed.place((*keys, "below"))).startswith("from --set top")
    assert changed.place(("rest",)) == document.place(("rest",))


@given(st.text("ab.=019 [{:-\n\\\"'&*!#", max_size=20) | st.text(max_size=20))
def test_any_override_is_taken_or_explained(override):
    for text in (override, f"stages.kept.{override}", f"stages.kept.keep={override}"):
        lines = problems(lambda: load_recipe(GOOD, [text], resolve=resolve))  # noqa: B023
        assert all(line.startswith(("from --set ", "recipe:")) for line in lines)


def test_a_wrong_value_is_blamed_on_the_override_not_on_a_line():
    assert said("stages.problems.families.0.count=0") == [
        "from --set stages.problems.families.0.count=0: stages.problems.families.0.count: "
        "should be greater than or equal to 1, found 0"
    ]
    assert said("stages.attempts.teacher={kind: solver, slip: 1}", "stages.kept.keeep=1") == [
        "from --set stages.attempts.teacher={kind: solver, slip: 1}: stages.attempts.teacher.slip: "
        "unknown key; did you mean 'slip_rate'? known keys: kind, slip_rate",
        "from --set stages.kept.keeep=1: stages.kept.keeep: unknown key; did you mean 'keep'? "
        "known keys: use, from, keep, strict",
    ]


def test_bad_places_say_what_was_asked_and_what_there_is_all_at_once():
    assert said(
        "stages.kpt.keep=1",
        "stages.problems.families.2.count=1",
        "stages.problems.families.x=1",
        "stages.problems.use.deep=1",
        "stages.kept",
        "=1",
        "a..b=1",
        "stages.kept.keep=[1",
        "stages.kept.keep=a: 1",
        "stages.kept.keep=- 1",
        "stages.kept.keep=!!python/none 1",
    ) == [
        "from --set stages.kpt.keep=1: stages has no key 'kpt'; the keys are problems, attempts, "
        "verdicts, kept, dataset; did you mean 'kept'?",
        "from --set stages.problems.families.2.count=1: stages.problems.families has no item '2'; "
        "it is a list of 2, numbered from 0",
        "from --set stages.problems.families.x=1: stages.problems.families has no item 'x'; "
        "it is a list of 2, numbered from 0",
        "from --set stages.problems.use.deep=1: stages.problems.use has no 'deep'; "
        'it is "sample" (text)',
        "from --set stages.kept: write a place and a value, as in stages.problems.count=50",
        "from --set =1: write a place and a value, as in stages.problems.count=50",
        "from --set a..b=1: write a place and a value, as in stages.problems.count=50",
        "from --set stages.kept.keep=[1: not YAML: while parsing a flow sequence, "
        "expected ',' or ']', but got '<stream end>'",
        "from --set stages.kept.keep=a: 1: write a mapping as {a: 1}, a list as [1, 2], "
        "or quote the text",
        "from --set stages.kept.keep=- 1: write a mapping as {a: 1}, a list as [1, 2], "
        "or quote the text",
        "from --set stages.kept.keep=!!python/none 1: "
        "tag '!!python/none' does not fit; a recipe is plain data",
    ]


def test_overrides_cannot_nest_deeper_than_a_file():
    deep = [f"a{'.a' * 50 * i}={'{a: ' * 50}1{'}' * 50}" for i in range(3)]
    with pytest.raises(RecipeError, match="nested more than"):
        apply_overrides(read_text("a: 1\n"), deep)


def test_paths_start_at_the_file_or_for_set_at_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = tmp_path / "recipes" / "r.yaml"
    path.write_text(
        "name: path\nseed: 1\nstages:\n"
        "  a: {use: sample, path: data/a.jsonl}\n"
        "  b: {use: sample, path: [x, /y, 'hf://z', '']}\n"
        "  path: {use: generate, from: a, teacher: {kind: vllm, model: path, path: ../w}}\n"
    )

    def paths(*overrides: str):
        stages = load_recipe("../recipes/r.yaml", overrides, resolve=resolve).canonical()["stages"]
        return stages["a"]["path"], stages["b"]["path"], stages["path"]["teacher"]["path"]

    there = str(tmp_path / "here" / ".." / "recipes")
    assert paths() == (
        f"{there}/data/a.jsonl",
        [f"{there}/x", "/y", "hf://z", ""],
        f"{there}/../w",
    )
    assert paths("stages.a.path=b", "stages.b.path.0=c") == (
        str(tmp_path / "here" / "b"),
        [str(tmp_path / "here" / "c"), "/y", "hf://z", ""],
        f"{there}/../w",
    )
    assert paths("stages.path.teacher={kind: vllm, model: m, path: w}")[2] == str(
        tmp_path / "here" / "w"
    )
    built = build_recipe(
        {"name": "a", "seed": 1, "stages": {"s": {"use": "sample", "path": Path("x")}}},
        resolve=resolve,
    )
    assert built.canonical()["stages"]["s"]["path"] == str(tmp_path / "here" / "x")


def test_paths_outside_stages_and_odd_shapes_are_left_alone():
    text = "path: a\nstages: {s: {path: {path: [b, 3]}, q: [{path: c}]}}\n"
    document = resolve_paths(read_text(text, folder=Path("/r")))
    assert document.value == {
        "path": "a",
        "stages": {"s": {"path": {"path": ["b", 3]}, "q": [{"path": "/r/c"}]}},
    }
    assert resolve_paths(read_text("stages")).value == "stages"
