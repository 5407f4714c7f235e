"""The driver as one text, for interpreters that cannot import us: behind bubblewrap, on a server.

What it imports of ours comes along, module by module, and is put where `import` finds it.
"""

import json
from functools import cache
from pathlib import Path

MODULES = ("limits", "plain", "driver")
"""In an order in which each finds what it imports."""

UNPACK = """
import sys
from types import ModuleType
def unpack(modules):
    for name in ("tracefactory", "tracefactory.sandbox"):
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__path__ = []
    for name, text in modules.items():
        full = "tracefactory.sandbox." + name
        module = sys.modules[full] = ModuleType(full)
        setattr(sys.modules["tracefactory.sandbox"], name, module)
        exec(compile(text, full, "exec", dont_inherit=True), module.__dict__)
"""
"""Source that defines `unpack`, for what `sources` gives."""


@cache
def sources() -> dict[str, str]:
    """The text of each module."""
    here = Path(__file__).parent
    return {name: (here / f"{name}.py").read_text("utf-8") for name in MODULES}


@cache
def sources_json() -> bytes:
    """The same as one line."""
    return json.dumps(sources()).encode()
