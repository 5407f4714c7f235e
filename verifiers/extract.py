r"""Find the final answer of a response, and the part of it that is reasoning.

The rules, in this order; the first that finds something wins:

1. Only the text after the last `</think>` (or `</thinking>`) counts. A `<think>` that is never
   closed afterwards means that the response never came to an answer.
2. With `answer_after` (such as `A:`): the rest of the last line that starts with it, and no other.
3. The last balanced `\boxed{...}` or `\fbox{...}`, or `\boxed 7` without braces.
4. The text of the last closed `<answer>...</answer>`, in small or capital letters; without a "the
   answer is" at its start.
5. The rest of the line after the last `####`.
6. The rest of the sentence after the last "answer is" or "answer:", or after a heading "Answer". It
   ends at a full stop (not at a decimal point, not within `$...$`, not behind "Mr.") or before what
   only comments: "because", "since", "which", "where", "so", "as required", "and we are done",
   "(see above)". When nothing follows on the line, the next line that is not blank counts. "answer
   equals", "should be" and "must be" count when no more than a value follows.
7. The last line that is not blank, if all of it is bold.

A rule that finds only blanks has found nothing. The span says where the text stands:
`response[start:end] == text`.

Boxes joined only by commas, `and`, `or`, blanks or short labels (`y =`) are one answer in `parts`.
What may be meant instead is the `hedge`: a marker of rules 4 to 6 behind the box or a bold last
line behind any marker that says something else, a denial or withdrawal behind it ("No: it is 6",
"Correction: 6"), an alternative in its sentence ("or 6"), and the longer formula or the unit that
the box stands in (`-\boxed{5}`, `\boxed{5}` cm). Whether it really differs in meaning, and what to
do then, is for the checker to say. A box that its own sentence denies ("is not", "is wrong") is
none; only markers behind it count then.

`read_options` is here because `answer_after` is the one setting that all checkers of text share.

Not here: reading the answer as a number or a letter (see numeric.py, choice.py), other reasoning
tags, an `<answer>` never closed. Time is linear in the response, whatever it holds: no text is
searched twice, and what no honest response holds (thousands of empty boxes, of braces in a box, of
answers that are none) is given up on.
"""

import re
from functools import lru_cache
from typing import NamedTuple, cast

import orjson

VERSION = "2"


class Answer(NamedTuple):
    """The final answer of a response, or the reason why there is none."""

    text: str | None
    """As written in the response, blanks around it removed; None when there is no answer."""
    rule: str
    """`boxed`, `answer_tag`, `hashes`, `answer_is`, `bold_line`, `answer_after`, `whole`; without an answer
    `unclosed_reasoning`, `no_marker` (answer_after asked for a line that is not there), `denied` (a
    box that is said to be wrong) or `nothing_found`."""
    start: int = -1
    end: int = -1
    hedge: str | None = None
    """What the text around the answer says instead, if that is not what the answer says."""
    parts: tuple[str, ...] = ()
    """The texts of the boxes that stand together at the end, or just the text; empty without one.
    A text that is only repeated is there once."""
    joined_by_or: bool = False
    """Whether an "or" stands between two of the parts."""
    labels: tuple[str, ...] = ()
    """Of several parts that all have one before their box: `x` or `(a)`. Else empty."""


_NOTHING = Answer(None, "nothing_found")
_UNCLOSED = Answer(None, "unclosed_reasoning")
_DENIED = Answer(None, "denied")
_OPENS = ("<think>", "<thinking>")
# Markdown around an answer, and the blanks that it may hold.
_WEAR = "*` \t\r\n"
# The most runs of braces looked at for one response, a box counting as ten.
_EFFORT, _BOX_EFFORT = 3000, 10
# The most boxes behind the last closing brace, words "answer", and empty tags looked at.
_TRIES = 1000
# Longer than any answer: only within so many characters is the end of a sentence looked for.
_SENTENCE = 4000

# In so few characters there is no other marker with something behind it.
_NO_MARKER = 5

# Whole runs of braces are one token: a megabyte of `{` is then one step and not a million.
_BRACES = re.compile(r"\\[{}\\]|\{+|\}+")
_BRACED = re.compile(r"[ \t\n]*\{")
_BARE = re.compile(r"(?![A-Za-z])[ \t]*([^\s${}\\]+)")
_JOINT_CHARS = 60
_JOINT = re.compile(
    r"""
    (?: [\s,;$&] | \\\\ | \\[()\[\],;!:\ ] | \\q?quad(?![A-Za-z]) | \*\*
      | \\(?:text(?:bf|it|rm)?|mathrm|mbox)\{\s*[,;]?\s*(?:and|or)?\s*[,;]?\s*\}
      | \\(?:lor|vee|land|wedge)(?![A-Za-z]) | (?<![A-Za-z])(?:and|or)(?![A-Za-z])
      | (?<=[\n ])(?:[-•*]|[0-9]{1,2}[.)])(?=\ )
    )*
    (?: \([a-z0-9]{1,3}\)(?:\ is|:)?[\s$]* )?
    (?: (?:\\text\{)?[A-Za-z\\][A-Za-z0-9_\\{}']{0,15}\s?(?:=|:)\s?\}?[\s$]* )?
    """,
    re.VERBOSE,
)
# `(a)` or `x =` right before a box.
_LABEL = re.compile(
    r"(?:(?P<part>\([a-z]{1,3}\))(?: is|:)?|(?<![A-Za-z0-9_^\\])(?P<name>[A-Za-z])\s?=)[\s$]*\Z"
)
_LABEL_CHARS = 16
_OR = re.compile(r"(?<![A-Za-z])or(?![A-Za-z])|\\(?:lor|vee)(?![A-Za-z])")
# As a line of its own, with or without dress, it is a heading of the answer.
_ANSWER_IS = re.compile(
    r"answer[*_`]{0,3}(?:(?: to (?:the|this) (?:problem|question))?[ \t]{1,4}is\b|[ \t]{0,4}:"
    r"|[ \t]{0,4}(?P<heading>(?=[\r\n]))"
    # Weaker: "must be positive" is no answer.
    r"|[ \t](?:equals|(?:should|must) be)"
    r"(?=:?[ \t](?:\*\*)?(?:\$(?![^$\n]{0,200}(?:[<>]|\\(?:[lg]e|ne|in)))[^$\n]{1,200}\$"
    r"|-?[0-9][0-9.,/]{0,40})(?:\*\*)?[.!,;]?(?:\s|$)"
    r"(?![ \t]*[a-z(])))",
    re.IGNORECASE,
)
# Said before the answer: "the answer is thus 5".
_LEAD = re.compile(r"(?:thus|therefore|hence|indeed)\b,?[ \t]+", re.IGNORECASE)
_LABELLED = re.compile(
    r"(?:(?:the|my|our)\s)?(?:final |correct )?answer(?:\sis\b:?|\s?:)[ \t*]*(?=\S)", re.IGNORECASE
)
# "The sum is **5**" says 5.
_BOLD_END = re.compile(
    r"[^*$0-9\\\n]{0,80}(?:\b(?:is|are|equals)|:|=)\s\*\*([^*\n]{1,200})\*\*[.!]?\s*"
)
_HEADING = re.compile(
    r"(?:#{1,6}[ \t]{0,4}[*_]{0,3}|[*_]{2,3})(?:the )?(?:final |your |my )?", re.IGNORECASE
)
_HEADING_CHARS = 32
_ANSWER_BELOW = re.compile(r"[*_ \t]{0,8}(?:the )?(?:final )?answer\b", re.IGNORECASE)
# `**Answer:** 7` and "the answer is: `7`" are dress, not answer.
_DRESS = " \t:*`"
_DRESS_RUN = re.compile(r"[ \t:*`]*")
_TO_NEXT_LINE = re.compile(r"\s*[ \t:*`>]*")
_STOP = re.compile(
    r"\$(?=\S)[^$\n]*(?<=\S)\$(?![0-9])"
    r"|(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMt)(?<!\bMrs)(?<!\bProf)[.!?](?=\s|$)"
    r"|[!?](?=\s|$)|,?[ \t](?:because|since|which|where|so)(?=[ \t,])"
    r"|,?[ \t](?:as (?:required|desired|claimed|needed|wanted|expected|asked|stated|shown|can be)"
    r"|[qQ]\.?[eE]\.?[dD]|and (?:we are|we're) (?:done|finished)"
    r"|\((?:see|as|from|by) [^()\n]{1,60}\))(?![a-z])",
)
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
    r"\b(?:statement|option|choice|step|equation|line|claim|sentence|number|item|answer choice)"
    r"[\s$(*\[\\]{0,8}\Z",
    re.IGNORECASE,
)
_DENIAL_CHARS = 60
_DENIERS = ("not", "n't", "rong", "ncorrect", "alse", "istaken")
# "No: it is 6", close behind an answer, or right behind its question mark.
_NO = re.compile(
    r"(?:[.!?\n]\W{0,4})(?:wait,? )?no[,:] (?P<it>it is|it's|it should be|the answer is)?:?",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"[\s$*)\]\\}]{0,8}\?")
_NO_CHARS = 200
# A value right away, and not "3. Conclusion" or "10 AMC problems".
_VALUE = re.compile(
    r"(?:[A-Za-z] ?= ?|\$|\\\(|\()*(?:[-+]?[0-9.][0-9.,/]*(?:\Z|[%^*+\\$=()a-z-]| [a-z\\])|\\[a-z]"
    r"|[A-Z]\)?\$?\Z|(?:[Yy]es|[Nn]o|[Tt]rue|[Ff]alse)\Z)"
)
# "\boxed{5} or 6", "6 or \boxed{5}", "\boxed{5}. Alternatively \boxed{6}"
_OR_BEHIND = re.compile(
    r"[\s$*)\]\\]{0,8}(?:\(?or(?: maybe| perhaps| possibly)?"
    r"|,? but (?:it|this) (?:could|may|might) be)"
    r"[ \t]+(?=[$\\(\-]{0,3}[0-9])"
)
_OR_BEFORE = re.compile(
    r"(\$[^$\n]{0,30}[^$\n,]\$|-?[0-9][0-9.,/]{0,20}(?<!,)) or [$(\[\\ ]{0,4}\Z"
)
_ALTERNATIVE = re.compile(r"\b(?:or|alternatively|another (?:is|one|possibility))\b", re.IGNORECASE)
_WITHDRAWN = re.compile(
    r"(?:[.!?\n]\s{0,4})(?:correction:"
    r"|(?:wait|hold on|actually)\b[^\n]{0,80}?\b(?:should be|value is|answer is)\b:?)[ \t]*",
    re.IGNORECASE,
)
# A formula goes on before or behind the box: `-\boxed{5}`, `2\boxed{5}`, `\boxed{5}^2`; or a unit.
_TOUCH_BEFORE = re.compile(
    r"(?:(?<=[0-9)}])-|(?<=[=$(])\ ?-\ ?|(?<=[^\s-]\ )-|[0-9A-Za-z)}]\ ?\+\ ?|[0-9]+|\^\{?|/"
    r"|\\(?:cdot|times|sqrt|frac|div|pm)\s?\{?\s?)\Z"
)
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
_DISPLAYS = {"$$": "$$", "\\[": "\\]"}


def final_answer(response: str, answer_after: str | None = None) -> Answer:
    """Find the final answer by the rules of this module."""
    begin = 0
    if "<think" in response or "</think" in response:
        closed, begin = _last_close(response)
        if response.rfind("<think>") > closed or response.rfind("<thinking>") > closed:
            return _UNCLOSED
    if answer_after is not None:
        return _after_marker(response, begin, answer_after)
    return _only_box(response, begin) or _last_boxes(response, begin) or _marked(response, begin)


def _marked(response: str, begin: int, otherwise: Answer = _NOTHING) -> Answer:
    """What the rules behind that of the boxes find, from `begin` on."""
    found = (
        _in_tag(response, begin)
        or _after_hashes(response, begin)
        or _after_answer_is(response, begin)
    )
    if found is None or found.text is None:
        return _bold_line(response, begin) or otherwise
    find = _later if found.rule == "answer_is" else _rival
    hedge = find(response, found.end, found.text)
    return found if hedge is None else found._replace(hedge=hedge)


def whole_answer(response: str) -> Answer:
    """A response that is nothing but an answer: one short line with at most two words in it.

    For checkers that can tell an answer from a sentence; `final_answer` asks for a marker.
    """
    begin = max(0, _last_close(response)[1])
    found = _found(response, begin, len(response), "whole")
    text = "" if found is None else found.text or ""
    if found is None or "\n" in text or len(text) > _WHOLE or len(_WORD.findall(text)) > 2:
        return _NOTHING
    return found


_WHOLE = 200
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")


def split_reasoning(text: str) -> tuple[str, str]:
    """Split a response into (reasoning, answer part), tags left out and blanks kept.

    Reasoning runs from the first `<think>` to the last `</think>`. A missing `<think>` means that
    the reasoning starts with the text (some chat templates open the tag in the prompt); a missing
    `</think>` that it never ends. Without tags all is answer. Text before `<think>` is neither.
    """
    firsts = [(at, at + len(tag)) for tag in _OPENS if (at := text.find(tag)) >= 0]
    closed, after = _last_close(text)
    if not firsts and closed < 0:
        return "", text
    opened, begin = min(firsts, default=(-1, 0))
    if 0 <= closed < opened:
        begin = 0
    if max(map(text.rfind, _OPENS)) > closed:
        return text[begin:], ""
    return text[begin:closed], text[after:]


def _last_close(text: str) -> tuple[int, int]:
    """Where the last closing tag of reasoning starts and ends; (-1, 0) without one."""
    short, long = text.rfind("</think>"), text.rfind("</thinking>")
    if short >= long:
        return (short, short + len("</think>")) if short >= 0 else (-1, 0)
    return long, long + len("</thinking>")


def _found(response: str, start: int, end: int, rule: str, drop: str = "") -> Answer | None:
    """An answer without the blanks around it, or None if it is all blank."""
    raw = response[start:end]
    # Blanks on their own first: that is four times as fast, should there be a megabyte of them.
    text = raw.strip()
    if drop and len(text) <= _SENTENCE:
        text = text.strip(drop)
    if not text:
        return None
    if len(text) < len(raw):
        start += raw.find(text)
    return Answer(text, rule, start, start + len(text), None, (text,))


def _line_end(response: str, start: int) -> int:
    end = response.find("\n", start)
    return len(response) if end < 0 else end


def _only_box(response: str, begin: int) -> Answer | None:
    """What `_last_boxes` finds, for the common response: one box, and next to nothing behind it."""
    at = response.find("\\boxed{", begin)
    if at < 0:
        return None
    first = at + 7
    if response.find("\\boxed", first) >= 0 or response.find("\\boxed", begin, at) >= 0:
        return None
    end = response.find("}", first)
    if end < 0 or response.find("\\fbox", begin) >= 0:
        return None
    text = response[first:end]
    if "{" in text or "\\" in text:
        end, _ = _closing(response, first, len(response), 200)
        text = response[first:end]
    text = text.strip()
    if end < 0 or len(response) - end > _NO_MARKER or not text:
        return None
    if _is_denied(response, begin, at, end + 1, text):
        return _DENIED
    start = response.find(text, first)
    hedge = _beside(response, begin, at, end + 1, text)
    return Answer(text, "boxed", start, start + len(text), hedge, (text,))


class _Boxes(NamedTuple):
    """Boxes that stand together, from the last one backwards."""

    last: Answer
    begins: int
    """Where the first of them starts, with its command."""
    ends: int
    """Behind the last one with its braces."""
    parts: list[str]
    labels: list[str]
    either: bool
    other: str | None
    """What a box before them offers as an alternative."""


def _last_boxes(response: str, begin: int) -> Answer | None:
    """The last box that closes and those that stand together with it; what the text says of it."""
    found = _boxes(response, begin)
    if found is None:
        return None
    last, begins, ends, parts, labels, either, hedge = found
    text = parts[0]
    if _is_denied(response, begin, begins, ends, text):
        return _marked(response, ends, _DENIED)
    if hedge is None and len(response) - ends > _NO_MARKER:
        hedge = _rival(response, ends, text)
    if hedge is None and len(parts) == 1:
        hedge = _beside(response, begin, begins, ends, text)
    if len(set(parts)) == 1:
        return last if hedge is None else last._replace(hedge=hedge)
    known = all(labels) and len(set(labels)) == len(labels) and not either
    return last._replace(
        hedge=hedge,
        parts=tuple(reversed(parts)),
        joined_by_or=either,
        labels=tuple(reversed(labels)) if known else (),
    )


def _boxes(response: str, begin: int) -> _Boxes | None:
    """The last box that closes, and those that stand together with it.

    Boxes are tried from the last one backwards, each only up to the next one. That is enough: a
    box that holds another that never closes cannot close either, so no brace is looked at twice.
    """
    # Forwards is faster than backwards where there is nothing to find.
    boxed = response.rfind("\\boxed", begin) if response.find("\\boxed", begin) >= 0 else -1
    fbox = response.rfind("\\fbox", begin) if response.find("\\fbox", begin) >= 0 else -1
    if boxed < 0 and fbox < 0:
        return None
    limit = len(response)  # from here on nothing can close the box
    last_close = response.rfind("}", begin)
    tries, effort = _TRIES, _EFFORT
    last: Answer | None = None
    ends = begins = 0  # of the last box with its braces; of the first one of the group
    parts: list[str] = []
    labels: list[str] = []
    either = False
    other: str | None = None
    while (boxed >= 0 or fbox >= 0) and effort > 0:
        # Only the one that is used up is looked for again: else a text without the other is
        # searched from end to end for each.
        if boxed > fbox:
            at, inside = boxed, boxed + 6
            boxed = response.rfind("\\boxed", begin, at)
        else:
            at, inside = fbox, fbox + 5
            fbox = response.rfind("\\fbox", begin, at)
        if at <= last_close or parts:
            effort -= _BOX_EFFORT
        else:
            tries -= 1
            if not tries:
                boxed = response.rfind("\\boxed", begin, max(last_close, begin))
                fbox = response.rfind("\\fbox", begin, max(last_close, begin))
        box: Answer | None = None
        after = 0
        if response.startswith("{", inside):
            first = inside + 1
        else:
            braced = _BRACED.match(response, inside)
            first = braced.end() if braced is not None else -1
        if first < 0:
            box = _bare_box(response, inside)
            after = 0 if box is None else box.end
        else:
            end = -1
            if first <= last_close:
                end, effort = _closing(response, first, limit, effort)
            if end < 0:
                limit = at
            else:
                box, after = _found(response, first, end, "boxed"), end + 1
        if last is None:
            if box is not None:
                last, ends, begins = box, after, at
                parts.append(cast("str", box.text))
                labels.append(_label(response, begin, at))
            continue
        # A box around the last one is not beside it.
        if box is None or not 0 <= begins - after <= _JOINT_CHARS:
            break
        joint = response[after:begins]
        if _JOINT.fullmatch(joint) is None:
            if len(parts) == 1 and box.text != parts[0] and _ALTERNATIVE.search(joint):
                other = box.text
            break
        either = either or _OR.search(joint) is not None
        begins = at
        parts.append(cast("str", box.text))
        labels.append(_label(response, begin, at))
    return None if last is None else _Boxes(last, begins, ends, parts, labels, either, other)


def _bare_box(response: str, inside: int) -> Answer | None:
    r"""`\boxed 7`, without braces."""
    bare = _BARE.match(response, inside)
    text = bare[1].rstrip(".,;:") if bare is not None else ""
    if bare is None or not text:
        return None
    return Answer(text, "boxed", bare.start(1), bare.start(1) + len(text), None, (text,))


def _beside(response: str, begin: int, box: int, after: int, text: str) -> str | None:
    """What the text at the box makes of it: an alternative, a longer formula, a unit."""
    near = response[after : after + 20]
    either = _OR_BEHIND.match(response, after) if "or" in near or "but" in near else None
    if either is not None:
        said = _said(response, either.end())
        return None if said is None else said.text
    before = response[max(begin, box - _BESIDE_CHARS) : box]
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


_BESIDE_CHARS = 40
_TOUCHING = tuple("0123456789-+^/{st cvm")


def _label(response: str, begin: int, box: int) -> str:
    """The label right before a box, or nothing."""
    found = _LABEL.search(response, max(begin, box - _LABEL_CHARS), box)
    return "" if found is None else (found["part"] or found["name"])


def _is_denied(response: str, begin: int, box: int, after: int, text: str) -> bool:
    """Whether the sentence of the box says that it is not the answer."""
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


def _closing(response: str, first: int, limit: int, effort: int) -> tuple[int, int]:
    """Where the brace that opened just before `first` closes, or -1; and the effort left."""
    depth = 1
    for run in _BRACES.finditer(response, first, limit):
        start = run.start()
        kind = response[start]
        if kind == "}":
            length = run.end() - start
            if length >= depth:
                return start + depth - 1, effort
            depth -= length
        elif kind == "{":
            depth += run.end() - start
        effort -= 1
        if effort <= 0:
            break
    return -1, effort


_COMMANDS = re.compile(r"\\(?:text(?:bf|it|rm)?|mathrm|mathbf|mbox|boxed)\s?\{([^{}]*)\}")
_NO_MEANING = re.compile(r"\\[()\[\],;!: ]|[\s$*`]")
# "the answer is less than 10" is said of the answer; "not 5" is none.
_REMARK = re.compile(
    r"(?:not|(?:less|more|greater|smaller|larger) than|at (?:least|most)|between|bounded)\s", re.I
)
_NUMBER_OR_CHOICE = re.compile(
    r".*?[0-9\\=<>]|\W{0,3}[A-Z]\W{0,3}(?:$|(?:or|and)\b)|(?:yes|no|true|false)\W?$", re.I
)


def _rival(response: str, end: int, text: str) -> str | None:
    """What a marker behind the box says, if it says something else that may be an answer.

    Sentences such as "the answer is correct" and headings within the text are no rivals.
    """
    for rival in (
        _in_tag(response, end),
        _after_hashes(response, end, last_line=True),
        _after_answer_is(response, end),
    ):
        if rival is None or rival.text is None:
            continue
        if rival.rule != "answer_tag" and not _NUMBER_OR_CHOICE.match(rival.text[:200]):
            continue
        remark = _REMARK.match(rival.text)
        if remark is not None and _bare(rival.text[remark.end() :]) != _bare(text):
            continue
        if _bare(rival.text) != _bare(text):
            return rival.text
    return _later(response, end, text)


def _later(response: str, end: int, text: str) -> str | None:
    """What a denial behind the answer or a bold last line says, if that is another value."""
    stop = min(len(response), end + _NO_CHARS)
    withdrawn = _WITHDRAWN.search(response, end, stop)
    if withdrawn is not None:
        said = _said(response, withdrawn.end())
        if said is not None and said.text is not None and _VALUE.match(said.text):
            return None if _bare(said.text) == _bare(text) else said.text
    denial = _NO.search(response, end, stop) if "no" in response[end:stop].lower() else None
    if denial is not None and (denial["it"] or _QUESTION.match(response, end)):
        said = _said(response, denial.end())
        value = "no" if said is None or said.text is None else said.text
        if _VALUE.match(value):
            return None if _bare(value) == _bare(text) else value
        if not denial["it"]:
            return "no"
    bold = _bold_line(response, end) if response.find("**", end) >= 0 else None
    if bold is None or bold.text is None or bold.text.count(" ") > _BOLD_WORDS:
        return None
    one, other = _bare(bold.text), _bare(text)
    if _VALUE.match(bold.text) is None or one == other:
        return None
    # A letter and a value may be a choice and what it says.
    letters = [len(each) == 1 and each.isalpha() for each in (one, other)]
    return None if letters[0] != letters[1] else bold.text


_BOLD_WORDS = 2


def _bare(text: str) -> str:
    text = _COMMANDS.sub(r"\1", text) if "{" in text else text
    return _NO_MEANING.sub("", text).rstrip(".").casefold()


def _in_tag(response: str, begin: int) -> Answer | None:
    if response.find(">", begin) < 0:  # one sign is found in no time
        return None
    spellings = [name for name in _TAGS if response.find(f"</{name}>", begin) >= 0]
    if not spellings:
        return None
    name = max(spellings, key=lambda each: response.rfind(f"</{each}>", begin))
    closed = len(response)
    for _ in range(_TRIES):
        closed = response.rfind(f"</{name}>", begin, closed)
        opened = response.rfind(f"<{name}>", begin, closed) if closed >= 0 else -1
        if opened < 0:
            return None
        found = _found(response, opened + len(name) + 2, closed, "answer_tag", _WEAR)
        if found is not None:
            label = _LABELLED.match(response, found.start, found.end)
            rest = None
            if label is not None:
                rest = _found(response, label.end(), found.end, "answer_tag", f"{_WEAR}.")
            return rest or found
        closed = opened
    return None


_TAGS = ("answer", "ANSWER", "Answer")


def _after_hashes(response: str, begin: int, last_line: bool = False) -> Answer | None:
    if response.find("####", begin) < 0:
        return None
    at = response.rfind("####", begin)
    end = _line_end(response, at)
    if last_line and response[end:].strip():
        return None
    # `#### Answer: 5`, `#### Answer` over the answer
    if _ANSWER_BELOW.match(response, at + 4) is not None:
        return None
    return _found(response, at + 4, end, "hashes", _WEAR)


def _after_answer_is(response: str, begin: int) -> Answer | None:
    # Two plain searches take a tenth of the time of one that ignores case.
    small, big = -1, -1
    if response.find("nswer", begin) >= 0:
        small = response.rfind("nswer", begin)
    if response.find("NSWER", begin) >= 0:
        big = response.rfind("NSWER", begin)
    for _ in range(_TRIES):
        at = max(small, big)
        if at <= begin and (at < 0 or at == begin):
            return None
        if small > big:
            small = response.rfind("nswer", begin, small)
        else:
            big = response.rfind("NSWER", begin, big)
        match = _ANSWER_IS.match(response, at - 1)
        if match is None:
            continue
        if match["heading"] is not None:
            line = max(response.rfind("\n", max(begin, at - _HEADING_CHARS), at) + 1, begin)
            if _HEADING.fullmatch(response, line, at - 1) is None:
                continue
        return _said(response, match.end())
    return None


def _said(response: str, start: int) -> Answer | None:
    """The sentence from here on, or on the next line when this one says nothing more."""
    start = _skip(_DRESS_RUN, response, start)
    if response.startswith(("\n", "\r"), start):
        start = _skip(_TO_NEXT_LINE, response, start)
    start = _skip(_LEAD, response, start)
    bold = _BOLD_END.match(response, start, min(_line_end(response, start), start + _SENTENCE))
    if bold is not None and bold.end() == _line_end(response, start):
        return _found(response, bold.start(1), bold.end(1), "answer_is")
    closing = _DISPLAYS.get(response[start : start + 2])
    if closing is not None:
        closed = response.find(closing, start + 2, start + _SENTENCE)
        # Only when the formula is all that is said.
        if closed >= 0 and not response[closed + 2 : _line_end(response, closed)].strip(" \t\r.*"):
            return _found(response, start + 2, closed, "answer_is")
    end = _line_end(response, start)
    for stop in _STOP.finditer(response, start, min(end, start + _SENTENCE)):
        if response[stop.start()] != "$":
            end = stop.start()
            break
    found = _found(response, start, end, "answer_is", _DRESS + "\r\n")
    if found is None or found.text is None or found.text[-1] not in ",;":
        return found
    return _found(response, found.start, found.start + len(found.text.rstrip(",;")), "answer_is")


def _skip(run: re.Pattern[str], response: str, start: int) -> int:
    match = run.match(response, start)
    return start if match is None else match.end()


def _bold_line(response: str, begin: int) -> Answer | None:
    text = response[begin:].rstrip()
    start = text.rfind("\n") + 1
    line = text[start:].lstrip()
    start = begin + len(text) - len(line)
    mark = line[:2]
    line = line.removesuffix(".")
    if mark not in ("**", "__") or len(line) < 5 or not line.endswith(mark):
        return None
    # "**Explanation:**" announces an answer, and "**a** or **b**" is not one bold text.
    if line.endswith(":", 0, -2) or line.find(mark, 2) != len(line) - 2:
        return None
    return _found(response, start + 2, start + len(line) - 2, "bold_line")


@lru_cache(maxsize=64)
def _marker(answer_after: str) -> re.Pattern[str]:
    return re.compile(r"^[ \t]*" + re.escape(answer_after), re.MULTILINE)


def _after_marker(response: str, begin: int, answer_after: str) -> Answer:
    start = -1
    # A slice, not a start position: with a position, `^` would not match in the middle of a line.
    for match in _marker(answer_after).finditer(response[begin:] if begin else response):
        start = begin + match.end()
    if start < 0:
        return Answer(None, "no_marker")
    found = _found(response, start, _line_end(response, start), "answer_after")
    return found or _NOTHING


@lru_cache(maxsize=256)
def _checked_options(text: str, known: tuple[str, ...]) -> dict[str, str]:
    try:
        loaded: object = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"verifier_options {text!r} is not JSON ({error})") from error
    if not isinstance(loaded, dict):
        raise ValueError(f"verifier_options {text!r} is not a JSON object")
    for name, value in cast("dict[str, object]", loaded).items():
        if name not in known:
            raise ValueError(f"unknown verifier option {name!r}; known: {', '.join(known)}")
        if not isinstance(value, str) or not value:
            raise ValueError(f"verifier option {name!r} is {value!r}; it must be a text, not empty")
    return cast("dict[str, str]", loaded)


def read_options(text: str, known: tuple[str, ...]) -> dict[str, str]:
    """The settings in problem.verifier_options, each one known and a text that is not empty.

    Raises:
        ValueError: naming what is wrong.
    """
    return {} if text == "{}" else dict(_checked_options(text, known))
