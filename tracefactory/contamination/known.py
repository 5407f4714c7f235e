"""Public benchmarks by name: where they are on the Hub, and which columns hold the question.

A revision pins the very rows. Where none stands here, the commit of the first reading is pinned in
the receipt; either way it is in the manifest. A recipe may name another (settings.py).

Not here: benchmarks that come as loading scripts (`datasets` runs none), and their training splits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Subject = Literal["math", "science", "code", "general"]


@dataclass(frozen=True, slots=True)
class Known:
    """Where a benchmark is, as its makers (or those who keep it) published it."""

    id: str
    """Hub id."""
    split: str
    text: tuple[str, ...]
    """Columns of the question; those after the first are added where an item is too short."""
    subject: Subject
    revision: str | None = None
    """Commit."""
    configs: tuple[str | None, ...] = (None,)
    gated: bool = False
    """The Hub wants its terms agreed to and a token; `all` and subjects leave it out."""


_MATH = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory",
    "prealgebra", "precalculus",
)  # fmt: skip
_BBH = (
    "boolean_expressions", "causal_judgement", "date_understanding", "disambiguation_qa",
    "dyck_languages", "formal_fallacies", "geometric_shapes", "hyperbaton",
    "logical_deduction_five_objects", "logical_deduction_seven_objects",
    "logical_deduction_three_objects", "movie_recommendation", "multistep_arithmetic_two",
    "navigate", "object_counting", "penguins_in_a_table", "reasoning_about_colored_objects",
    "ruin_names", "salient_translation_error_detection", "snarks", "sports_understanding",
    "temporal_sequences", "tracking_shuffled_objects_five_objects",
    "tracking_shuffled_objects_seven_objects", "tracking_shuffled_objects_three_objects",
    "web_of_lies", "word_sorting",
)  # fmt: skip

KNOWN: Mapping[str, Known] = {
    "gsm8k": Known(
        "openai/gsm8k", "test", ("question",), "math",
        "740312add88f781978c0658806c59bc2815b9866", ("main",),
    ),
    "gsm_plus": Known(
        "qintongli/GSM-Plus", "test", ("question",), "math",
        "3b708db57b96a16e8e3368ed2956990c0809440e",
    ),
    "gsm_symbolic": Known(
        "apple/GSM-Symbolic", "test", ("question",), "math", configs=("main", "p1", "p2")
    ),
    "svamp": Known(
        "ChilleD/SVAMP", "test", ("Body", "Question"), "math",
        "5e0bf1e5e7c0e9c4bc39180d224f41f3f801b7ef",
    ),
    "hendrycks_math": Known(
        "EleutherAI/hendrycks_math", "test", ("problem",), "math",
        "21a5633873b6a120296cce3e2df9d5550074f4a3", _MATH,
    ),
    "math_500": Known(
        "HuggingFaceH4/MATH-500", "test", ("problem",), "math",
        "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
    ),
    "aime_2024": Known(
        "HuggingFaceH4/aime_2024", "train", ("problem",), "math",
        "2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
    ),
    "aime_2025": Known(
        "math-ai/aime25", "test", ("problem",), "math",
        "563bb8404243c5f09de6ec262f2db674fe5bce9b",
    ),
    "aime_2022_2024": Known("AI-MO/aimo-validation-aime", "train", ("problem",), "math"),
    "amc_2022_2023": Known("AI-MO/aimo-validation-amc", "train", ("problem",), "math"),
    "hmmt_feb_2025": Known("MathArena/hmmt_feb_2025", "train", ("problem",), "math"),
    "beyond_aime": Known("ByteDance-Seed/BeyondAIME", "test", ("problem",), "math"),
    "olympiadbench": Known(
        "Hothan/OlympiadBench", "train", ("question",), "math",
        "91184b52131e7fc9455fef848035173aea8cc01a", ("OE_TO_maths_en_COMP",),
    ),
    "omni_math": Known("KbsdJames/Omni-MATH", "test", ("problem",), "math"),
    "minerva_math": Known("math-ai/minervamath", "test", ("question",), "math"),
    "mmlu": Known(
        "cais/mmlu", "test", ("question", "choices"), "science",
        "c30699e8356da336a370243923dbaf21066bb9fe", ("all",),
    ),
    "mmlu_pro": Known(
        "TIGER-Lab/MMLU-Pro", "test", ("question", "options"), "science",
        "b189ec765aa7ed75c8acfea42df31fdae71f97be",
    ),
    "supergpqa": Known(
        "m-a-p/SuperGPQA", "train", ("question", "options"), "science",
        "4430d4458112c7d4497fdcf94d7cc223313d6acf",
    ),
    "gpqa": Known(
        "Idavidrein/gpqa", "train", ("Question",), "science", configs=("gpqa_extended",),
        gated=True,
    ),
    "hle": Known("cais/hle", "test", ("question",), "science", gated=True),
    "arc_challenge": Known(
        "allenai/ai2_arc", "test", ("question", "choices.text"), "science",
        "210d026faf9955653af8916fad021475a3f00453", ("ARC-Challenge",),
    ),
    "arc_easy": Known(
        "allenai/ai2_arc", "test", ("question", "choices.text"), "science",
        "210d026faf9955653af8916fad021475a3f00453", ("ARC-Easy",),
    ),
    "openbookqa": Known(
        "allenai/openbookqa", "test", ("question_stem", "choices.text"), "science",
        "388097ea7776314e93a529163e0fea805b8a6454", ("main",),
    ),
    "humaneval": Known(
        "openai/openai_humaneval", "test", ("prompt",), "code",
        "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544",
    ),
    "mbpp": Known(
        "google-research-datasets/mbpp", "test", ("text",), "code",
        "4bb6404fdc6cacfda99d4ac4205087b89d32030c", ("full",),
    ),
    "bigcodebench": Known("bigcode/bigcodebench", "v0.1.2", ("instruct_prompt",), "code"),
    "bbh": Known(
        "lukaemon/bbh", "test", ("input",), "general",
        "982bb89fd79532a8ac676a61fc42eb1aeec63f99", _BBH,
    ),
    "hellaswag": Known(
        "Rowan/hellaswag", "validation", ("ctx", "endings"), "general",
        "218ec52e09a7e7462a5400043bb9a69a41d06b76",
    ),
    "winogrande": Known(
        "allenai/winogrande", "validation", ("sentence", "option1", "option2"), "general",
        "01e74176c63542e6b0bcb004dcdea22d94fb67b5", ("winogrande_xl",),
    ),
    "truthfulqa": Known(
        "truthfulqa/truthful_qa", "validation", ("question", "best_answer"), "general",
        "741b8276f2d1982aa3d5b832d3ee81ed3b896490", ("generation",),
    ),
    "ifeval": Known(
        "google/IFEval", "train", ("prompt",), "general",
        "966cd89545d6b6acfd7638bc708b98261ca58e84",
    ),
    "simpleqa": Known("basicv8vc/SimpleQA", "test", ("problem",), "general"),
}  # fmt: skip


def names_of(group: str) -> tuple[str, ...]:
    """The benchmarks of a subject, or `all`; none that is gated. Empty: there is no such group."""
    return tuple(
        name for name, known in KNOWN.items() if not known.gated and group in ("all", known.subject)
    )
