"""The small model is a Llama, its training repeats, and its answers are its own."""

import random
import string
from collections import Counter

import pytest
import torch

from tracefactory.errors import SourceError
from tracefactory.prove.generate import generate
from tracefactory.prove.model import Size, SmallLlama
from tracefactory.prove.muon import orthogonal
from tracefactory.prove.save import load_model, save_model
from tracefactory.prove.tokens import MIN_COUNT, tokens_of
from tracefactory.prove.train import STEP_TOKENS, Example, _batches, train

TOKENS = tokens_of([string.printable] * MIN_COUNT)
RNG = random.Random(0)
COPIES = [
    Example((*word, 3, *word, TOKENS.end), 7)
    for word in (tuple(RNG.choices(range(8, 40), k=6)) for _ in range(200))
]


def trained(budget, seed=0):
    model = SmallLlama(Size(len(TOKENS), positions=64), seed)
    return model, train(model, COPIES, budget, seed, TOKENS.pad)


@pytest.fixture(scope="module")
def copier():
    return trained(60_000)


def test_training_learns(copier):
    _, curve = copier
    assert curve.losses[0] > 3
    assert curve.final < curve.losses[0] / 2
    assert curve.tokens[-1] >= 60_000
    assert len(curve.tokens) == len(curve.losses)


def test_the_same_seed_gives_the_same_model():
    first, _ = trained(5_000)
    again, _ = trained(5_000)
    other, _ = trained(5_000, seed=1)
    pairs = list(zip(first.parameters(), again.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(first.model.embed_tokens.weight, other.model.embed_tokens.weight)


def test_each_pass_has_each_text_once():
    batches = _batches(COPIES, 3)
    seen = Counter()
    while sum(seen.values()) < 2 * len(COPIES):
        batch = next(batches)
        assert len(batch) * max(len(one.ids) for one in batch) <= STEP_TOKENS
        seen.update(batch)
        if sum(seen.values()) == len(COPIES):
            assert set(seen) == set(COPIES)
    assert set(seen.values()) == {2 * COPIES.count(one) for one in seen}


def test_transformers_loads_it_and_says_the_same_on_256_prompts(copier, tmp_path):
    from transformers import AutoModelForCausalLM, LlamaForCausalLM

    model = copier[0].eval()
    save_model(tmp_path, model, TOKENS)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(theirs) is LlamaForCausalLM
    prompts = [RNG.choices(range(8, 40), k=7) for _ in range(256)]
    ids = torch.tensor(prompts)
    with torch.inference_mode():
        gap = (theirs(ids).logits - model.logits(model.hidden(ids)[0])).abs().max()
        said = theirs.generate(ids, max_new_tokens=12, do_sample=False)[:, 7:].tolist()
    assert gap < 1e-3
    cut = [one[: one.index(TOKENS.end)] if TOKENS.end in one else one for one in said]
    assert cut == generate(model, prompts, TOKENS.end, 12)


def test_what_was_saved_comes_back(copier, tmp_path):
    model, _ = copier
    save_model(tmp_path, model, TOKENS)
    again, tokens = load_model(tmp_path)
    assert tokens.tokenizer.to_str() == TOKENS.tokenizer.to_str()
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True)
    )
    (tmp_path / "model.safetensors").write_bytes(b"{}")
    with pytest.raises(SourceError, match="holds no model"):
        load_model(tmp_path)


def test_an_answer_does_not_depend_on_its_neighbours(copier):
    model, _ = copier
    prompts = [RNG.choices(range(8, 40), k=RNG.randint(3, 9)) for _ in range(40)]
    seeds = list(range(40))
    together = generate(model, prompts, TOKENS.end, 10, 1.0, seeds)
    alone = [
        generate(model, [p], TOKENS.end, 10, 1.0, [s])[0]
        for p, s in zip(prompts, seeds, strict=True)
    ]
    # Sums of floats differ with the size of a batch, so one token in thousands may be another.
    assert sum(a == b for a, b in zip(together, alone, strict=True)) >= 38
    assert together != generate(model, prompts, TOKENS.end, 10, 1.0, seeds[::-1])
    assert generate(model, prompts, TOKENS.end, 10) == generate(model, prompts, TOKENS.end, 10)


def test_draws_follow_the_temperature(copier):
    model, _ = copier
    prompt = COPIES[0].ids[:7]
    with torch.inference_mode():
        weights = model.logits(model.hidden(torch.tensor([prompt]))[0][:, -1]).softmax(-1)[0]
    drawn = generate(model, [prompt] * 4000, TOKENS.end, 1, 1.0, list(range(4000)))
    counts = Counter(one[0] if one else TOKENS.end for one in drawn)
    for token, share in enumerate(weights.tolist()):
        assert abs(counts[token] / 4000 - share) < 0.04


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 24, 8), (2, 8, 24)])
def test_muon_s_step_is_nearly_orthogonal(shape):
    torch.manual_seed(0)
    found = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert found.min() > 0.4
    assert found.max() < 1.4
