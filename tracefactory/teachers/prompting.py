"""In which words a teacher is asked: templates of the recipe, by family and domain, and examples.

Published rows have the statement and the recipe's one instruction line, whatever a teacher was told
beside them: those who train on a trace ask in plain words.

Not here: the chat template of a model (its server's business).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field, model_validator

from tracefactory.errors import RecipeError
from tracefactory.recipe.model import Settings
from tracefactory.schemas.problem import Problem
from tracefactory.teachers.contract import Message

PLAIN = "{{ statement }}{% if instruction %}\n\n{{ instruction }}{% endif %}"
"""What is published, and what a model that was trained on it knows."""

REASONING = """\
{{ statement }}

Say first, in a sentence or two, how you will go about it. Then work step by step: one claim a line,
every calculation written out. Every few steps, stop and look back: does what you have still answer
what was asked, and does it agree with what was given? Where something is wrong, say so and put it
right before you go on. Check the answer before you give it.\
{% if instruction %} {{ instruction }}{% endif %}"""
"""What a model is asked unless the recipe says otherwise: plan, steps, reflection, answer."""


class Example(Settings):
    """A problem and its answer, shown before the question."""

    user: str
    assistant: str


class Prompt(Settings):
    """In which words the teacher is asked.

    Templates are jinja2; they know `statement`, `instruction`, `domain`, `task_type`, `family`
    (empty where there is none) and `source`.
    """

    system: str | None = None
    """The system turn; none when left out."""
    template: str | None = None
    """The user turn: `reasoning` (plan, steps, reflection; the default for models), `plain` (what
    is published; the default for programs and small models), or a template of your own."""
    template_file: Path | None = None
    """The same, in a file."""
    by_domain: dict[str, str] = Field(default_factory=dict[str, str])
    """Templates for the problems of some domains, such as `code`."""
    by_family: dict[str, str] = Field(default_factory=dict[str, str])
    """Templates for the problems of some families; they go before those of domains."""
    examples: tuple[Example, ...] = ()
    """Few-shot: turns between the system's and the question."""

    @model_validator(mode="after")
    def _sound(self) -> "Prompt":
        if self.template is not None and self.template_file is not None:
            raise ValueError("template and template_file say the same thing twice; give one")
        for name, text in {"template": self.template, **self.by_domain, **self.by_family}.items():
            try:
                _ENVIRONMENT.from_string(text or "")
            except TemplateError as error:
                raise ValueError(f"{name}: not a jinja2 template: {error}") from error
        return self

    def resolved(self, default: str) -> dict[str, Any]:
        """Plain data with all templates as text: what answers depend on, and work can be done from.

        Args:
            default: `reasoning` or `plain`, where the recipe names no template.

        Raises:
            RecipeError: template_file cannot be read, or is no template.
        """
        text = self.template
        if self.template_file is not None:
            try:
                text = self.template_file.read_text(encoding="utf-8")
                _ENVIRONMENT.from_string(text)
            except (OSError, UnicodeDecodeError, TemplateError) as error:
                raise RecipeError(f"template_file {self.template_file}: {error}") from error
        return {
            "system": self.system,
            "template": _NAMED.get(text or default, text),
            "by_domain": {name: _NAMED.get(one, one) for name, one in self.by_domain.items()},
            "by_family": {name: _NAMED.get(one, one) for name, one in self.by_family.items()},
            "examples": [example.model_dump() for example in self.examples],
        }


_ENVIRONMENT = SandboxedEnvironment(
    undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
)
_NAMED = {"plain": PLAIN, "reasoning": REASONING}


class Prompter:
    """Makes the conversation of each problem, from `Prompt.resolved`."""

    def __init__(self, resolved: Mapping[str, Any], instruction: str) -> None:
        """Args: the templates as plain data; the recipe's instruction line, or empty."""
        self._instruction = instruction
        self._default = _ENVIRONMENT.from_string(resolved["template"])
        self._by = [
            {name: _ENVIRONMENT.from_string(text) for name, text in resolved[key].items()}
            for key in ("by_family", "by_domain")
        ]
        self._before: list[Message] = []
        if resolved["system"] is not None:
            self._before.append({"role": "system", "content": resolved["system"]})
        for example in resolved["examples"]:
            self._before += [
                {"role": role, "content": example[role]} for role in ("user", "assistant")
            ]

    def messages(self, problem: Problem) -> list[Message]:
        """The conversation that ends with the question.

        Raises:
            RecipeError: the template fails on this problem.
        """
        family = _family(problem)
        by_family, by_domain = self._by
        template = by_family.get(family) or by_domain.get(problem.domain) or self._default
        try:
            content = template.render(
                statement=problem.statement,
                instruction=self._instruction,
                domain=problem.domain,
                task_type=problem.task_type,
                family=family,
                source=problem.source,
            )
        except Exception as error:  # whatever a template of one's own may raise
            raise RecipeError(
                f"the prompt's template fails on problem {problem.id}: {error}; it knows "
                "statement, instruction, domain, task_type, family and source"
            ) from error
        return [*self._before, {"role": "user", "content": content}]


def _family(problem: Problem) -> str:
    try:
        origin = orjson.loads(problem.origin)
    except orjson.JSONDecodeError:
        return ""
    return str(origin.get("family", "")) if isinstance(origin, dict) else ""
