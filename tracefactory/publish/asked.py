"""How teachers were asked, as a release may tell it: without the names of one's own machines."""

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


def public_asks(asks: Mapping[str, Any]) -> dict[str, Any]:
    """All that answers depend on, but the base URL of an endpoint that others cannot reach."""
    told = dict(asks)
    if not _is_public(urlsplit(str(told.get("base_url") or "")).hostname or ""):
        told.pop("base_url", None)
    return told


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        name = host.rstrip(".").lower()
        return "." in name and name.rpartition(".")[2] not in _OWN


_OWN = frozenset({"local", "localhost", "lan", "internal", "intranet", "corp", "home", "test"})
"""Last parts of names that mean something in one network alone (RFC 6761, 6762, and habit)."""
