"""Right when reasoning-gym's own scorer gives exactly 1.0, for families whose scorer earns trust.

The library's scorers give partial credit, so that any threshold below 1.0 takes wrong answers. Some
give 1.0 to them, too, or hand the answer to `eval` or sympy: only the families of `ALLOWED` are
scored at all. The entry comes from the problem alone; nothing is ever generated again.

`verifier_options` holds `family`, `library` (reasoning-gym@version), `metadata` (what the scorer
reads of it) and perhaps `answer_after` (see extract.py).

Not here: making problems, and why other families are left out (sources/gym.py, gym_excluded.py).
"""

import contextlib
import importlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata as installed
from typing import Any, cast

import orjson

from tracefactory.schemas.attempt import Attempt
from tracefactory.schemas.problem import Problem
from tracefactory.schemas.verdict import Verdict
from tracefactory.verifiers.extract import Answer, final_answer

PINNED = "0.1.25"
"""The release whose families were looked through; another one may score otherwise."""
LIBRARY = f"reasoning-gym@{PINNED}"
VERSION = f"1+{PINNED}"

MIN_CHARS = 4000
"""An answer may have so many characters, or four times those of its reference if that is more."""


class GymError(Exception):
    """The library is missing or another release, or a problem's options name nothing it knows."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A family that may be used."""

    domain: str
    reads: tuple[str, ...] = ()
    """What its scorer reads of an entry's metadata; most read the reference only."""


ALLOWED: dict[str, Allowed] = {
    "ab": Allowed("algorithmic"),
    "aiw": Allowed("logic"),
    "base_conversion": Allowed("algorithmic"),
    "basic_arithmetic": Allowed("math"),
    "bf": Allowed("code"),
    "binary_alternation": Allowed("algorithmic"),
    "caesar_cipher": Allowed("algorithmic"),
    "calendar_arithmetic": Allowed("math", ("task",)),
    "chain_sum": Allowed("math"),
    "color_cube_rotation": Allowed("cognition"),
    "count_bits": Allowed("math"),
    "count_primes": Allowed("algorithmic"),
    "decimal_chain_sum": Allowed("math"),
    "dice": Allowed("math"),
    "emoji_mystery": Allowed("games"),
    "family_relationships": Allowed("graphs"),
    "gcd": Allowed("math"),
    "group_anagrams": Allowed("algorithmic", ("solution",)),
    "largest_island": Allowed("graphs"),
    "lcm": Allowed("math"),
    "leg_counting": Allowed("math"),
    "letter_counting": Allowed("algorithmic"),
    "manipulate_matrix": Allowed("algorithmic"),
    "maze": Allowed("games"),
    "mini_sudoku": Allowed("games", ("solution",)),
    "needle_haystack": Allowed("cognition"),
    "number_filtering": Allowed("algorithmic"),
    "palindrome_generation": Allowed("algorithmic", ("letters",)),
    "palindrome_partitioning": Allowed("algorithmic", ("solution",)),
    "path_star": Allowed("graphs"),
    "prime_factorization": Allowed("math"),
    "products": Allowed("math"),
    "rectangle_count": Allowed("cognition"),
    "rotate_matrix": Allowed("algorithmic"),
    "rotten_oranges": Allowed("algorithmic"),
    "simple_equations": Allowed("math"),
    "simple_geometry": Allowed("math"),
    "spell_backward": Allowed("algorithmic"),
    "string_manipulation": Allowed("algorithmic"),
    "string_splitting": Allowed("algorithmic"),
    "string_synthesis": Allowed("algorithmic"),
    "word_sequence_reversal": Allowed("algorithmic"),
}
"""Each repeats for any PYTHONHASHSEED, makes an item by its number, has a scorer that reads the
whole answer and runs none of it, has five or more answers of which none is much commoner than one
in three, and makes 50 items a second or more; tests hold them to that."""


@lru_cache(maxsize=1)
def require() -> None:
    """See that the library is there, in the release that was looked through.

    Raises:
        GymError: it is not; the text says how to install it.
    """
    try:
        found = installed.version("reasoning-gym")
    except installed.PackageNotFoundError as error:
        raise GymError("reasoning-gym is not installed: pip install 'tracefactory[gym]'") from error
    if found != PINNED:
        raise GymError(
            f"reasoning-gym {found} is installed, but only {PINNED} has been looked through: "
            "pip install 'tracefactory[gym]'"
        )


@contextlib.contextmanager
def quiet() -> Any:  # noqa: ANN401  (a generator; contextlib makes the context manager of it)
    """Keep what the library prints out of our own output."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


Scorer = Callable[[str | None, dict[str, Any]], float]


@lru_cache(maxsize=len(ALLOWED))
def _scorer(family: str) -> Scorer:
    if family not in ALLOWED:
        raise GymError(f"{family!r} is not on the list of families that may be scored")
    require()
    library: Any = importlib.import_module("reasoning_gym")  # it has no types
    with quiet():  # no allowed scorer reads the config, so the default one does
        return cast("Scorer", library.get_score_answer_fn(family))


def score(family: str, reference: str, metadata: Mapping[str, Any], answer: str) -> float:
    """What the library's scorer says of an answer. It may raise anything on an odd one.

    Raises:
        GymError: the family is not allowed, or the library is not there.
    """
    scorer = _scorer(family)
    # A copy: scorers may write into what they are given.
    entry = {"question": "", "answer": reference, "metadata": json.loads(json.dumps(metadata))}
    with quiet():
        return float(scorer(answer, entry))


def judge(
    reference: str,
    response: str,
    *,
    family: str,
    metadata: Mapping[str, Any] | None = None,
    answer_after: str | None = None,
) -> Verdict:
    """Correct when the final answer scores exactly 1.0; `metadata` is what ALLOWED says is read.

    Raises:
        GymError: the family is not allowed, or the library is not there.
    """
    return _judge(reference, response, family, metadata or {}, answer_after, "", "")


_ADDRESS = f"tracefactory.verifiers.gym:verify@{VERSION}"
_KNOWN = ("family", "library", "metadata", "answer_after")


@lru_cache(maxsize=256)
def _options(text: str) -> dict[str, Any]:
    loaded: object = orjson.loads(text)
    if not isinstance(loaded, dict):
        raise GymError(f"verifier_options {text[:200]!r} is not a JSON object")
    options = cast("dict[str, Any]", loaded)
    unknown = sorted(set(options) - set(_KNOWN))
    if unknown or not isinstance(options.get("metadata"), dict) or "family" not in options:
        raise GymError(
            f"verifier_options {text[:200]!r} must hold family, library and metadata (an object), "
            "and may hold answer_after"
        )
    if options.get("library") != LIBRARY:
        raise GymError(
            f"the problem was made with {options.get('library')}; this checker has {LIBRARY}"
        )
    return options


def verify(problem: Problem, attempt: Attempt) -> Verdict:
    """Judge an attempt by what is stored with the problem.

    Raises:
        GymError: the options are not what this module writes, or the library is not there.
    """
    options = _options(problem.verifier_options)
    return _judge(
        problem.reference,
        attempt.text,
        options["family"],
        options["metadata"],
        options.get("answer_after"),
        attempt.id,
        _ADDRESS,
    )


def _judge(
    reference: str,
    response: str,
    family: str,
    metadata: Mapping[str, Any],
    answer_after: str | None,
    attempt_id: str,
    verifier: str,
) -> Verdict:
    # The reference first: only then is it the answer's fault that it does not score, or raises. If
    # the scorer raises here, the set-up is broken, and the caller makes an `error` of it.
    if score(family, reference, metadata, reference) != 1.0:
        return Verdict(attempt_id, "bad_reference", "refused", verifier)
    answer = final_answer(response, answer_after)
    if answer.text is None:
        return Verdict(attempt_id, "no_answer", answer.rule, verifier)
    limit = max(MIN_CHARS, 4 * len(reference))
    said = [answer.text, *answer.parts, *([answer.hedge] if answer.hedge else [])]
    named = list(dict.fromkeys(said))
    if sum(map(len, named)) > limit:
        return Verdict(attempt_id, "incorrect", "too_long", verifier, answer.text[:limit])
    scores = [_scored(family, reference, metadata, text) for text in named]
    evidence = _evidence(answer, scores[0])
    if all(found == 1.0 for found in scores):
        return Verdict(attempt_id, "correct", "accepted", verifier, answer.text, evidence)
    if len(scores) > 1:  # several boxes, or a later word that says something else
        return Verdict(attempt_id, "no_answer", "hedged", verifier, answer.text, evidence)
    reason = "unscorable" if scores[0] is None else "different"
    return Verdict(attempt_id, "incorrect", reason, verifier, answer.text, evidence)


def _scored(family: str, reference: str, metadata: Mapping[str, Any], answer: str) -> float | None:
    """The score, or None if the scorer cannot read the answer."""
    try:
        return score(family, reference, metadata, answer)
    except MemoryError:  # the machine's fault, and no verdict on the answer
        raise
    except Exception:  # scorers raise what they like; the reference has just passed the same way
        return None


def _evidence(answer: Answer, found: float | None) -> str:
    fields = {"rule": answer.rule, "score": found, "span": (answer.start, answer.end)}
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
