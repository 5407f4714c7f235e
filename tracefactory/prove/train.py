"""Train one small model on one arm's texts, at a budget of tokens.

Muon on matrices, AdamW on the rest, 1,024 tokens a step, loss on the completions alone, a short
warm-up and a linear decay over the last 60 %. One thread, one seed: the same figures each time.

Not here: what is trained on what (arms.py), how well it went (evaluate.py).
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from tracefactory.prove.model import SmallLlama
from tracefactory.prove.muon import Muon

STEP_TOKENS = 1_024
MUON_RATE, ADAM_RATE = 0.01, 3e-3
WARM_UP, DECAY = 0.04, 0.6
"""Shares of the run."""
_WINDOW = 64
"""Steps whose texts are sorted by length together, so that little of a batch is padding."""


@dataclass(frozen=True, slots=True)
class Example:
    """One text; the model is asked for what comes after the prompt."""

    ids: tuple[int, ...]
    n_prompt: int


@dataclass(frozen=True, slots=True)
class Curve:
    """How the loss went, in nats a token of completion."""

    tokens: tuple[int, ...]
    """Tokens seen when each loss was taken."""
    losses: tuple[float, ...]
    """Means over the steps since the one before."""
    final: float
    """Mean over the last twentieth of the run."""
    passes: float
    """How often the texts were seen, on average."""


def train(
    model: SmallLlama, examples: Sequence[Example], budget: int, seed: int, pad: int
) -> Curve:
    """Train until `budget` tokens were seen, padding not counted. The model is changed in place."""
    device = model.model.embed_tokens.weight.device
    steps = _planned(examples, budget)
    named = list(model.named_parameters())
    muon = Muon(w for name, w in named if w.dim() == 2 and "embed" not in name)
    adam = torch.optim.AdamW(
        [w for name, w in named if w.dim() != 2 or "embed" in name],
        betas=(0.9, 0.95),
        weight_decay=0.0,
    )
    losses: list[float] = []
    seen: list[int] = []
    total = n_examples = 0
    for batch in _batches(examples, seed):
        share = total / budget
        scale = min(1.0, (share + 1 / steps) / WARM_UP, max(0.02, (1 - share) / DECAY))
        inputs, targets = _padded(batch, pad, device)
        hidden, _ = model.hidden(inputs)
        asked = targets != -100
        loss = functional.cross_entropy(model.logits(hidden[asked]), targets[asked])
        torch.autograd.backward(loss)
        muon.step(MUON_RATE * scale)
        adam.param_groups[0]["lr"] = ADAM_RATE * scale
        adam.step()
        adam.zero_grad(set_to_none=True)
        total += sum(len(one.ids) for one in batch)
        n_examples += len(batch)
        losses.append(loss.item())
        seen.append(total)
        if total >= budget:
            break
    return _curve(seen, losses, n_examples / len(examples))


def _planned(examples: Sequence[Example], budget: int) -> int:
    mean = sum(len(one.ids) for one in examples) / len(examples)
    return max(1, math.ceil(budget / (mean * max(1, STEP_TOKENS // mean))))


def _batches(examples: Sequence[Example], seed: int) -> Iterator[list[Example]]:
    """Batches of about STEP_TOKENS with their padding, pass after pass, without end."""
    rng = random.Random(f"order:{seed}")
    while True:
        order = list(examples)
        rng.shuffle(order)
        mean = sum(len(one.ids) for one in order) / len(order)
        window = max(1, int(STEP_TOKENS / mean)) * _WINDOW
        for start in range(0, len(order), window):
            batches = list(_cut(sorted(order[start : start + window], key=lambda e: len(e.ids))))
            rng.shuffle(batches)
            yield from batches


def _cut(texts: Sequence[Example]) -> Iterator[list[Example]]:
    """Texts, shortest first, in batches that with padding have STEP_TOKENS at most."""
    batch: list[Example] = []
    for one in texts:
        if batch and (len(batch) + 1) * len(one.ids) > STEP_TOKENS:
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _padded(batch: Sequence[Example], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Inputs and what should come next, (batch, length); -100 where nothing is asked."""
    length = max(len(one.ids) for one in batch)
    ids = torch.full((len(batch), length), pad)
    targets = torch.full((len(batch), length), -100)
    for row, one in enumerate(batch):
        ids[row, : len(one.ids)] = torch.tensor(one.ids)
        targets[row, one.n_prompt - 1 : len(one.ids) - 1] = torch.tensor(one.ids[one.n_prompt :])
    return ids.to(device), targets.to(device)


def _curve(seen: Sequence[int], losses: Sequence[float], passes: float) -> Curve:
    bins = min(60, len(losses))
    edges = [round(i * len(losses) / bins) for i in range(bins + 1)]
    last = losses[-max(1, len(losses) // 20) :]
    return Curve(
        tuple(seen[end - 1] for end in edges[1:]),
        tuple(round(sum(losses[a:b]) / (b - a), 6) for a, b in pairwise(edges)),
        round(sum(last) / len(last), 6),
        round(passes, 2),
    )
