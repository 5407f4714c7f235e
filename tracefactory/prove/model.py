"""A small Llama in plain torch: fast to train on one core, saved as `LlamaForCausalLM`.

Names of modules are those of transformers, so that a saved model is one more Llama to whoever loads
it. Beside transformers' own class it trains twice as fast at this size, for there is nothing in it
that is not needed.

Not here: training (train.py), text (tokens.py).
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from tracefactory.errors import SourceError

Cache = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, (batch, heads, positions, head width)."""


@dataclass(frozen=True, slots=True)
class Size:
    """The defaults learn the family of the proof in 30 s on one core; wider is slower to learn."""

    vocabulary: int
    width: int = 64
    layers: int = 2
    heads: int = 4
    hidden: int = 176
    """Of the gated feed-forward layers."""
    positions: int = 1024
    """Longest text, in tokens."""


class _Attention(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.q_proj = nn.Linear(size.width, size.width, bias=False)
        self.k_proj = nn.Linear(size.width, size.width, bias=False)
        self.v_proj = nn.Linear(size.width, size.width, bias=False)
        self.o_proj = nn.Linear(size.width, size.width, bias=False)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        batch, length, width = x.shape
        # One product for the three: at this size calls cost as much as work.
        weight = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight])
        qkv = functional.linear(x, weight).view(batch, length, 3, self.heads, width // self.heads)
        qkv = qkv.permute(2, 0, 3, 1, 4)
        q, k = _turned(qkv[:2], turn)
        v = qkv[2]
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        # With a past there is one new position, which may look at all of them.
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=past is None)
        y = y.transpose(1, 2).reshape(batch, length, width)
        return cast("Tensor", self.o_proj(y)), (k, v)


def _turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions, in transformers' order: the second half of a head goes with the first."""
    first, second = x.chunk(2, -1)
    cos, sin = turn
    return torch.cat(
        (
            torch.addcmul(first * cos, second, sin, value=-1),
            torch.addcmul(second * cos, first, sin),
        ),
        -1,
    )


class _FeedForward(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(size.width, size.hidden, bias=False)
        self.up_proj = nn.Linear(size.width, size.hidden, bias=False)
        self.down_proj = nn.Linear(size.hidden, size.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.cat([self.gate_proj.weight, self.up_proj.weight])
        gate, up = functional.linear(x, weight).chunk(2, -1)
        gated = functional.silu(gate) * up
        return cast("Tensor", self.down_proj(gated))


class _Layer(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(size.width, eps=1e-6)
        self.self_attn = _Attention(size)
        self.post_attention_layernorm = nn.RMSNorm(size.width, eps=1e-6)
        self.mlp = _FeedForward(size)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, kept = self.self_attn(self.input_layernorm(x), turn, past)
        x = x + y
        return x + self.mlp(self.post_attention_layernorm(x)), kept


class _Body(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(size.vocabulary, size.width)
        self.layers = nn.ModuleList(_Layer(size) for _ in range(size.layers))
        self.norm = nn.RMSNorm(size.width, eps=1e-6)


class SmallLlama(nn.Module):
    """Logits of the next token; input and output embeddings are one matrix."""

    def __init__(self, size: Size, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.size = size
        self.model = _Body(size)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, std=0.02 if "embed" in name else weight.shape[1] ** -0.5)
        half = torch.arange(0, size.width // size.heads, 2) / (size.width // size.heads)
        angles = torch.outer(torch.arange(size.positions), 10_000.0**-half)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def hidden(self, ids: Tensor, past: Cache | None = None) -> tuple[Tensor, Cache]:
        """The last layer's output, (batch, length, width), and what later positions look at."""
        start = past[0][0].shape[2] if past else 0
        at = slice(start, start + ids.shape[1])
        turn = (cast("Tensor", self.cos)[at], cast("Tensor", self.sin)[at])
        x, kept = self.model.embed_tokens(ids), []
        for number, layer in enumerate(self.model.layers):
            x, pair = layer(x, turn, past[number] if past else None)
            kept.append(pair)
        return self.model.norm(x), kept

    def logits(self, hidden: Tensor) -> Tensor:
        """Of hidden states, over the vocabulary."""
        return functional.linear(hidden, self.model.embed_tokens.weight)


def choose_device(wanted: str | None) -> torch.device:
    """`cpu` unless asked for another.

    Raises:
        SourceError: that device is not there.
    """
    device = torch.device(wanted or "cpu")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SourceError("--device cuda: torch finds no GPU here; leave it out to train on cores")
    return device
