"""Read an answer in labelled parts: `(a) 5, (b) 7`, `min = 1, max = 5`.

Not here: the labels before boxes (finding/boxes.py), what the parts are (reading.py).
"""

import re

from tracefactory.verifiers.maths.phrases import COMMA
from tracefactory.verifiers.maths.wording import OPERATORS, is_word
from tracefactory.verifiers.maths.words import MAX_CHARS

_LABELS = ("abcdefgh", ("i", "ii", "iii", "iv", "v", "vi"))
_BOLD_LABEL = re.compile(
    r"\\(?:text(?:bf|rm|it)?|mathrm|mathbf)\s?\{\s*(\(?[a-z]{1,3}\))\s*\}|\*\*(\(?[a-z]{1,3}\))\*\*"
)
_PART_LABEL = re.compile(r"(?:^|(?<=[\s,;.}0-9a-z$]))\(?([a-hivx]{1,3})\)(?=[\s\\$0-9-])\s*")
_NAMED_PART = re.compile(
    r"\s*(?:\\(?:text|mathrm|operatorname)\{\s*)?(\\m(?:in|ax)|[A-Za-z][a-z]{2,12})(?:\s*\})?\s*=\s*"
    r"([^=,;]{1,80})"
)
_BETWEEN = " \t\r\n,;~"
_SPACING = re.compile(r"(?:\\[,;:! ]|\\q?quad(?![A-Za-z])|\\\\|\s)+$|^(?:\\[,;:! ]|\s)+")

_GREEK_NAMES = frozenset(
    ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
     "lambda", "mu", "nu", "xi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega", "pi"]
)  # fmt: skip


def labelled_parts(text: str) -> tuple[tuple[str, str], ...] | None:
    """Two or more parts and their labels, as `(a) 5, (b) 7` and `min = 1, max = 5` have them."""
    if len(text) > MAX_CHARS:
        return None
    if "=" in text and ("," in text or ";" in text or " and " in text):
        return _named_parts(text)
    if ")" not in text or ("b" not in text and "ii" not in text):
        return None
    text = _BOLD_LABEL.sub(lambda found: f" {found[1] or found[2]} ", text).strip()
    found = list(_PART_LABEL.finditer(text))
    if len(found) < 2 or found[0].start() != 0:
        return None
    labels = [label[1] for label in found]
    ends = [label.start() for label in found[1:]] + [len(text)]
    values = [_part(text[label.end() : end]) for label, end in zip(found, ends, strict=True)]
    if not all(values) or not any(sorted(labels) == list(row[: len(labels)]) for row in _LABELS):
        return None
    return tuple(zip(labels, values, strict=True))


def _part(text: str) -> str:
    """The value of a part; empty if it is only the rest of a formula (`(a) - 5(b)`)."""
    before = ""
    while text != before:
        before = text
        text = _SPACING.sub("", text).strip(_BETWEEN).removesuffix(" and")
    if text.startswith(("- ", *OPERATORS)) or text.endswith(("-", *OPERATORS)):
        return ""
    return text


def _named_parts(text: str) -> tuple[tuple[str, str], ...] | None:
    """Parts that all have a word of their own. A letter, be it a Greek one, is a variable."""
    parts: list[tuple[str, str]] = []
    for piece in COMMA.split(text):
        found = _NAMED_PART.fullmatch(_SPACING.sub("", piece))
        name = "" if found is None else found[1].lower().removeprefix("\\")
        if found is None or name in _GREEK_NAMES:
            return None
        if name not in ("min", "max") and not is_word(name):
            return None
        parts.append((name, _part(found[2])))
    names = {name for name, _ in parts}
    return tuple(parts) if len(names) == len(parts) > 1 and all(dict(parts).values()) else None
