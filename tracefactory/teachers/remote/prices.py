"""What tokens cost, from a dated file of prices.

    date: 2026-11-01
    currency: USD
    models:
      small-reasoner: {input: 0.25, cached: 0.025, output: 2.00}   # for a million tokens

Not here: what a provider says that an answer cost (wire.py); that goes before any file.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from tracefactory.errors import RecipeError
from tracefactory.recipe.model import Settings

Dollars = Annotated[float, Field(ge=0)]


class Price(Settings):
    """In US dollars for a million tokens."""

    input: Dollars
    """Of the prompt."""
    output: Dollars
    """Reasoning and answer alike."""
    cached: Dollars | None = None
    """Of the prompt, those that the server had at hand; null: as `input`."""

    def nano_usd(
        self, n_prompt: int | None, n_cached: int | None, n_completion: int | None
    ) -> int | None:
        """What an answer cost, in 10^-9 dollars; None where its tokens are not known."""
        if n_prompt is None or n_completion is None:
            return None
        n_cached = n_cached or 0
        cached = self.input if self.cached is None else self.cached
        millionths = (n_prompt - n_cached) * self.input + n_cached * cached
        return round(1000 * (millionths + n_completion * self.output))


class Prices(Settings):
    """A file of prices."""

    date: date
    """When these were the prices."""
    currency: Literal["USD"]
    """Of all of them."""
    models: dict[str, Price]
    """By the model's name in recipes."""


def read_price(path: Path, model: str) -> Price:
    """The price of a model.

    Raises:
        RecipeError: there is no such file, it is none of prices, or the model is not in it.
    """
    try:
        prices = Prices.model_validate(yaml.safe_load(path.read_bytes()))
    except (OSError, yaml.YAMLError) as error:
        raise RecipeError(f"prices from {path}: {error}; give a file that can be read") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise RecipeError(
            f"prices from {path}: {faults}; wanted are date, currency: USD, and models with "
            "input and output"
        ) from error
    if model not in prices.models:
        raise RecipeError(
            f"prices from {path}: no {model!r}, only {', '.join(prices.models) or 'nothing'}; "
            "add it, or leave out `prices`"
        )
    return prices.models[model]
