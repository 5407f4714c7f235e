"""verl's reward manager with our function, named as its config names it: python ... FOLDER.

verl wants columns of its own; what a user writes to make them of `rl` is `prepared`.
"""

import sys

import numpy as np
import torch
from datasets import load_dataset
from interop_parts import tell, tokenizer
from omegaconf import OmegaConf
from verl import DataProto
from verl.trainer.ppo.reward import get_custom_reward_fn
from verl.workers.reward_manager.naive import NaiveRewardManager


def prepared(row):
    return {
        "data_source": row["source"],
        "reward_model": {"style": "rule", "ground_truth": row["verification_info"]},
    }


def batch_of(rows, responses, words):
    """A batch as verl's rollouts leave it: tokens of prompts and responses, columns beside them."""
    prompts = words([row["prompt"][0]["content"] for row in rows], padding_side="left",
                    padding=True, return_tensors="pt")  # fmt: skip
    answers = words(responses, padding_side="right", padding=True, return_tensors="pt")
    columns = ("data_source", "reward_model")
    return DataProto.from_dict(
        tensors={
            "prompts": prompts["input_ids"],
            "responses": answers["input_ids"],
            "attention_mask": torch.cat(
                [prompts["attention_mask"], answers["attention_mask"]], dim=1
            ),
        },
        non_tensors={name: np.array([r[name] for r in rows], dtype=object) for name in columns},
    )


function = get_custom_reward_fn(
    OmegaConf.create(
        {
            "reward": {
                "custom_reward_function": {
                    "path": "pkg://tracefactory.rewards",
                    "name": "compute_score",
                }
            }
        }
    )
)
data = load_dataset(sys.argv[1], "rl", split="train").map(prepared)
tasks = [data[n] for n in range(8)]
said = [f"<think>\nx\n</think>\n\n\\boxed{{{task['solution']}}}" for task in tasks[:4]]
said += ["\\boxed{no}", "I do not know.", "", "<think>\nlonger and longer"]
encoder = tokenizer()
manager = NaiveRewardManager(encoder, num_examine=0, compute_score=function)
rewards = manager(batch_of(tasks, said, encoder))
tell(rewards.sum(dim=1).tolist())
