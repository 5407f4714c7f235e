"""A small model as the teacher of a recipe: `{kind: tracefactory.prove.teacher:SmallModel, ...}`.

    teacher:
      kind: tracefactory.prove.teacher:SmallModel
      options: {path: models/verified-0, sha256: 0f3a…, temperature: 0.8, license: Apache-2.0}

In this process, on one core. What it says depends on the request's seed, not on its neighbours.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from pathlib import Path

import torch

from tracefactory.errors import RecipeError
from tracefactory.prove.evaluate import Speaker
from tracefactory.prove.save import WEIGHTS, load_model
from tracefactory.teachers.contract import Completion, Request, TeacherInfo

VERSION = "1"
BATCH = 1_024
"""Requests answered together."""


def weights_sha256(folder: Path) -> str:
    """Of a saved model: its name in recipes and rows."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()


class SmallModel:
    """A model that `prove` or `loop` trained. It honours prefixes."""

    def __init__(
        self,
        path: str,
        sha256: str,
        temperature: float = 0.8,
        max_new: int = 256,
        license: str = "unknown",
        name: str = "small-llama",
    ) -> None:
        """Load the model.

        Args:
            path: its folder.
            sha256: of its weights: another model is other work.
            temperature: 0 for the likeliest answer.
            max_new: tokens of an answer at most.
            license: SPDX identifier, of its outputs.
            name: in rows.

        Raises:
            SourceError: there is no model.
            RecipeError: it is another one.
        """
        torch.set_num_threads(1)  # a worker has one core
        found = weights_sha256(Path(path)) if (Path(path) / WEIGHTS).is_file() else "nothing"
        if found != sha256:
            raise RecipeError(f"{path} holds {found}, and the recipe asks for the model {sha256}")
        model, tokens = load_model(Path(path))
        self._speaker = Speaker(model, tokens, max_new)
        self._temperature = temperature
        self.info = TeacherInfo(
            name=name,
            revision=f"sha256:{sha256}",
            license=license,
            paid=False,
            continues=True,
        )

    async def complete(self, requests: Iterable[Request]) -> AsyncIterator[Completion]:
        """Answer the requests, many at a time."""
        left = iter(requests)
        while batch := list(islice(left, BATCH)):
            texts = self._speaker.say(
                [list(request.messages) for request in batch],
                self._temperature,
                [request.seed for request in batch],
                [request.prefix for request in batch],
            )
            for request, text in zip(batch, texts, strict=True):
                yield Completion(request.problem.id, request.index, text)
