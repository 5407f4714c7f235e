"""What each published column means, in a line: for the card and for croissant.json."""

from collections.abc import Iterator, Mapping

from tracefactory.schemas.traces import VIEW_SCHEMAS

_WORDS: Mapping[str, str] = {
    "id": "the row's own; of a trace `<problem_id>/<teacher>/<attempt_index>`",
    "messages": "user: statement, instruction; assistant: reasoning in `<think>`, the answer",
    "prompt": "the user's turn",
    "chosen": "the assistant's turn that is correct",
    "rejected": "the assistant's turn that is incorrect",
    "text": "statement, reasoning and answer as plain text",
    "solution": "the reference",
    "verification_info": "JSON: the checker's address and version, its options, the reference",
    "problem_id": "of the problem: joins the configs",
    "domain": "math, code, ...",
    "task_type": "the family or kind of problem",
    "source": "where the problem comes from",
    "license": "of the problem, as its source states it",
    "teacher": "who wrote the trace",
    "teacher_revision": "its exact version; `program:` where it is a program and not a model",
    "teacher_license": "under which its output is handed on",
    "answer": "the reference",
    "final_answer": "what the checker found in the response",
    "status": "the verdict: correct, incorrect, no_answer, undecided, bad_reference, error",
    "reason": "the checker's word for why",
    "verifier": "`module:function@version` of the checker",
    "n_true_steps": "steps that hold; null: not checked",
    "n_false_steps": "false steps that the trace does not put right; null: not checked",
    "pass_rate": "correct / (correct + incorrect + no_answer) over the first attempts",
    "n_rated": "attempts that pass_rate is over",
    "n_attempts": "attempts at the problem",
    "n_correct": "of them correct",
    "difficulty": "1 - pass_rate",
    "finish_reason": "why the teacher stopped; `length`: cut off",
    "n_prompt_tokens": "null: not counted",
    "n_reasoning_tokens": "null: not counted",
    "n_answer_tokens": "null: not counted",
    "token_count": "of the whole text; null: not counted",
    "tokenizer": "what counted them",
    "attempt_index": "which attempt of this teacher at this problem",
    "seed": "of its sampling; null: not known",
    "recipe_id": "hash of the resolved recipe",
    "content_sha256": "hash of the texts of the row",
    "attempt_id": "of the trace that was looked at: its row in `sft` or `rejected`",
    "kind": "alter: one step got another value; truncate: the reasoning was left out",
    "step": "number of the altered line, from 1; null: none was",
    "before": "the value that stood there",
    "after": "the value that stands there in the prefix",
    "prefix": "what the teacher is told that it has said",
    "continuation": "what it said next",
    "trace_answer": "the final answer of the trace as it was",
    "outcome": "of the final answer: moved, stayed, no_answer, unclear",
    "stage": "the stage of the recipe that looked",
    "level": "contaminated: dropped; suspect: kept; near: by a model of words, kept",
    "rule": "what was found: coverage, digits, whole, run, renumbered or semantic",
    "benchmark": "its name; manifest.json has its revision and number of items",
    "item": "the nearest item of it: its id, or its number",
    "coverage": "share of the item's runs of 8 tokens in the text; null: not measured",
    "masked_coverage": "the same of runs of 5, numbers masked; null: not remarkable",
    "longest_match": "tokens of the longest run in common; null: not measured",
    "n_items": "items of this benchmark that were found in the text",
    "similarity": "cosine by a model of words; null: not measured",
    "dropped_by": "the stage that dropped it",
    "drop_reason": "its rule, or the row that it repeats",
}
_OF_ONE_SIDE = ("chosen_", "rejected_")


def words_for(column: str) -> str:
    """What it means; of `chosen_teacher` what `teacher` means, of the chosen one.

    Raises:
        KeyError: nobody has said.
    """
    if column in _WORDS:
        return _WORDS[column]
    for side in _OF_ONE_SIDE:
        if column.startswith(side):
            return f"of the {side[:-1]} one: {_WORDS[column.removeprefix(side)]}"
    raise KeyError(column)


def columns_of(config: str) -> Iterator[tuple[str, str]]:
    """Names of a config's columns with their meaning, in order."""
    for name in VIEW_SCHEMAS[config].names:
        yield name, words_for(name)
