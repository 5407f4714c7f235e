r"""Find an answer by what announces it: a tag, `####`, "answer is", a bold last line.

Also what one sentence says (`said`): without its dress, up to its end or to a clause that only
comments on it ("because", "which", "as required").

Not here: boxes (boxes.py), which marker counts (extract.py), two that contradict (hedges.py).
"""

import re

from tracefactory.verifiers.finding.answer import MAX_SENTENCE, TRIES, Answer, line_end, trimmed

# Markdown around an answer, and the blanks that it may hold.
_WEAR = "*` \t\r\n"
_TAGS = ("answer", "ANSWER", "Answer")
_LABELLED = re.compile(
    r"(?:(?:the|my|our)\s)?(?:final |correct )?answer(?:\sis\b:?|\s?:)[ \t*]*(?=\S)", re.IGNORECASE
)
_HASHES = "####"
_ANSWER_BELOW = re.compile(r"[*_ \t]{0,8}(?:the )?(?:final )?answer\b", re.IGNORECASE)
# "Answer" as a line of its own, with or without dress, is a heading of the answer.
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
_HEADING = re.compile(
    r"(?:#{1,6}[ \t]{0,4}[*_]{0,3}|[*_]{2,3})(?:the )?(?:final |your |my )?", re.IGNORECASE
)
_MAX_HEADING = 32
# `**Answer:** 7` and "the answer is: `7`" are dress, not answer.
_DRESS = " \t:*`"
_DRESS_RUN = re.compile(r"[ \t:*`]*")
_TO_NEXT_LINE = re.compile(r"\s*[ \t:*`>]*")
# Said before the answer: "the answer is thus 5".
_LEAD = re.compile(r"(?:thus|therefore|hence|indeed)\b,?[ \t]+", re.IGNORECASE)
# "The sum is **5**" says 5.
_BOLD_END = re.compile(
    r"[^*$0-9\\\n]{0,80}(?:\b(?:is|are|equals)|:|=)\s\*\*([^*\n]{1,200})\*\*[.!]?\s*"
)
_DISPLAYS = {"$$": "$$", "\\[": "\\]"}
# A formula, of which no sign ends the sentence; or the end.
_STOP = re.compile(
    r"\$(?=\S)[^$\n]*(?<=\S)\$(?![0-9])"
    r"|(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMt)(?<!\bMrs)(?<!\bProf)[.!?](?=\s|$)"
    r"|[!?](?=\s|$)|,?[ \t](?:because|since|which|where|so)(?=[ \t,])"
    r"|,?[ \t](?:as (?:required|desired|claimed|needed|wanted|expected|asked|stated|shown|can be)"
    r"|[qQ]\.?[eE]\.?[dD]|and (?:we are|we're) (?:done|finished)"
    r"|\((?:see|as|from|by) [^()\n]{1,60}\))(?![a-z])",
)
_MIN_BOLD = 5
"""Characters of the shortest bold text, `**x**`."""


def in_tag(response: str, begin: int) -> Answer | None:
    """What the last `<answer>` that closes and is not empty holds, without "the answer is"."""
    if response.find(">", begin) < 0:  # one sign is found in no time
        return None
    spellings = [name for name in _TAGS if response.find(f"</{name}>", begin) >= 0]
    if not spellings:
        return None
    name = max(spellings, key=lambda each: response.rfind(f"</{each}>", begin))
    closed = len(response)
    for _ in range(TRIES):
        closed = response.rfind(f"</{name}>", begin, closed)
        opened = response.rfind(f"<{name}>", begin, closed) if closed >= 0 else -1
        if opened < 0:
            return None
        found = trimmed(response, opened + len(f"<{name}>"), closed, "answer_tag", _WEAR)
        if found is not None:
            label = _LABELLED.match(response, found.start, found.end)
            rest = None
            if label is not None:
                rest = trimmed(response, label.end(), found.end, "answer_tag", f"{_WEAR}.")
            return rest or found
        closed = opened
    return None


def after_hashes(response: str, begin: int, last_line: bool = False) -> Answer | None:
    """The rest of the line after the last `####`; with `last_line`, of no line but the last."""
    if response.find(_HASHES, begin) < 0:
        return None
    at = response.rfind(_HASHES, begin)
    end = line_end(response, at)
    if last_line and response[end:].strip():
        return None
    at += len(_HASHES)
    # `#### Answer: 5`, `#### Answer` over the answer
    if _ANSWER_BELOW.match(response, at) is not None:
        return None
    return trimmed(response, at, end, "hashes", _WEAR)


def after_answer_is(response: str, begin: int) -> Answer | None:
    """What is said after the last "answer is", "answer:" or heading "Answer"."""
    # Two plain searches take a tenth of the time of one that ignores case.
    small, big = -1, -1
    if response.find("nswer", begin) >= 0:
        small = response.rfind("nswer", begin)
    if response.find("NSWER", begin) >= 0:
        big = response.rfind("NSWER", begin)
    for _ in range(TRIES):
        at = max(small, big)
        if at <= begin:
            return None
        if small > big:
            small = response.rfind("nswer", begin, small)
        else:
            big = response.rfind("NSWER", begin, big)
        match = _ANSWER_IS.match(response, at - 1)
        if match is None:
            continue
        if match["heading"] is not None:
            line = max(response.rfind("\n", max(begin, at - _MAX_HEADING), at) + 1, begin)
            if _HEADING.fullmatch(response, line, at - 1) is None:
                continue
        return said(response, match.end())
    return None


def said(response: str, start: int) -> Answer | None:
    """The sentence from here on, or on the next line when this one says nothing more."""
    start = _skip(_DRESS_RUN, response, start)
    if response.startswith(("\n", "\r"), start):
        start = _skip(_TO_NEXT_LINE, response, start)
    start = _skip(_LEAD, response, start)
    end = line_end(response, start)
    bold = _BOLD_END.match(response, start, min(end, start + MAX_SENTENCE))
    if bold is not None and bold.end() == end:
        return trimmed(response, bold.start(1), bold.end(1), "answer_is")
    display = _DISPLAYS.get(response[start : start + 2])
    if display is not None:
        closed = response.find(display, start + 2, start + MAX_SENTENCE)
        # Only when the formula is all that is said.
        if closed >= 0 and not response[closed + 2 : line_end(response, closed)].strip(" \t\r.*"):
            return trimmed(response, start + 2, closed, "answer_is")
    for stop in _STOP.finditer(response, start, min(end, start + MAX_SENTENCE)):
        if response[stop.start()] != "$":
            end = stop.start()
            break
    found = trimmed(response, start, end, "answer_is", f"{_DRESS}\r\n")
    if found is None or found.text is None or found.text[-1] not in ",;":
        return found
    return trimmed(response, found.start, found.start + len(found.text.rstrip(",;")), "answer_is")


def _skip(run: re.Pattern[str], response: str, start: int) -> int:
    match = run.match(response, start)
    return start if match is None else match.end()


def bold_line(response: str, begin: int) -> Answer | None:
    """The last line that is not blank, if all of it is bold."""
    text = response[begin:].rstrip()
    start = text.rfind("\n") + 1
    line = text[start:].lstrip()
    start = begin + len(text) - len(line)
    mark = line[:2]
    line = line.removesuffix(".")
    if mark not in ("**", "__") or len(line) < _MIN_BOLD or not line.endswith(mark):
        return None
    # "**Explanation:**" announces an answer, and "**a** or **b**" is not one bold text.
    if line.endswith(":", 0, -2) or line.find(mark, 2) != len(line) - 2:
        return None
    return trimmed(response, start + 2, start + len(line) - 2, "bold_line")
