"""How teachers were asked, as a release may tell it: without the names of one's own machines."""

from collections.abc import Mapping
from typing import Any

from tracefactory.board import without_paths


def public_asks(asks: Mapping[str, Any]) -> dict[str, Any]:
    """All that answers depend on, but local paths and endpoints that others cannot reach."""
    told: dict[str, Any] = without_paths(asks)
    return {key: value for key, value in told.items() if value is not None or asks[key] is None}
