"""Answers of a small model, many prompts at a time.

Prompts of one length go together, so nothing is padded and positions are what they were in
training. What is drawn for a prompt depends on its own seed and not on its neighbours.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tracefactory.prove.model import SmallLlama

BATCH = 256


@torch.inference_mode()
def generate(
    model: SmallLlama,
    prompts: Sequence[Sequence[int]],
    end: int,
    max_new: int,
    temperature: float = 0.0,
    seeds: Sequence[int] | None = None,
) -> list[list[int]]:
    """What the model says after each prompt, without the mark of the end.

    Args:
        model: in any state of training.
        prompts: token numbers; each non-empty.
        end: the number that ends an answer.
        max_new: tokens at most; fewer where the model's positions run out.
        temperature: 0 takes the likeliest token; above, tokens are drawn.
        seeds: of the draws, one a prompt; needed above temperature 0.
    """
    device = model.model.embed_tokens.weight.device
    answers: list[list[int]] = [[] for _ in prompts]
    by_length: dict[int, list[int]] = {}
    for number, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt), []).append(number)
    for length in sorted(by_length):
        numbers = by_length[length]
        for start in range(0, len(numbers), BATCH):
            group = numbers[start : start + BATCH]
            ids = torch.tensor([list(prompts[n]) for n in group], device=device)
            room = max(0, min(max_new, model.size.positions - length))
            draws = None
            if temperature and seeds is not None:
                draws = _draws([seeds[n] for n in group], room).to(device)
            said = _continue(model, ids, end, room, temperature, draws)
            for number, tokens in zip(group, said.tolist(), strict=True):
                answers[number] = tokens[: tokens.index(end)] if end in tokens else tokens
    return answers


def _draws(seeds: Sequence[int], room: int) -> Tensor:
    """(batch, room) numbers in [0, 1): each row its seed's own."""
    rows = [np.random.Generator(np.random.Philox(seed)).random(room) for seed in seeds]
    return torch.from_numpy(np.stack(rows))


def _continue(
    model: SmallLlama,
    ids: Tensor,
    end: int,
    room: int,
    temperature: float,
    draws: Tensor | None,
) -> Tensor:
    """(batch, up to room) token numbers; what stands after an `end` means nothing."""
    hidden, past = model.hidden(ids)
    over = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    said: list[Tensor] = []
    for step in range(room):
        logits = model.logits(hidden[:, -1])
        if draws is None:
            chosen = logits.argmax(-1)
        else:
            reached = (logits.double() / temperature).softmax(-1).cumsum(-1)
            below = reached < draws[:, step : step + 1] * reached[:, -1:]
            chosen = below.sum(-1).clamp(max=logits.shape[-1] - 1)
        said.append(chosen)
        over |= chosen == end
        if bool(over.all()):
            break
        hidden, past = model.hidden(chosen[:, None], past)
    return torch.stack(said, 1) if said else ids[:, :0]
