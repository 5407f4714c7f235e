"""Read YAML as plain data that remembers its lines.

What differs from `yaml.safe_load`, on purpose:

* Scalars are those of YAML 1.2: only `true` and `false` are booleans (`yes`, `no`, `on`, `off` are
  text), `1e3` is a float, a date is text, `12:30` is text. A number with a leading zero (`007`) or
  an underscore is text, and so are `.inf` and `.nan`: a recipe has no use for them.
* Keys are always text, whatever they look like; a key given twice is an error.
* Anchors and aliases work, each use being a copy of its own. Merge keys (`<<`) do not.
* Only the core tags are known, so no text can make an object.
* Size, depth and number of values are bounded, aliases counted as often as they are used.

Not here: what the data means (see load.py).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml

from tracefactory.errors import RecipeError
from tracefactory.recipe.errors import Keys, Plain, dotted, recipe_error

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_VALUES = 20_000
INTEGER_LIMIT = 1 << 64
"""Whole numbers stay below it on both sides: what reads them next (Arrow, JSON) has 64 bits."""

Place: TypeAlias = int | str
"""A line of the file, or the words `from --set ...`."""

_CORE = "tag:yaml.org,2002:"
_SCALARS = {
    "null": (r"(?:~|null|Null|NULL|)\Z", [*"~nN", ""]),
    "bool": (r"(?:true|True|TRUE|false|False|FALSE)\Z", [*"tTfF"]),
    "int": (r"(?:[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+)\Z", [*"-+0123456789"]),
    "float": (
        r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z",
        [*"-+.0123456789"],
    ),
    "merge": (r"<<\Z", ["<"]),
}


@dataclass(frozen=True, slots=True)
class Document:
    """A recipe's text as data, before anything is known about its meaning."""

    value: Plain
    positions: Mapping[Keys, Place]
    """Where each value stands; a value in a mapping stands where its key does."""
    name: str
    """What messages call it: the file as it was named."""
    folder: Path
    """Where relative paths in the text start."""

    def place(self, keys: Keys) -> Place | None:
        """Return where a value, or the nearest thing around it, stands; None in Python data."""
        for end in range(len(keys), -1, -1):
            if keys[:end] in self.positions:
                return self.positions[keys[:end]]
        return None

    def error(self, findings: Iterable[tuple[Keys, str]]) -> RecipeError:
        """Put a place before each finding and sort by line; those of `--set` come last."""

        def line(finding: tuple[Keys, str]) -> float:
            place = self.place(finding[0])
            return place if isinstance(place, int) else float("inf")

        return recipe_error([self._line(*finding) for finding in sorted(findings, key=line)])

    def _line(self, keys: Keys, text: str) -> str:
        match self.place(keys):
            case int(line):
                return f"{self.name}:{line}: {dotted(keys)}: {text}"
            case str(words):
                return f"{words}: {dotted(keys)}: {text}"
            case None:
                return f"{self.name}: {dotted(keys)}: {text}"


def read_file(path: Path) -> Document:
    """Read a recipe file.

    Raises:
        RecipeError: if it cannot be opened, is not UTF-8 or is not YAML within the bounds.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise recipe_error([f"{path}: cannot be read ({error})"]) from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(data) > MAX_BYTES:  # the cut itself may have broken a character
            raise _too_big(str(path)) from None
        line = data[: error.start].count(b"\n") + 1
        raise recipe_error([f"{path}:{line}: not UTF-8; save the file as UTF-8"]) from error
    return read_text(text, name=str(path), folder=path.parent)


def read_text(text: str, *, name: str = "recipe", folder: Path | None = None) -> Document:
    """Read YAML text. Relative paths in it start at `folder`, by default the current one.

    Raises:
        RecipeError: if it is not YAML, or not within the bounds above; every duplicate key and
            unknown tag is named, a broken syntax only once.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _too_big(name)
    root = _compose(text, name)
    build = _Build(name)
    value = None if root is None else build.value(root, ())
    if build.problems:
        raise recipe_error(build.problems)
    return Document(value, build.positions, name, (folder or Path()).absolute())


def dump(value: Plain) -> str:
    """Write plain data as YAML that `read_text` reads back as the same data."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _too_big(name: str) -> RecipeError:
    return recipe_error([f"{name}: larger than {MAX_BYTES} bytes; keep the data in files"])


class _Loader(yaml.SafeLoader):
    """The scanner and parser of PyYAML, with our scalars and with bounds on the tree."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  (PyYAML's own way)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node, unless the tree is already too deep or too large."""
        self.depth += 1
        self.nodes += 1
        # More than `_Build` allows, which counts keys apart, knows aliases and words it better.
        if self.depth > MAX_DEPTH + 2 or self.nodes > 2 * MAX_VALUES + 2:
            mark = self.get_mark()
            raise yaml.MarkedYAMLError(problem="nested too deeply or too long", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes exactly what `_Loader` would not read as text; never writes aliases."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  (as above)

    def ignore_aliases(self, data: object) -> bool:
        """Write every value out where it stands."""
        return True

    def text(self, text: str) -> yaml.ScalarNode:
        """Escape what is no plain character: PyYAML's single quotes lose a U+0085."""
        style = None if text.isprintable() else '"'
        return self.represent_scalar(_CORE + "str", text, style=style)


_Dumper.add_representer(str, _Dumper.text)


for _tag, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(_CORE + _tag, re.compile(_pattern), _first)
    _Dumper.add_implicit_resolver(_CORE + _tag, re.compile(_pattern), _first)


def _compose(text: str, name: str) -> yaml.Node | None:
    """Return PyYAML's tree; every way it can fail becomes one line with a place."""
    try:
        return _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise recipe_error([f"{name}{line}: not YAML: {said}{_advice(said)}"]) from error
    except yaml.reader.ReaderError as error:
        line = f":{text[: error.position].count(chr(10)) + 1}"
        said = "not YAML: a character that text may not hold"
        raise recipe_error([f"{name}{line}: {said}"]) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # ValueError is PyYAML's slip: "\UFFFFFFFF" reaches chr(), %YAML with 5,000 digits int().
        raise recipe_error([f"{name}: not YAML: {error}"]) from error


def _advice(said: str) -> str:
    """Say what usually causes the two commonest complaints."""
    if "mapping values are not allowed" in said:
        return "; put text that holds ': ' in quotes"
    if r"'\t'" in said:
        return "; indent with spaces, not tabs"
    return ""


@dataclass(slots=True)
class _Build:
    """Turns nodes into plain data, noting lines and problems as it goes."""

    name: str
    positions: dict[Keys, Place] = field(default_factory=dict[Keys, Place])
    problems: list[str] = field(default_factory=list[str])
    values: int = 0

    def value(self, node: yaml.Node, keys: Keys) -> Plain:
        """Return the value of one node and of everything below it.

        Raises:
            RecipeError: at once when a bound is passed; all else waits in `problems`.
        """
        line = node.start_mark.line + 1
        self.positions.setdefault(keys, line)  # a mapping's value already has its key's line
        self.values += 1
        if self.values > MAX_VALUES:
            said = f"more than {MAX_VALUES} values, aliases counted at each use"
            raise recipe_error([f"{self.name}:{line}: {said}"])
        if len(keys) > MAX_DEPTH:
            said = f"nested more than {MAX_DEPTH} deep (an alias inside itself?)"
            raise recipe_error([f"{self.name}:{line}: {said}"])
        if isinstance(node, yaml.MappingNode) and node.tag == _CORE + "map":
            return self._mapping(node, keys)
        if isinstance(node, yaml.SequenceNode) and node.tag == _CORE + "seq":
            return [self.value(item, (*keys, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag.startswith(_CORE):
            return self._scalar(node, keys)
        self._problem(node, keys, f"tag {node.tag!r} is not allowed; a recipe is plain data")
        return None

    def _mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Plain]:
        mapping: dict[str, Plain] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, keys)
            line = key_node.start_mark.line + 1
            if key in lines:
                self._problem(key_node, (*keys, key), f"given twice, first on line {lines[key]}")
            elif key is not None:
                lines[key] = line
                self.positions[*keys, key] = line
                mapping[key] = self.value(value_node, (*keys, key))
        return mapping

    def _key(self, node: yaml.Node, keys: Keys) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._problem(node, keys, "a key must be text, not a list or a mapping")
            return None
        if node.tag == _CORE + "merge":
            self._problem(node, keys, "merge keys (<<) are not supported; write the keys out")
            return None
        return self._text(node, keys)

    def _scalar(self, node: yaml.ScalarNode, keys: Keys) -> Plain:
        text = str(node.value)
        match node.tag.removeprefix(_CORE):
            case "str":
                return self._text(node, keys)
            case "null":
                return None
            case "bool" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "int" if re.match(_SCALARS["int"][0], text):
                return self._integer(node, keys)
            case "float" if re.match(_SCALARS["float"][0], text):
                number = float(text)
                if number - number == 0:
                    return number
                self._problem(node, keys, f"{text} is not a finite number; quote it if it is text")
            case tag:
                self._problem(node, keys, f"tag '!!{tag}' does not fit; a recipe is plain data")
        return None

    def _integer(self, node: yaml.ScalarNode, keys: Keys) -> Plain:
        text = str(node.value)
        # Length first: int() of a very long text is slow, then refused.
        number = int(text, 0) if len(text) <= 32 else INTEGER_LIMIT
        if abs(number) < INTEGER_LIMIT:
            return number
        self._problem(node, keys, "does not fit in 64 bits; quote it if it is text")
        return None

    def _text(self, node: yaml.ScalarNode, keys: Keys) -> str:
        text = str(node.value)
        if any("\ud800" <= character <= "\udfff" for character in text):
            # JSON writes a sign beyond the first 65,536 as two escapes; half of it is no text.
            try:
                text = text.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError:
                self._problem(node, keys, "holds half a character (a lone surrogate)")
        return text

    def _problem(self, node: yaml.Node, keys: Keys, text: str) -> None:
        self.problems.append(f"{self.name}:{node.start_mark.line + 1}: {dotted(keys)}: {text}")
