"""TRL's trainers over a dataset, with no argument about its columns: python ... FOLDER."""

import sys

from datasets import load_dataset
from interop_parts import model, tell, tokenizer, two_steps
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from tracefactory.rewards import correct

words = tokenizer()
folder = sys.argv[1]


def supervised(config):
    rows = load_dataset(folder, config, split="train")
    trainer = SFTTrainer(
        model=model(words), args=SFTConfig(**two_steps()), train_dataset=rows,
        processing_class=words,
    )  # fmt: skip
    first = trainer.train_dataset[0]
    steps = trainer.train().global_step
    return {"steps": steps, "text": words.decode(first["input_ids"]), "row": rows[0]}


def plain():
    rows = load_dataset(folder, "pretrain", split="train")
    trainer = SFTTrainer(
        model=model(words), args=SFTConfig(**two_steps()), train_dataset=rows,
        processing_class=words,
    )  # fmt: skip
    text = words.decode(trainer.train_dataset[0]["input_ids"])
    return {"steps": trainer.train().global_step, "text": text, "row": rows[0]}


def solved(prompts, completions, solution, verification_info, **columns):
    """What `correct` gives in the trainer's own call, had the model answered right."""
    right = [[{"role": "assistant", "content": f"\\boxed{{{answer}}}"}] for answer in solution]
    return correct(
        prompts=prompts, completions=right, verification_info=verification_info, **columns
    )


def reinforced():
    rows = load_dataset(folder, "rl", split="train")
    trainer = GRPOTrainer(
        model=model(words), reward_funcs=[correct, solved], train_dataset=rows,
        args=GRPOConfig(num_generations=2, max_completion_length=8, **two_steps()),
        processing_class=words,
    )  # fmt: skip
    steps = trainer.train().global_step
    logs = [entry for entry in trainer.state.log_history if "reward" in entry]
    return {
        "steps": steps,
        "correct": [entry["rewards/correct/mean"] for entry in logs],
        "solved": [entry["rewards/solved/mean"] for entry in logs],
    }


def preferred():
    rows = load_dataset(folder, "preference", split="train")
    trainer = DPOTrainer(
        model=model(words), ref_model=model(words), args=DPOConfig(**two_steps()),
        train_dataset=rows, processing_class=words,
    )  # fmt: skip
    first = trainer.train_dataset[0]
    texts = {k: words.decode(first[f"{k}_ids"]) for k in ("prompt", "chosen", "rejected")}
    return {"steps": trainer.train().global_step, "row": rows[0], **texts}


tell(
    {
        "sft": supervised("sft"),
        "sft_reasoning": supervised("sft_reasoning"),
        "pretrain": plain(),
        "rl": reinforced(),
        "preference": preferred(),
    }
)
