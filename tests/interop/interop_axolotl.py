"""Axolotl's reader of conversations, with its defaults: python interop_axolotl.py FOLDER."""

import sys

from axolotl.prompt_strategies.chat_template import load
from axolotl.utils.dict import DictDefault
from datasets import load_dataset
from interop_parts import tell, tokenizer

words = tokenizer()
told = {}
for config in ("sft", "sft_reasoning"):
    row = load_dataset(sys.argv[1], config, split="train")[0]
    # What a user writes: `type: chat_template`, and the path.
    strategy = load(
        words,
        DictDefault(sequence_len=4096, train_on_inputs=False),
        DictDefault(path=sys.argv[1], name=config, type="chat_template"),
    )
    made = strategy.tokenize_prompt(row)
    kept = [i for i, label in zip(made["input_ids"], made["labels"], strict=True) if label != -100]
    told[config] = {
        "text": words.decode(made["input_ids"]),
        "trained_on": words.decode(kept),
        "row": row,
    }
tell(told)
