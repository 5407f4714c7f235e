"""From messages to one text, for servers and models that know no roles.

Not here: chat templates of models (their servers have them), the messages themselves.
"""

from collections.abc import Sequence

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tracefactory.errors import RecipeError
from tracefactory.teachers.contract import Message

PLAIN = (
    "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}\n\n"
    "{% endfor %}Assistant:"
)
"""What is sent if a recipe says nothing: names, turns, and whose turn it is."""


class TemplateFault(Exception):
    """A template that is none."""


def compiled(template: str) -> Template:
    """The template; an empty text gives the plain one.

    Raises:
        TemplateFault: it does not compile.
    """
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    try:
        return environment.from_string(template or PLAIN)
    except TemplateError as error:
        raise TemplateFault(f"no jinja2 template: {error}") from error


def rendered(template: Template, messages: Sequence[Message]) -> str:
    """The text that goes to the model.

    Raises:
        RecipeError: the template fails on them.
    """
    try:
        return template.render(messages=messages)
    except Exception as error:  # whatever a template of one's own may raise
        raise RecipeError(
            f"the teacher's `template` fails: {error}; it knows `messages`, each with role, content"
        ) from error
