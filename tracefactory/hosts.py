"""Which addresses mean something to others, and which only in one's own network."""

import ipaddress
from urllib.parse import urlsplit


def is_public(url: str) -> bool:
    """Does the URL name a host that others may know?"""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        name = host.rstrip(".").lower()
        return "." in name and name.rpartition(".")[2] not in _OWN


_OWN = frozenset({"local", "localhost", "lan", "internal", "intranet", "corp", "home", "test"})
"""Last parts of names that mean something in one network alone (RFC 6761, 6762, and habit)."""
