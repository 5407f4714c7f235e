"""From what a recipe says after `use:` to the stage.

A short name is a file of tracefactory/stages that has a `STAGE`; anything with a colon is an
address, `module:name`, in any installed package. There is no registry.
"""

import importlib
import pkgutil
import re
from typing import cast

import tracefactory.stages
from tracefactory.recipe.errors import did_you_mean, listed
from tracefactory.recipe.model import KINDS, Resolve, Stage, StageConfig

_ADDRESS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_NO_STAGES = ("contract",)
"""Files of the room that hold no stage."""


class StageNotFoundError(LookupError):
    """A `use` that leads to no stage; the text says why and what there is."""


def shipped_stages() -> list[str]:
    """Return the short names that `use` knows, without importing any of them."""
    names = (module.name for module in pkgutil.iter_modules(tracefactory.stages.__path__))
    return sorted(name for name in names if not name.startswith("_") and name not in _NO_STAGES)


def resolve_stage(use: str) -> Stage:
    """Import the stage that a short name or an address names. An address runs the code it names.

    Raises:
        StageNotFoundError: if there is no such name, if the module cannot be imported, or if what
            is there is no stage.
    """
    address = use
    if ":" not in use:
        known = shipped_stages()
        if use not in known:
            near = did_you_mean(use, known) or ";"
            own = "one of your own is written module:name"
            raise StageNotFoundError(f"no stage {use!r}{near} shipped: {listed(known)}; {own}")
        address = f"tracefactory.stages.{use}:STAGE"
    if not _ADDRESS.fullmatch(address):
        raise StageNotFoundError(f"{use!r} is no address; write it as mypkg.stages:shorten")
    return checked(_imported(address), use)


def checked(stage: object, use: str) -> Stage:
    """Return what was found if it is a stage.

    Raises:
        StageNotFoundError: naming what it lacks.
    """
    config, kind = getattr(stage, "Config", None), getattr(stage, "kind", None)
    if not (isinstance(config, type) and issubclass(config, StageConfig)):
        raise StageNotFoundError(f"{use!r} is no stage: it has no Config that is a StageConfig")
    if kind not in KINDS:
        kinds = listed(KINDS)
        raise StageNotFoundError(f"{use!r} is no stage: its kind is {kind!r}, not one of {kinds}")
    return cast("Stage", stage)


def resolved(resolve: Resolve, use: str) -> Stage:
    """Resolve and check, whatever does the resolving.

    Raises:
        StageNotFoundError: in place of any LookupError.
    """
    try:
        stage = resolve(use)
    except StageNotFoundError:
        raise
    except LookupError as error:
        raise StageNotFoundError(f"no stage {use!r} ({error})") from error
    return checked(stage, use)


def _imported(address: str) -> object:
    module_name, _, attribute = address.partition(":")
    try:
        found: object = importlib.import_module(module_name)
    except Exception as error:  # anybody's module may raise anything while it is imported
        said = f"{type(error).__name__}: {error}"
        raise StageNotFoundError(f"{address}: cannot import {module_name!r} ({said})") from error
    for name in attribute.split("."):
        if not hasattr(found, name):
            public = [known for known in vars(found) if not known.startswith("_")]
            near = did_you_mean(name, public)
            raise StageNotFoundError(f"{address}: {module_name} has no {name!r}{near}")
        found = getattr(found, name)
    return found
