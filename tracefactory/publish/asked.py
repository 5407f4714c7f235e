"""How teachers were asked, as a release may tell it: without the names of one's own machines."""

from collections.abc import Mapping
from typing import Any

from tracefactory.hosts import is_public


def public_asks(asks: Mapping[str, Any]) -> dict[str, Any]:
    """All that answers depend on, but the base URL of an endpoint that others cannot reach."""
    told = dict(asks)
    if not is_public(str(told.get("base_url") or "")):
        told.pop("base_url", None)
    return told
