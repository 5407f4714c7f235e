r"""What is said behind an answer that says something else: a marker, a withdrawal, a denial.

Values are compared as they are written, without their dress (`**$5$**` is `5`); whether they differ
in meaning is for the checker to say. A remark is none: "the answer is correct", "is less than 10".

Not here: the text right around a box (around.py).
"""

import re

from tracefactory.verifiers.finding.markers import (
    after_answer_is,
    after_hashes,
    bold_line,
    in_tag,
    said,
)

_COMMANDS = re.compile(r"\\(?:text(?:bf|it|rm)?|mathrm|mathbf|mbox|boxed)\s?\{([^{}]*)\}")
_NO_MEANING = re.compile(r"\\[()\[\],;!: ]|[\s$*`]")
# "the answer is less than 10" is said of the answer; "not 5" is none.
_REMARK = re.compile(
    r"(?:not|(?:less|more|greater|smaller|larger) than|at (?:least|most)|between|bounded)\s", re.I
)
_NUMBER_OR_CHOICE = re.compile(
    r".*?[0-9\\=<>]|\W{0,3}[A-Z]\W{0,3}(?:$|(?:or|and)\b)|(?:yes|no|true|false)\W?$", re.I
)
_NUMBER_CHARS = 200
# A value right away, and not "3. Conclusion" or "10 AMC problems".
_VALUE = re.compile(
    r"(?:[A-Za-z] ?= ?|\$|\\\(|\()*(?:[-+]?[0-9.][0-9.,/]*(?:\Z|[%^*+\\$=()a-z-]| [a-z\\])|\\[a-z]"
    r"|[A-Z]\)?\$?\Z|(?:[Yy]es|[Nn]o|[Tt]rue|[Ff]alse)\Z)"
)
_WITHDRAWN = re.compile(
    r"(?:[.!?\n]\s{0,4})(?:correction:"
    r"|(?:wait|hold on|actually)\b[^\n]{0,80}?\b(?:should be|value is|answer is)\b:?)[ \t]*",
    re.IGNORECASE,
)
# "No: it is 6", close behind an answer, or right behind its question mark.
_NO = re.compile(
    r"(?:[.!?\n]\W{0,4})(?:wait,? )?no[,:] (?P<it>it is|it's|it should be|the answer is)?:?",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"[\s$*)\]\\}]{0,8}\?")
_DENIAL_CHARS = 200
# Of a bold last line that is a value, and no sentence.
_MAX_BLANKS = 2


def rival(response: str, end: int, text: str) -> str | None:
    """What is said behind a box that ends at `end`, if it is something else than `text`.

    Sentences such as "the answer is correct" and headings within the text are no rivals.
    """
    for other in (
        in_tag(response, end),
        after_hashes(response, end, last_line=True),
        after_answer_is(response, end),
    ):
        if other is None or other.text is None:
            continue
        if other.rule != "answer_tag" and not _NUMBER_OR_CHOICE.match(other.text[:_NUMBER_CHARS]):
            continue
        remark = _REMARK.match(other.text)
        if remark is not None and _bare(other.text[remark.end() :]) != _bare(text):
            continue
        if _bare(other.text) != _bare(text):
            return other.text
    return later(response, end, text)


def later(response: str, end: int, text: str) -> str | None:
    """What a withdrawal, a denial or a bold last line says behind a marker, if not `text`."""
    stop = min(len(response), end + _DENIAL_CHARS)
    withdrawn = _WITHDRAWN.search(response, end, stop)
    if withdrawn is not None:
        value = _sentence(response, withdrawn.end())
        if value is not None and _VALUE.match(value):
            return _unless_same(value, text)
    denial = _NO.search(response, end, stop) if "no" in response[end:stop].lower() else None
    if denial is not None and (denial["it"] or _QUESTION.match(response, end)):
        value = _sentence(response, denial.end()) or "no"
        if _VALUE.match(value):
            return _unless_same(value, text)
        if not denial["it"]:
            return "no"
    return _bold_rival(response, end, text)


def _bold_rival(response: str, end: int, text: str) -> str | None:
    bold = bold_line(response, end) if response.find("**", end) >= 0 else None
    if bold is None or bold.text is None or bold.text.count(" ") > _MAX_BLANKS:
        return None
    one, other = _bare(bold.text), _bare(text)
    if _VALUE.match(bold.text) is None or one == other:
        return None
    # A letter and a value may be a choice and what it says.
    letters = [len(each) == 1 and each.isalpha() for each in (one, other)]
    return None if letters[0] != letters[1] else bold.text


def _sentence(response: str, start: int) -> str | None:
    found = said(response, start)
    return None if found is None else found.text


def _unless_same(value: str, text: str) -> str | None:
    return None if _bare(value) == _bare(text) else value


def _bare(text: str) -> str:
    """Without dress, a full stop at the end and capital letters."""
    text = _COMMANDS.sub(r"\1", text) if "{" in text else text
    return _NO_MEANING.sub("", text).rstrip(".").casefold()
