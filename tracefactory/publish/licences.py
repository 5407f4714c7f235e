"""Whether the licences of a dataset's rows go together under one licence for the whole.

For each licence the table says under which licences a whole that holds such rows may be handed on:
a permissive one under any, one with share-alike under itself (and those named as compatible), one
against derivatives under none. Rows go together when some licence is open to all of them.

What it rests on:

    Creative Commons, "CC license compatibility" (wiki.creativecommons.org/wiki/
        Wiki/cc_license_compatibility): BY-SA does not go with any NC, ND allows no adaptation
    Creative Commons, "Compatible licenses" (creativecommons.org/share-your-work/
        licensing-considerations/compatible-licenses): BY-SA 4.0 one way into GPL 3.0; BY-SA 3.0
        into its later version
    Free Software Foundation, "Various licenses and comments" (gnu.org/licenses/license-list.html):
        which go with the GPL, and that Apache-2.0 and GPL-3.0 do not go with GPL-2.0 alone
    Open Data Commons, ODbL 1.0, section 4.4 (opendatacommons.org/licenses/odbl/1-0): share-alike
    SPDX License List (spdx.org/licenses): the identifiers

It is no legal advice: a collection whose rows each keep their own licence may be lawful where one
licence for the whole is not. So it stops a publication, and a stated licence lets it go on.

Not here: licences of teachers' outputs; what a publication then does (publish/release.py).
"""

from collections.abc import Collection, Iterable, Mapping

UNKNOWN = frozenset({"", "unknown", "other", "none", "noassertion"})
"""Words, in small letters, that name no licence."""

_ANY = frozenset({"*"})
_GPL3 = frozenset({"gpl-3.0-only", "gpl-3.0-or-later", "agpl-3.0-only", "agpl-3.0-or-later"})
_GPL2_LATER = frozenset({"gpl-2.0-only", "gpl-2.0-or-later"}) | _GPL3
_NOT_GPL2 = "not gpl-2.0-only"

_PERMISSIVE = (
    "0bsd", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "cc-by-3.0", "cc-by-4.0", "cc0-1.0",
    "cdla-permissive-1.0", "cdla-permissive-2.0", "isc", "mit", "mit-0", "ncsa", "odc-by-1.0",
    "pddl-1.0", "postgresql", "psf-2.0", "python-2.0", "unlicense", "zlib",
)  # fmt: skip

_ONWARD: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_PERMISSIVE, _ANY),
    "apache-2.0": frozenset({_NOT_GPL2}),
    "cc-by-sa-3.0": frozenset({"cc-by-sa-3.0", "cc-by-sa-4.0"}),
    "cc-by-sa-4.0": frozenset({"cc-by-sa-4.0", "gpl-3.0-only", "gpl-3.0-or-later"}),
    # An NC row may stand in a whole under any licence that is NC as well, share-alike or not.
    "cc-by-nc-3.0": frozenset({"cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0"}),
    "cc-by-nc-4.0": frozenset({"cc-by-nc-4.0", "cc-by-nc-sa-4.0"}),
    "cc-by-nc-sa-3.0": frozenset({"cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"}),
    "cc-by-nc-sa-4.0": frozenset({"cc-by-nc-sa-4.0"}),
    **dict.fromkeys(("cc-by-nd-3.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"),
                    frozenset[str]()),
    "odbl-1.0": frozenset({"odbl-1.0"}),
    "cdla-sharing-1.0": frozenset({"cdla-sharing-1.0"}),
    "gfdl-1.3-only": frozenset({"gfdl-1.3-only"}),
    "gfdl-1.3-or-later": frozenset({"gfdl-1.3-only", "gfdl-1.3-or-later"}),
    "mpl-2.0": frozenset({"mpl-2.0", "lgpl-2.1-or-later", "lgpl-3.0-only"}) | _GPL2_LATER,
    "epl-2.0": frozenset({"epl-2.0"}),
    "eupl-1.2": frozenset({"eupl-1.2", "gpl-2.0-only", "gpl-3.0-only", "agpl-3.0-only"}),
    "lgpl-2.1-only": frozenset({"lgpl-2.1-only"}) | _GPL2_LATER,
    "lgpl-2.1-or-later": frozenset({"lgpl-2.1-only", "lgpl-2.1-or-later", "lgpl-3.0-only"})
    | _GPL2_LATER,
    "lgpl-3.0-only": frozenset({"lgpl-3.0-only"}) | _GPL3,
    "gpl-2.0-only": frozenset({"gpl-2.0-only"}),
    "gpl-2.0-or-later": _GPL2_LATER,
    "gpl-3.0-only": frozenset({"gpl-3.0-only", "agpl-3.0-only"}),
    "gpl-3.0-or-later": _GPL3,
    "agpl-3.0-only": frozenset({"agpl-3.0-only"}),
    "agpl-3.0-or-later": frozenset({"agpl-3.0-only", "agpl-3.0-or-later"}),
}  # fmt: skip

_ALSO_CALLED: Mapping[str, str] = {
    "apache 2.0": "apache-2.0",
    "cc0": "cc0-1.0",
    "odc-by": "odc-by-1.0",
    "odbl": "odbl-1.0",
    "pddl": "pddl-1.0",
    "mpl": "mpl-2.0",
    **{f"{name}-{version}": f"{name}-{version}-only" for name, version in (
        ("gpl", "2.0"), ("gpl", "3.0"), ("agpl", "3.0"), ("lgpl", "2.1"), ("lgpl", "3.0"))},
    "lgpl-3.0-or-later": "lgpl-3.0-only",
}  # fmt: skip
"""Names that the Hub and older lists use, beside SPDX's."""


def conflict(licences: Collection[str | None]) -> str | None:
    """What keeps rows under these licences from one dataset; None when nothing does.

    Args:
        licences: those that stand in the rows: SPDX identifiers, in any case, joined by OR or AND.
    """
    named = sorted({licence for licence in licences if not _is_unknown(licence)}, key=str)
    if len(named) < len(set(licences)):
        return "rows without a known licence"
    names = [str(name) for name in named]
    for name in names:
        if onward(name) == frozenset():
            return f"{name} does not let anyone hand on what was made from its texts"
    strange = [name for name in names if onward(name) is None]
    if strange and len(names) > 1:
        return f"nobody here knows whether {', '.join(strange)} goes with {_others(names, strange)}"
    for one in names:
        for other in names:
            if one < other and not _common([one, other]):
                return f"{one} and {other} leave no licence for both together"
    if len(names) > 1 and not strange and not _common(names):
        return f"{', '.join(names)} leave no licence for all of them together"
    return None


def onward(licence: str) -> frozenset[str] | None:
    """Licences under which a whole with such rows may be handed on; None: not in the table."""
    name = " ".join(licence.casefold().split())
    for word, joined in ((" or ", _either), (" and ", _both)):
        if word in name:
            parts = [onward(part.strip("() ")) for part in name.split(word)]
            return None if None in parts else joined(part for part in parts if part is not None)
    return _ONWARD.get(_ALSO_CALLED.get(name, name))


def _is_unknown(licence: str | None) -> bool:
    return licence is None or licence.strip().casefold() in UNKNOWN


def _others(names: Collection[str], strange: Collection[str]) -> str:
    rest = [name for name in names if name not in strange]
    return ", ".join(rest) if rest else "the other"


def _either(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*parts)


def _both(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    found = frozenset({"*"})
    for part in parts:
        found = _met(found, part)
    return found


def _common(names: Collection[str]) -> frozenset[str]:
    return _both(part for name in names if (part := onward(name)) is not None)


def _met(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    """What both sets hold, `*` being all there is and `not X` all but X."""
    return frozenset(
        name for name in one | other if all(_holds(group, name) for group in (one, other))
    )


def _holds(group: frozenset[str], name: str) -> bool:
    if name in group or "*" in group:
        return True
    return _NOT_GPL2 in group and name not in ("gpl-2.0-only", "*")
