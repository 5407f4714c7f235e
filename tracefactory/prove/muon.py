"""Muon: momentum whose step is made orthogonal, for the matrices of a small model.

All matrices of a shape are stepped as one batch, in single precision: torch's own takes them one at
a time in bfloat16, which costs twice the rest of the training where a processor has none.

Method: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), with its
Newton-Schulz coefficients.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_A, _B, _C = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5


class Muon:
    """Steps all given matrices; `rate` may change between steps."""

    def __init__(self, weights: Iterable[nn.Parameter], momentum: float = 0.95) -> None:
        by_shape: dict[torch.Size, list[nn.Parameter]] = {}
        for weight in weights:
            by_shape.setdefault(weight.shape, []).append(weight)
        self._groups = [(g, torch.zeros(len(g), *shape)) for shape, g in by_shape.items()]
        self._momentum = momentum

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step along the gradients; they are forgotten."""
        for group, (weights, held) in enumerate(self._groups):
            grads = torch.stack([w.grad for w in weights if w.grad is not None])
            held = held.to(grads.device)
            held.lerp_(grads, 1 - self._momentum)
            self._groups[group] = (weights, held)
            update = orthogonal(grads.lerp(held, self._momentum))
            rows, columns = weights[0].shape
            size = rate * max(1.0, rows / columns) ** 0.5
            for weight, one in zip(weights, update, strict=True):
                weight.add_(one, alpha=-size)
                weight.grad = None


def orthogonal(matrices: Tensor) -> Tensor:
    """(batch, rows, columns): the same singular vectors, singular values near 1."""
    x = matrices.mT if matrices.shape[-2] > matrices.shape[-1] else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    back: Tensor = x.mT if matrices.shape[-2] > matrices.shape[-1] else x
    return back
