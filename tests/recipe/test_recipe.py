import json
import operator
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)
from recipe_fakes import (
    GOOD,
    STAGES,
    Fake,
    FilterConfig,
    GenerateConfig,
    Solver,
    VerifyConfig,
    problems,
    resolve,
)

import tracefactory.recipe.load as load_module
from tracefactory.recipe import (
    Document,
    Recipe,
    RecipeError,
    Settings,
    StageConfig,
    StageNotFoundError,
    build_recipe,
    dump,
    find_recipe,
    load_recipe,
    read_recipe,
    read_text,
    recipe_schema,
    resolve_stage,
    shipped,
    shipped_stages,
)
from tracefactory.recipe.explain import explain

CASES = Path(__file__).parent.parent / "cases" / "recipes.jsonl"
ROWS = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]


def load(text: str, *overrides: str) -> Recipe:
    return load_recipe(text, overrides, resolve=resolve)


@pytest.mark.parametrize("row", ROWS, ids=[row["title"] for row in ROWS])
def test_a_bad_recipe_is_explained_line_by_line(row):
    with pytest.raises(RecipeError) as caught:
        load(row["text"])
    lines = str(caught.value).splitlines()
    at = [next((i for i, line in enumerate(lines) if part in line), None) for part in row["expect"]]
    assert None not in at, lines
    assert at == sorted(at), lines
    assert all(re.match(r"recipe(:\d+)?: ", line) for line in lines), lines


def test_there_are_enough_cases_and_no_two_alike():
    assert len({row["title"] for row in ROWS}) == len(ROWS) >= 30


def test_a_bad_recipe_says_nothing_beside_the_point():
    with pytest.raises(RecipeError) as caught:
        load(GOOD.replace("keep:", "keeep:"))
    assert str(caught.value).splitlines() == [
        "recipe:11: stages.kept.keep: missing: What a row must satisfy",
        "recipe:14: stages.kept.keeep: unknown key; did you mean 'keep'? "
        "known keys: use, from, keep, strict",
    ]


def test_a_good_recipe_is_typed_and_in_the_order_of_the_file():
    recipe = load(GOOD)
    assert list(recipe.stages) == ["problems", "attempts", "verdicts", "kept", "dataset"]
    attempts = recipe.stages["attempts"]
    assert isinstance(attempts, GenerateConfig)
    assert attempts.teacher == Solver(kind="solver", slip_rate=0.2)
    assert attempts.from_ == ("problems",)
    assert recipe.stages["dataset"].from_ == ("kept",)
    assert pickle.loads(pickle.dumps(recipe)) == recipe


def test_order_follows_the_rows_and_else_the_file():
    recipe = load(
        "name: a\nseed: 1\nstages:\n"
        "  z: {use: verify, from: [y, x]}\n"
        "  y: {use: verify, from: b}\n"
        "  x: {use: verify, from: a}\n"
        "  b: {use: sample}\n"
        "  a: {use: sample}\n"
    )
    assert recipe.order() == ("b", "y", "a", "x", "z")
    assert recipe.readers("a") == ("x",)
    assert recipe.downstream("a") == ("x", "z")
    assert recipe.upstream("z") == ("b", "y", "a", "x")
    assert recipe.upstream("a") == recipe.downstream("z") == ()
    with pytest.raises(KeyError):
        recipe.downstream("nowhere")


@given(st.lists(st.sets(st.integers(0, 7)), max_size=8))
def test_order_puts_every_stage_after_what_it_reads(edges):
    stages = {
        f"s{i}": {"use": "verify", "from": ["s", *[f"s{j}" for j in sorted(below) if j < i]]}
        for i, below in enumerate(edges)
    }
    recipe = build_recipe(
        {
            "name": "a",
            "seed": 1,
            "stages": {**dict(reversed(stages.items())), "s": {"use": "sample"}},
        },
        resolve=resolve,
    )
    order = recipe.order()
    assert sorted(order) == sorted(recipe.stages)
    for name, config in recipe.stages.items():
        assert all(order.index(source) < order.index(name) for source in config.from_)
        assert all(name in recipe.downstream(above) for above in recipe.upstream(name))


def test_the_same_recipe_from_yaml_python_and_typed_python_has_one_digest():
    plain = read_text(GOOD).value
    assert isinstance(plain, dict)
    typed = {
        **plain,
        "stages": {
            **plain["stages"],
            **{
                "attempts": GenerateConfig(
                    use="generate",
                    from_=("problems",),
                    teacher=Solver(kind="solver", slip_rate=0.2),
                ),
                "verdicts": {"use": "verify", "from_": "attempts", "also": ("steps",)},
                "kept": FilterConfig(use="filter", from_="verdicts", keep=("status = 'correct'",)),
            },
        },
    }
    assert build_recipe(plain, resolve=resolve) == build_recipe(typed, resolve=resolve)
    assert build_recipe(typed, resolve=resolve).digest() == load(GOOD).digest()


def test_python_data_that_is_not_plain_is_refused():
    with pytest.raises(RecipeError, match="not plain data"):
        build_recipe({"name": "a", "seed": 1, "stages": {"s": {"use": object()}}}, resolve=resolve)
    with pytest.raises(RecipeError, match=r"recipe: seed: missing"):
        build_recipe({"name": "a", "stages": {"s": {"use": "sample"}}}, resolve=resolve)


def test_canonical_fills_in_defaults_and_is_json():
    canonical = load(GOOD).canonical()
    attempts = canonical["stages"]["attempts"]
    assert attempts["attempts"] == {"min": 1, "max": 1}
    assert attempts["from"] == ["problems"]
    assert json.loads(json.dumps(canonical)) == canonical


def test_the_digest_is_pinned():
    """A change here gives every recipe another digest."""
    recipe = load("name: a\nseed: 1\nstages: {s: {use: sample}}\n")
    assert json.dumps(recipe.canonical()) == (
        '{"name": "a", "seed": 1, "description": null, "stages": '
        '{"s": {"use": "sample", "from": [], "families": [], "path": null}}}'
    )
    assert recipe.digest() == "c705ab11a76831bd6aaeaaca517f6a94ae2abd486ed598943db14f259f68871a"


names = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,6}\Z")
recipes = st.fixed_dictionaries(
    {
        "name": names,
        "seed": st.integers(0, 2**63 - 1),
        "description": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        "stages": st.fixed_dictionaries(
            {
                "s": st.fixed_dictionaries(
                    {"use": st.just("sample")},
                    optional={
                        "path": st.sampled_from(["a/b", "/c", "hf://d", ["x", "/y"], ""]),
                        "families": st.lists(
                            st.fixed_dictionaries(
                                {
                                    "name": st.text(
                                        st.characters(exclude_categories=["Cs"]), max_size=9
                                    )
                                },
                                optional={
                                    "count": st.integers(1, 9),
                                    "split": st.dictionaries(names, st.integers(-(2**63), 2**63)),
                                },
                            ),
                            max_size=2,
                        ),
                    },
                ),
                "v": st.fixed_dictionaries(
                    {"use": st.just("verify"), "from": st.just("s")},
                    optional={
                        "limit": st.integers().filter(lambda n: abs(n) < 2**64)
                        | st.floats(allow_nan=False, allow_infinity=False),
                        "level": st.sampled_from(["fast", "full"]),
                        "also": st.lists(
                            st.sampled_from(
                                ["1e3", "yes", "007", "null", "0x1f", "<<", "~", "", " a: b"]
                            )
                        ),
                    },
                ),
            }
        ),
    }
)


def shuffled(value, random):
    """The same data with the keys of every mapping in another order."""
    if isinstance(value, list):
        return [shuffled(item, random) for item in value]
    if isinstance(value, dict):
        items = [(key, shuffled(item, random)) for key, item in value.items()]
        random.shuffle(items)
        return dict(items)
    return value


@given(recipes, st.randoms(use_true_random=False))
def test_a_resolved_recipe_reads_back_as_itself_in_any_key_order(data, random):
    recipe = build_recipe(data, resolve=resolve)
    canonical = recipe.canonical()
    for text in (dump(canonical), dump(shuffled(canonical, random)), json.dumps(canonical) + "\n"):
        again = load(text)
        assert again.canonical() == canonical
        assert again.digest() == recipe.digest()
    assert build_recipe(shuffled(data, random), resolve=resolve).digest() == recipe.digest()


fragments = st.sampled_from(
    [*"a: \n-{}[],|>'\"\\#%\ud800\x00\ufeff\t", "- ", ": "]
) | st.sampled_from(
    [
        "&x ",
        "*x",
        "!!int ",
        "? ",
        "  ",
        "1e9",
        "0x1",
        "---",
        "...",
        "<<: ",
        "name: a\n",
        "seed: 1\n",
    ]
)


@given(st.text() | st.lists(fragments, max_size=25).map("".join))
def test_any_text_gives_a_recipe_or_a_recipe_error(text):
    lines = problems(lambda: load(text + "\n").digest())
    assert all(re.match(r"recipe(:\d+)?: ", line) for line in lines), lines


@given(st.data())
def test_a_good_recipe_with_any_wound_gives_a_recipe_or_a_recipe_error(data):
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 12)))
    text = GOOD[:start] + data.draw(fragments) + GOOD[end:] + "\n"
    lines = problems(lambda: load(text).digest())
    assert all(re.match(r"recipe(:\d+)?: ", line) for line in lines), lines


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["use", "from", "name", "kind", "solver", "teacher", "keep", "column", "path"]
            ),
            inner,
        )
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(sorted(STAGES)),
    st.dictionaries(
        st.sampled_from(["from", "families", "teacher", "keep", "path", "limit", "level"]),
        json_values,
    ),
)
def test_any_data_gives_a_recipe_or_a_recipe_error(use, stage):
    data = {"name": "a", "seed": 1, "stages": {"s": {"use": use, **stage}}}
    lines = problems(lambda: build_recipe(data, resolve=resolve).digest())
    assert all(line.startswith("recipe: ") for line in lines), lines


def test_scalars_are_strict_even_behind_a_before_validator():
    """pydantic's own strict modes refuse the list that a before-validator passes on for a tuple."""
    config = FilterConfig.model_validate({"use": "filter", "keep": ["a", {"column": "b"}]})
    assert isinstance(config.keep, tuple)
    for wrong in ({"strict": 1}, {"strict": "true"}):
        with pytest.raises(ValueError, match="strict"):
            FilterConfig.model_validate({"use": "filter", "keep": [], **wrong})
    with pytest.raises(ValueError, match="limit"):
        VerifyConfig.model_validate({"use": "verify", "limit": float("inf")})


def test_a_config_with_a_set_is_refused_where_it_is_written():
    with pytest.raises(TypeError, match="no stable order"):

        class Unordered(Settings):
            words: frozenset[str] = frozenset()


def test_digests_do_not_depend_on_the_process():
    code = (
        "import sys; sys.path.insert(0, 'tests/recipe')\n"
        "from recipe_fakes import GOOD, resolve\nfrom tracefactory.recipe import load_recipe\n"
        "print(load_recipe(GOOD, resolve=resolve).digest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert run.stdout.strip() == load(GOOD).digest()


def test_a_union_whose_tag_a_function_finds_is_explained_too():
    def tag(value: object) -> str:
        return "solver" if value == {} else "odd"

    class Tagged(StageConfig):
        part: Annotated[
            Annotated[Solver, Tag("solver")] | Annotated[int, Tag("n")], Discriminator(tag)
        ]

    data = {"name": "a", "seed": 1, "stages": {"s": {"use": "t", "part": "x"}}}
    assert problems(lambda: build_recipe(data, resolve=lambda use: Fake(Tagged, "source"))) == [
        "recipe: stages.s.part: asked for one of 'solver', 'n', found \"odd\" (text)"
    ]


# --- finding recipes and stages


def test_a_recipe_is_found_by_shipped_name_or_by_path(tmp_path, monkeypatch):
    (tmp_path / "tracefactory" / "pipelines").mkdir(parents=True)
    shipped_file = tmp_path / "tracefactory" / "pipelines" / "modular.yaml"
    shipped_file.write_text(GOOD)
    monkeypatch.setattr(load_module.tracefactory, "__file__", str(tmp_path / "tracefactory/x.py"))
    monkeypatch.chdir(tmp_path)
    assert shipped() == {"modular": shipped_file}
    assert find_recipe("modular") == shipped_file
    assert load_recipe("modular", resolve=resolve).name == "modular"
    with pytest.raises(RecipeError) as caught:
        load_recipe("modullar")
    assert str(caught.value) == (
        f"modullar: no such file; looked at {tmp_path / 'modullar'}; did you mean 'modular'? "
        "shipped recipes: modular"
    )
    for wrong in ("./modular", "", "a\0b", "x" * 5000, tmp_path):
        with pytest.raises(RecipeError, match=r"no such file|is not a file|cannot be read"):
            load_recipe(wrong)
    (tmp_path / "mine.yaml").write_text(GOOD.replace("seed: 7", "sed: 7"))
    with pytest.raises(RecipeError, match=r"^mine\.yaml:1: seed: missing"):
        load_recipe("mine.yaml", resolve=resolve)


def test_shipped_recipes_are_those_of_the_room():
    room = Path(__file__).parents[2] / "pipelines"
    assert sorted(shipped()) == sorted(path.stem for path in room.glob("*.yaml"))


def test_a_stage_is_found_by_its_address(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_stages_a.py").write_text(
        "from tracefactory.recipe import StageConfig\n"
        "class SHORTEN:\n    Config = StageConfig\n    kind = 'chunk'\n"
        "class SOURCE:\n    Config = StageConfig\n    kind = 'source'\n"
        "class ODD:\n    Config = StageConfig\n    kind = 'odd'\n"
        "class NOTHING: ...\n"
    )
    (tmp_path / "own_stages_b.py").write_text("1 / 0\n")
    recipe = load_recipe(
        "name: a\nseed: 1\nstages:\n"
        "  s: {use: 'own_stages_a:SOURCE'}\n"
        "  t: {use: 'own_stages_a:SHORTEN', from: s}\n"
    )
    assert recipe.order() == ("s", "t")
    for use, said in {
        "own_stages_a:SHORTN": "has no 'SHORTN'; did you mean 'SHORTEN'?",
        "own_stages_a:ODD": "its kind is 'odd', not one of source, chunk, rounds, barrier",
        "own_stages_a:NOTHING": "it has no Config that is a StageConfig",
        "own_stages_b:X": "cannot import 'own_stages_b' (ZeroDivisionError: division by zero)",
        "nowhere_at_all:X": "cannot import 'nowhere_at_all' (ModuleNotFoundError",
        ".:x": "is no address",
        ":x": "is no address",
        "a b:c": "is no address",
        "nostage": "no stage 'nostage'",
    }.items():
        with pytest.raises(StageNotFoundError, match=re.escape(said)):
            resolve_stage(use)
        with pytest.raises(RecipeError, match=re.escape(said)):
            load_recipe(f"name: a\nseed: 1\nstages:\n  s: {{use: '{use}'}}\n")


def test_shipped_stages_are_named_and_a_slip_meets_the_nearest(tmp_path, monkeypatch):
    for name in ("contract.py", "_part.py", "sample.py", "verify.py"):
        (tmp_path / name).write_text("raise AssertionError('imported')\n")
    monkeypatch.setattr("tracefactory.stages.__path__", [str(tmp_path)])
    assert shipped_stages() == ["sample", "verify"]
    said = "no stage 'verfy'; did you mean 'verify'? shipped: sample, verify; one of your own"
    with pytest.raises(StageNotFoundError, match=re.escape(said)):
        resolve_stage("verfy")


# --- JSON Schema


def fits(value, schema, root) -> bool:
    """The part of JSON Schema that recipes use; an unknown keyword fails the test."""
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    types |= {"integer": int, "number": (int, float)}
    told = {"title", "description", "default", "discriminator", "$schema", "$defs", "format"}
    for word, want in schema.items():
        match word:
            case "$ref":
                ok = fits(value, root["$defs"][want.rpartition("/")[2]], root)
            case "type":
                ok = isinstance(value, types[want]) and (want == "boolean" or value is not True)
            case "const":
                ok = value == want
            case "enum":
                ok = value in want
            case "pattern":
                ok = bool(re.search(want, value)) if isinstance(value, str) else True
            case "oneOf":
                ok = sum(fits(value, one, root) for one in want) == 1
            case "anyOf":
                ok = any(fits(value, one, root) for one in want)
            case "minimum" | "maximum" | "exclusiveMaximum":
                compare = {"minimum": operator.ge, "maximum": operator.le}.get(word, operator.lt)
                ok = not isinstance(value, int | float) or compare(value, want)
            case "minProperties":
                ok = not isinstance(value, dict) or len(value) >= want
            case "propertyNames":
                ok = not isinstance(value, dict) or all(fits(key, want, root) for key in value)
            case "required":
                ok = not isinstance(value, dict) or all(key in value for key in want)
            case "properties":
                ok = not isinstance(value, dict) or all(
                    fits(value[key], below, root) for key, below in want.items() if key in value
                )
            case "additionalProperties":
                rest = (
                    set(value) - set(schema.get("properties", {}))
                    if isinstance(value, dict)
                    else ()
                )
                ok = all(want and (want is True or fits(value[key], want, root)) for key in rest)
            case "items":
                ok = not isinstance(value, list) or all(fits(item, want, root) for item in value)
            case _:
                assert word in told, f"the check does not know {word}"
                ok = True
        if not ok:
            return False
    return True


SCHEMA = recipe_schema({name: stage.Config for name, stage in STAGES.items()})


def test_the_schema_takes_good_recipes_and_stages_of_ones_own():
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    good = read_text(GOOD).value
    assert fits(good, SCHEMA, SCHEMA)
    assert fits(load(GOOD).canonical(), SCHEMA, SCHEMA)
    own = {"use": "mypkg.stages:shorten", "from": "problems", "anything": {"goes": 1}}
    assert fits({**good, "stages": {**good["stages"], "own": own}}, SCHEMA, SCHEMA)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("keep:", "keeep:"),
        ("seed: 7", "sed: 7"),
        ("seed: 7", "seed: -1"),
        ("name: modular", "name: Modular X"),
        ("use: filter", "use: filtre"),
        ("kind: solver", "kind: slover"),
        ("slip_rate: 0.2", "slip_rate: 2"),
        ("from: problems", "from: 3"),
        ("count: 2000", "count: many"),
        ("also: [steps]", "also: steps"),
        ("  kept:", "  Kept!:"),
    ],
)
def test_the_schema_refuses_what_can_be_seen_without_python(old, new):
    assert old in GOOD
    assert not fits(read_text(GOOD.replace(old, new)).value, SCHEMA, SCHEMA)


def test_every_field_of_the_schema_is_described():
    def missing(schema, at):
        for key, below in schema.get("properties", {}).items():
            if not below.get("description"):
                yield f"{at}.{key}"
            yield from missing(below, f"{at}.{key}")

    everywhere = [("", SCHEMA), *SCHEMA["$defs"].items()]
    assert [name for at, schema in everywhere for name in missing(schema, at)] == []


def test_each_stage_has_its_branch():
    stages = SCHEMA["properties"]["stages"]["additionalProperties"]["oneOf"]
    defs = [SCHEMA["$defs"][branch["$ref"].rpartition("/")[2]] for branch in stages]
    assert [branch["properties"]["use"].get("const") for branch in defs] == [*STAGES, None]
    assert all("use" in branch["required"] for branch in defs)
    assert issubclass(StageConfig, Settings)


def test_a_document_of_ones_own_can_be_read():
    document = Document(read_text(GOOD).value, {}, "from a database", Path("/"))
    assert read_recipe(document, resolve=resolve).digest() == load(GOOD).digest()


@pytest.mark.parametrize(
    "stage",
    ["{{use: verify, from: q{i}}}", "{{use: verify, from: s{i}}}", "{{use: filter, kep: b}}"],
)
def test_a_very_bad_recipe_costs_no_more_than_its_length(stage):
    text = "name: a\nseed: 1\nstages:\n"
    text += "".join(f"  s{i}: {stage.format(i=i)}\n" for i in range(1500))
    start = time.process_time()
    lines = problems(lambda: load(text))
    assert 10 <= len(lines) <= 4500
    assert max(map(len, lines)) < 1000
    assert time.process_time() - start < 20


@pytest.mark.parametrize("value", ["nope", ["nope"]])
def test_a_list_is_not_called_too_short_for_its_wrong_item(value):
    class Listing(BaseModel):
        parts: Annotated[
            tuple[Literal["one"], ...],
            Field(min_length=1),
            BeforeValidator(lambda found: (found,) if isinstance(found, str) else tuple(found)),
        ]

    with pytest.raises(ValidationError) as caught:
        Listing.model_validate({"parts": value})
    assert len(caught.value.errors()) == 2
    (said,) = (said for _, said in explain(caught.value, {"parts": value}, Listing))
    assert said == "asked for one of 'one', found \"nope\" (text)"
