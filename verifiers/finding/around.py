r"""What the text right before and behind a box makes of it.

Its sentence may deny it ("is not", "is wrong"), offer an alternative ("or 6"), or go on with the
formula or a unit (`-\boxed{5}`, `\boxed{5}` cm).

Not here: what is said further on (hedges.py), what a box before it offers (boxes.py).
"""

import re

from tracefactory.verifiers.finding.markers import said

# A box is denied in its own sentence, right before it or right behind it. "x is not 5" does not:
# the question may be what x is not. Neither does "statement 5 is wrong".
_DENIED_BEFORE = re.compile(
    r"\b(?:(?:answer|result|solution|it|this|that)"
    r"(?:(?: is|'s| was)(?: [a-z]{2,10}ly)? not|\sisn't)"
    r"|(?P<wrong>wrong|incorrect|false|mistaken) (?:answer|result|guess|solution)(?: is| was|:))"
    r"[\s$*(\[\\]{0,8}\Z",
    re.IGNORECASE,
)
_DENIED_BEHIND = re.compile(
    r"[\s$*)\]\\]{0,8}(?:[.,]? ?(?:which|(?:but )?(?:that|this|it)))? ?(?:is|was)"
    r"(?: [a-z]{2,12}ly)? (?:(?P<wrong>wrong|incorrect|false|not (?:correct|right))"
    r"|not the (?:correct |right |final )?(?:answer|solution))[\s*]*(?:[.,;:!]|\Z|\n)",
    re.IGNORECASE,
)
_ASKED_OF = re.compile(
    r"\b(?:statement|option|choice|step|equation|line|claim|sentence|number|item)"
    r"[\s$(*\[\\]{0,8}\Z",
    re.IGNORECASE,
)
_DENIAL_CHARS = 60
# One of them is in every denial before a box.
_DENIERS = ("not", "n't", "rong", "ncorrect", "alse", "istaken")
# "\boxed{5} or 6", "6 or \boxed{5}"
_OR_BEHIND = re.compile(
    r"[\s$*)\]\\]{0,8}(?:\(?or(?: maybe| perhaps| possibly)?"
    r"|,? but (?:it|this) (?:could|may|might) be)"
    r"[ \t]+(?=[$\\(\-]{0,3}[0-9])"
)
_OR_BEHIND_CHARS = 20
_OR_BEFORE = re.compile(
    r"(\$[^$\n]{0,30}[^$\n,]\$|-?[0-9][0-9.,/]{0,20}(?<!,)) or [$(\[\\ ]{0,4}\Z"
)
# A formula goes on before or behind the box: `-\boxed{5}`, `2\boxed{5}`, `\boxed{5}^2`; or a unit.
_TOUCH_BEFORE = re.compile(
    r"(?:(?<=[0-9)}])-|(?<=[=$(])\ ?-\ ?|(?<=[^\s-]\ )-|[0-9A-Za-z)}]\ ?\+\ ?|[0-9]+|\^\{?|/"
    r"|\\(?:cdot|times|sqrt|frac|div|pm)\s?\{?\s?)\Z"
)
# What all of these end with.
_TOUCHING = tuple("0123456789-+^/{st cvm")
_BEFORE_CHARS = 40
_TOUCH_BEHIND = re.compile(
    r"\s?\^(?!\s?\{?\s?\\(?:circ|degree|prime))[^\s$]{0,20}|[0-9]+|,[0-9]{3}|\.[0-9]+|/[0-9]+"
    r"|\s?\+\s?[0-9A-Za-z]+|-[0-9]+|\s?\\(?:cdot|times)\s?[0-9^{}]{0,10}|[a-z](?![A-Za-z])"
    r"|\ (?:million|billion|thousand|hundred|dozen)\b"
    r"|(?:\\[,;\ ]|\s)?(?:"
    r"\\(?:text|mathrm)\s?\{\s*(?:cm|mm|km|m|kg|mg|g|s|h|ft|mL|L)\s*\}(?!\s?[\^/])"
    r"|(?:cm|mm|km|kg|mg|ft|mL|lb|oz|miles?|met(?:er|re)s?|inch(?:es)?|feet|yards?|grams?|kilograms?"
    r"|seconds?|minutes?|hours?|days?|weeks?|months?|years?|dollars?|cents?|euros?)"
    r"(?![A-Za-z^/²³]|\ (?:per|an?|squared|cubed|and|each|[0-9])))"
)


def is_denied(response: str, begin: int, box: int, after: int, text: str) -> bool:
    """Whether the sentence of the box says that it is not the answer.

    The box with its command is `response[box:after]` and holds `text`.
    """
    before = response[max(begin, box - _DENIAL_CHARS) : box]
    behind = response[after : after + _DENIAL_CHARS]
    denial = None
    # The plain searches leave next to nothing to the patterns, which take ten times as long.
    if any(map(before.__contains__, _DENIERS)):
        denial = _DENIED_BEFORE.search(before)
    if denial is None and ("is " in behind or "was " in behind):
        denial = _DENIED_BEHIND.match(behind)
    if denial is None:
        return False
    # "Option B is wrong" answers the question which one is.
    is_option = (len(text) == 1 and text.isalpha()) or _ASKED_OF.search(before) is not None
    return not (denial["wrong"] and is_option)


def beside(response: str, begin: int, box: int, after: int, text: str) -> str | None:
    """What the text at the box makes of it: an alternative, a longer formula, a unit; or None.

    The box with its command is `response[box:after]` and holds `text`.
    """
    near = response[after : after + _OR_BEHIND_CHARS]
    either = _OR_BEHIND.match(response, after) if "or" in near or "but" in near else None
    if either is not None:
        other = said(response, either.end())
        return None if other is None else other.text
    before = response[max(begin, box - _BEFORE_CHARS) : box]
    if " or " in before:
        either = _OR_BEFORE.search(before)
        if either is not None:
            return either[1]
    if not (text[-1].isdigit() or text[-1] in ")}"):
        return None
    front = _TOUCH_BEFORE.search(before) if before[-1:] in _TOUCHING else None
    behind = _TOUCH_BEHIND.match(response, after)
    if front is None and behind is None:
        return None
    return f"{front[0].lstrip() if front else ''}{response[box:after]}{behind[0] if behind else ''}"
