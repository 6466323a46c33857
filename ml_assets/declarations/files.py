"""Reads each defs.yaml before Dagster does: what it answers with pages, or never, is refused in one line.

Belongs here: what is wrong with a file as YAML, or as a component. What its values mean is read where they are used.
A file that declares nothing of ours is Dagster's matter, and may hold whatever Dagster reads.
"""

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from ml_assets.dagster_names import ComponentFileModel, DagsterUnresolvableSymbolError, load_module_object
from ml_assets.declarations.plain_scalars import check_plain
from ml_assets.declarations.reading import Declaration, read_group, refusing
from ml_assets.domain.errors import SpecError

#: As Dagster calls them: the first of a folder is read.
_NAMES = ("defs.yaml", "defs.yml", "component.yaml")
_FOLDERS = ("dagster.DefsFolderComponent", "dagster.components.DefsFolderComponent")
_TYPE = re.compile(r"^type:[ \t]*[\"']?([\w.]+)", re.MULTILINE)
_OURS = ("ml_assets.EvaluatedModel", "ml_assets.EventLog", "ml_assets.EvaluationLoop")
#: A declaration has four levels, and aliases that add a few values; more is an accident or an attack.
_LEVELS, _VALUES, _DIGITS = 30, 10_000, 100
_MERGE, _TIMESTAMP = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:timestamp"
#: Of a plain `=`.
_EQUALS = "tag:yaml.org,2002:value"
_TEXT = "tag:yaml.org,2002:str"
_PLAIN = {_MERGE, *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map"))}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads a date as text, as Dagster does."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        letter: [found for found in resolvers if found[0] != _TIMESTAMP]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def refuse_wrong_files(tree: dg.ComponentTree) -> None:
    """Look through the defs.yaml files of a project.

    Raises: DefsFileError for the first that is wrong.
    """
    declared: dict[tuple[type, str], Path] = {}
    leaves: dict[Path, Path] = {}
    for file in _files(Path(tree.defs_module_path)):
        with refusing(file):
            others = _types_of_others(file)
        if others is not None:
            if not {*_FOLDERS} & {*others}:
                leaves[file.parent] = file
            continue
        if hiding := next((leaves[folder] for folder in file.parent.parents if folder in leaves), None):
            with refusing(hiding):
                right = f"another folder, for it hides {file}; that of logs is called logs"
                raise SpecError("its folder", hiding.parent.name, right)
        with refusing(file):
            documents = _documents(file)
            if not any(document.get("type") in _FOLDERS for document in documents):
                leaves[file.parent] = file
            for kind, name in filter(None, map(_check, documents)):
                # Their folders may lie in a file system that tells no case apart.
                if (one := (kind, name.lower())) in declared:
                    right = f"one that no other has; {declared[one]} declares it, too"
                    place, value = (f"attributes.{kind.identity}", name) if kind.identity else ("type", kind.__name__)
                    raise SpecError(place, value, right)
                declared[one] = file


def _files(root: Path) -> Iterator[Path]:
    """The declarations below a folder, each folder before those in it. One that Dagster would not read is refused."""
    for at, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if name != "__pycache__" and not name.startswith("."))
        # A folder called defs.yaml, or a link that leads nowhere, is found too: reading it says what it is.
        found = [Path(at, name) for name in _NAMES if name in names or name in folders]
        for other in found[1:]:
            with refusing(other):
                raise SpecError("the file", other.name, f"one declaration in a folder; {found[0].name} is read instead")
        yield from found


def _types_of_others(file: Path) -> list[str] | None:
    """The types that a file declares, where all of them are components and none is ours; else None."""
    types: list[str] = _TYPE.findall(_text(file))
    try:
        # One that begins with a dot is found by Dagster alone, from where the file lies.
        found = [_component(name) for name in types if not name.startswith(".")]
    except SpecError:
        return None
    return None if not types or any(issubclass(one, Declaration) for one in found) else types


def _documents(file: Path) -> list[dict[str, Any]]:
    """The documents of a file, each a mapping.

    Raises: SpecError.
    """
    text = _text(file)
    try:
        _check_depth(text)
        for node in yaml.compose_all(text, Loader=_Loader):
            _check_node(node)
        found = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise _syntax(text, error) from None
    if not found:
        raise SpecError("the file", text, f"at least one document with type and attributes, such as {_OURS[0]}")
    keys = ", ".join(ComponentFileModel.model_fields)
    for number, document in enumerate(found, 1):
        if not isinstance(document, dict):
            raise SpecError(f"document {number}", document, f"keys with values: {keys}; a line --- begins a document")
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SpecError(f"line {line}", error.object[error.start : error.end], "save the file as UTF-8") from None
    except OSError as error:
        raise SpecError("the file", file.name, f"a file that can be read: {error.strerror}") from None


def _check_depth(text: str) -> None:
    """Refuse what nests so deep that reading it into values would break the interpreter."""
    level = 0
    for event in yaml.parse(text, Loader=_Loader):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > _LEVELS:
            raise SpecError(_line(event), "...", f"at most {_LEVELS} levels of values in values")


def _check_node(
    node: yaml.Node, path: str = "", sizes: dict[yaml.Node, int] | None = None, below: tuple[yaml.Node, ...] = ()
) -> int:
    """Refuse a key twice, tags, values that are not clear, and aliases that repeat without end.

    Args: `path`: the keys above it. Returns: how many values it is, written out.
    """
    sizes = {} if sizes is None else sizes
    if node in below:
        raise SpecError(_line(node), "&", "an anchor that does not hold an alias of itself")
    if node in sizes:
        return sizes[node]
    if node.tag == _EQUALS:
        raise SpecError(_line(node), "=", "the text in quotes, '='; without, Dagster cannot read it")
    if node.tag not in _PLAIN:
        raise SpecError(_line(node), node.tag, "a text, a number, a list or keys with values, without a tag")
    if isinstance(node, yaml.ScalarNode):
        if node.tag.endswith(":int") and len(node.value) > _DIGITS:
            raise SpecError(_line(node), node.value, f"a number of at most {_DIGITS} digits")
        check_plain(node, _line(node, path))
    inner: list[tuple[str, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        _check_keys(node, path)
        inner = [(key.value, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        inner = [(str(index), one) for index, one in enumerate(node.value)]
    above = f"{path}." if path else ""
    sizes[node] = 1 + sum(_check_node(one, f"{above}{key}", sizes, (*below, node)) for key, one in inner)
    # What was read so far is in the file itself; the rest is what aliases add.
    if sizes[node] - len(sizes) > _VALUES:
        raise SpecError(_line(node), "*", f"aliases that repeat at most {_VALUES} values")
    return sizes[node]


def _check_keys(node: yaml.MappingNode, path: str) -> None:
    seen: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in node.value:
        place = _line(key, f"{path}.{key.value}" if path else str(key.value))
        if not isinstance(key, yaml.ScalarNode):
            raise SpecError(_line(key), "?", "a key that is a text")
        check_plain(key, place)
        if key.tag not in (_MERGE, _TEXT):
            raise SpecError(place, yaml.safe_load(key.value), f'a key that is a text: write "{key.value}" in quotes')
        if key.value in seen:
            earlier, before = seen[key.value]
            raise SpecError(place, [_shown(before), _shown(value)], f"each key once; {_line(earlier)} has it, too")
        seen[key.value] = key, value


def _shown(node: yaml.Node) -> str:
    """A value in one line, as it may be written."""
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    text: str = yaml.serialize(node, Dumper=yaml.SafeDumper)
    return " ".join(text.split())


def _line(at: yaml.Node | yaml.Event, path: str = "") -> str:
    line = f"line {at.start_mark.line + 1 if at.start_mark else 1}"
    return f"{line}: {path}" if path else line


def _syntax(text: str, error: yaml.YAMLError) -> SpecError:
    """What YAML says of a line, in one."""
    if isinstance(error, yaml.reader.ReaderError):
        return SpecError("the file", chr(error.character), f"text without control characters: {error.reason}")
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    number, lines = (mark.line if mark else 0), [*text.splitlines(), ""]
    line = lines[min(number, len(lines) - 1)]
    reason = " ".join(filter(None, [getattr(error, "context", None), getattr(error, "problem", None)])) or str(error)
    right = "indent by spaces, not by tabs" if "\t" in line[: len(line) - len(line.lstrip())] else f"YAML; {reason}"
    return SpecError(f"line {number + 1}", line, right)


def _check(document: Mapping[str, Any]) -> tuple[type[Declaration], str] | None:
    """Check a document as a component. Returns: for one of ours, its kind and the name that no other may have."""
    file_model = read_group(ComponentFileModel, document, key="")
    # One that begins with a dot is found by Dagster alone, from where the file lies.
    kind = None if file_model.type.startswith(".") else _component(file_model.type)
    model = kind.get_model_cls() if kind else None
    attributes = file_model.attributes or {}
    if model is not None:
        read_group(model, attributes, key="attributes")
    if kind is None or not issubclass(kind, Declaration):
        return None
    return kind, str(attributes[kind.identity]) if kind.identity else ""


def _component(name: str) -> type[dg.Component]:
    """The component that a type names."""
    close = get_close_matches(name, _OURS, n=1, cutoff=0.4)
    right = f"the type of a component, such as {' or '.join(close or _OURS)}"
    package, _, last = name.rpartition(".")
    try:
        found = load_module_object(package, last) if package and last else None
    except DagsterUnresolvableSymbolError:
        found = None
    if not isinstance(found, type) or not issubclass(found, dg.Component):
        raise SpecError("type", name, right)
    return found
