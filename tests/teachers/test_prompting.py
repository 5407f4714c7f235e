"""A teacher is asked in the recipe's words; what a template can't say is an error, not a prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tracefactory.errors import RecipeError
from tracefactory.schemas.problem import Problem
from tracefactory.sources.families import FAMILIES
from tracefactory.sources.families.make import make_problem
from tracefactory.stages.generate import GenerateConfig
from tracefactory.teachers.prompting import Example, Prompt, Prompter

PROBLEM = make_problem("modular_sum", FAMILIES["modular_sum"].knobs(), 7, "train", 0)
LINE = "Put the final answer in \\boxed{}."


def asked(prompt: Prompt, problem: Problem = PROBLEM, default: str = "plain", line: str = LINE):
    return Prompter(prompt.resolved(default), line).messages(problem)


def test_plain_is_what_is_published():
    assert asked(Prompt()) == [{"role": "user", "content": f"{PROBLEM.statement}\n\n{LINE}"}]
    assert asked(Prompt(), line="") == [{"role": "user", "content": PROBLEM.statement}]


def test_a_model_is_asked_to_plan_to_reflect_and_to_box_its_answer():
    (turn,) = asked(Prompt(), default="reasoning")
    assert turn["content"].startswith(PROBLEM.statement)
    assert turn["content"].endswith(LINE)
    for word in ("how you will go about it", "step by step", "look back", "right before"):
        assert word in turn["content"]


def test_families_go_before_domains_and_both_before_the_template():
    prompt = Prompt(
        system="Be brief.",
        template="{{ statement }}!",
        by_domain={PROBLEM.domain: "domain {{ domain }}"},
        by_family={"modular_sum": "family {{ family }}"},
        examples=(Example(user="1+1", assistant="2"),),
    )
    roles = [turn["role"] for turn in asked(prompt)]
    assert roles == ["system", "user", "assistant", "user"]
    assert asked(prompt)[-1]["content"] == "family modular_sum"
    without = prompt.model_copy(update={"by_family": {}})
    assert asked(without)[-1]["content"] == f"domain {PROBLEM.domain}"
    neither = without.model_copy(update={"by_domain": {}})
    assert asked(neither)[-1]["content"] == f"{PROBLEM.statement}!"


@given(st.text(min_size=1))
def test_a_statement_is_data_and_never_a_template(text):
    hostile = text + "{{ 7 * 7 }}{% for x in y %}<b>&"
    problem = Problem(**{**_fields(PROBLEM), "statement": hostile})
    assert asked(Prompt(template="{{ statement }}"), problem)[0]["content"] == hostile


def _fields(problem: Problem):
    return {name: getattr(problem, name) for name in Problem.__dataclass_fields__}


@pytest.mark.parametrize("field", ["template", "by_domain", "by_family"])
def test_what_is_no_template_is_refused_with_the_recipe(field):
    broken = "{{ statement"
    with pytest.raises(ValidationError, match="not a jinja2 template"):
        Prompt(**{field: broken if field == "template" else {"x": broken}})


def test_an_unknown_variable_names_the_problem_and_what_there_is():
    with pytest.raises(RecipeError, match=r"modular_sum.*it knows statement, instruction"):
        asked(Prompt(template="{{ statment }}"))


def test_a_template_in_a_file_is_read_once_and_its_text_is_what_counts(tmp_path):
    file = tmp_path / "ask.j2"
    file.write_text("Q: {{ statement }}")
    prompt = Prompt(template_file=file)
    resolved = prompt.resolved("plain")
    assert resolved["template"] == "Q: {{ statement }}"
    assert str(tmp_path) not in str(resolved)
    file.unlink()
    with pytest.raises(RecipeError, match=r"ask\.j2"):
        prompt.resolved("plain")
    with pytest.raises(ValidationError, match="twice"):
        Prompt(template="x", template_file=file)


def test_a_template_reaches_nothing_of_the_process():
    for hostile in ("{{ statement.__class__.__mro__ }}", "{{ self.__init__.__globals__ }}"):
        with pytest.raises(RecipeError, match=r"unsafe|undefined"):
            asked(Prompt(template=hostile))


def test_programs_are_asked_plainly_unless_told_otherwise():
    config = GenerateConfig(use="generate", from_="problems", teacher={"kind": "solver"})
    assert config.prompt == Prompt()
