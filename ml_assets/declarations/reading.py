"""What both components need to read YAML: groups of keys, dates, and the place of an error.

A group, such as `training: {window: 28d}`, reaches a component as it is and is read here: Dagster's own message for a
wrong key inside a group names neither the key nor those that would be right.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

import dagster as dg
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, WithJsonSchema

from ml_assets.dagster_names import find_defs_or_component_yaml
from ml_assets.domain.errors import SpecError

#: A duration as YAML gives it. Read by the domain, which says what would be right.
DurationText = Annotated[Any, WithJsonSchema({"kind": "duration"})]
#: A group of keys, which `read_group` reads and names.
Values = Any
_TRIED = ("str", "int", "float", "bool")
_TEMPLATE = re.compile(r"\{[{%#]")
#: What would be right, by the kind of pydantic's error.
_RIGHT = {
    "string_type": "a text, in quotes where YAML reads something else",
    "list_type": "a list, such as [a, b]",
    "dict_type": "keys with values, such as {window: 28d}",
    "model_type": "keys with values, such as {window: 28d}",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
}


def rendered(context: dg.ResolutionContext, value: Any) -> Any:
    """A value with its templates rendered; all else stays what YAML has read, text that looks like a number, too.

    Dagster itself lets Jinja guess which text is meant as a number, a list or None.
    Raises: SpecError for a template that cannot be rendered.
    """
    if isinstance(value, dict):
        return {key: rendered(context.at_path(key), one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [rendered(context.at_path(index), one) for index, one in enumerate(value)]
    # To compile a template takes a millisecond, of which a declaration has one for each word.
    if not isinstance(value, str) or not _TEMPLATE.search(value):
        return value
    try:
        return _render(value, context.scope)
    except Exception as error:  # noqa: BLE001  (a template calls what a team wrote)
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        place = ".".join(str(part) for part in context.path if part != "attributes")
        right = f"a text without braces, or a template that can be rendered: {reason}"
        raise SpecError(place, value, right) from None


def _render(text: str, scope: Mapping[str, Any]) -> Any:
    """A template that is one expression has the value of the expression; any other is text."""
    # Dagster has imported it when it comes here, and otherwise nobody needs it.
    from jinja2 import StrictUndefined, pass_context
    from jinja2.nativetypes import NativeEnvironment

    # Jinja would turn the constants among expressions into text; not where `finalize` wants the context.
    as_it_is = pass_context(lambda _, value: value)
    environment = NativeEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, finalize=as_it_is)
    template = environment.from_string(text)
    parts = list(template.root_render_func(template.new_context(dict(scope))))
    if len(parts) == 1 and not isinstance(parts[0], StrictUndefined):
        return parts[0]
    return "".join(map(str, parts))


GroupT = TypeVar("GroupT", bound=BaseModel)
ErrorT = TypeVar("ErrorT", bound=Exception)


class Group(BaseModel):
    """A group of keys in a YAML file; a key that it does not have is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def said(description: str, *, kind: str | None = None, keys: type[Group] | None = None) -> dg.Resolver:
    """What a key of a declaration means, for editors and for the reference, which read it in the component's schema.

    Args: `kind`: what its value looks like, where no type says so; `keys`: the group that its value is, or values are.
    """
    extra = {"kind": kind, "keys": keys and keys.model_json_schema()}
    return dg.Resolver.default(
        description=description, json_schema_extra={name: value for name, value in extra.items() if value}
    )


class DefsFileError(Exception):
    """A defs.yaml holds a value that cannot be accepted. The message names file, key, value and what would be right."""


def find_cause(error: BaseException | None, *kinds: type[ErrorT]) -> ErrorT | None:
    """The error of one of these kinds that an error is, or that led to it."""
    while error is not None and not isinstance(error, kinds):
        error = error.__cause__
    return error


@contextmanager
def refusing(file: Path, *, within: str = "") -> Iterator[None]:
    """Say in which file a value was refused.

    Args: `within`: what the keys are below, such as `attributes.`.
    """
    try:
        yield
    except SpecError as error:
        raise DefsFileError(re.sub(r"\s*\n\s*", " ", f"{file}: {within}{error}")) from None


class Declaration(dg.Component, dg.Model, dg.Resolvable):
    """A component that a defs.yaml declares.

    `identity`: the attribute that no two of its kind share; empty: a project has one of its kind.
    """

    identity: ClassVar[str]
    _file: Path | None = PrivateAttr(default=None)

    @classmethod
    def load(cls, attributes: Any, context: dg.ComponentLoadContext) -> Self:
        """Read the attributes where their file is known."""
        with refusing_attributes(context):
            try:
                component = super().load(attributes, context)
            except ValidationError as error:
                # A template may give something else than its text promised.
                raise _refusal(error, list(cls.model_fields), key="") from None
        component._file = file_of(context)
        return component

    @classmethod
    def resolve_from_model(cls, context: dg.ResolutionContext, model: BaseModel) -> Self:
        """The component of attributes whose templates are not rendered yet."""
        given = {name: getattr(model, name) for name in model.model_fields_set}
        return cls(**{name: rendered(context.at_path(name), value) for name, value in given.items()})

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  (the interface has it)
        """Nothing: what a declaration defines is said by the component that is made of it."""
        return dg.Definitions()

    def refusing(self) -> Any:
        """Say in which file an attribute of this component was refused."""
        return refusing(self._file, within="attributes.") if self._file else nullcontext()


def refusing_attributes(context: dg.ComponentLoadContext) -> Any:
    """Say in which file an attribute was refused."""
    return refusing(file_of(context), within="attributes.")


def file_of(context: dg.ComponentLoadContext) -> Path:
    """The file of a component."""
    return find_defs_or_component_yaml(context.path) or context.path


def date_of(text: str, *, key: str) -> date:
    """Read a local date such as 2026-01-01.

    Raises: SpecError when the text is no date.
    """
    right = 'write a local date such as "2026-01-01"'
    try:
        # Python also reads 20260101 and 2026-W01-1, which no partition key looks like.
        if date.fromisoformat(text).isoformat() == text:
            return date.fromisoformat(text)
    except ValueError:
        if re.match(r"\d{4}-\d\d-\d\d\D", text):
            right = f'write the local date alone, "{text[:10]}": partitions begin at its midnight, those of hours, too'
    raise SpecError(key, text, right)


def read_group(group: type[GroupT], values: Any, *, key: str) -> GroupT:
    """Read a group of keys.

    Args: `key` names the group for the error, "" for a whole document.
    Raises: SpecError for a key that is unknown or missing, or a value of the wrong type.
    """
    names = list(group.model_fields)
    if not isinstance(values, Mapping):
        raise SpecError(key or "the document", values, f"keys with values; there are {', '.join(names)}")
    try:
        return group.model_validate(values)
    except ValidationError as error:
        raise _refusal(error, names, key=key) from None


def _refusal(error: ValidationError, names: list[str], *, key: str) -> SpecError:
    """The first thing that pydantic refused, in our words."""
    # A misspelt key is also a missing one; what was written says more.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    # Where a value may be a text or a group, pydantic adds which of them it tried.
    place = [part for part in first["loc"] if not (isinstance(part, str) and ("[" in part or part in _TRIED))]
    path = ".".join([*filter(None, [key]), *map(str, place)])
    if first["type"] == "extra_forbidden":
        close = get_close_matches(str(place[0]), names, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        return SpecError(path, first["input"], f"there is no such key; {hint}There are {', '.join(names)}")
    if first["type"] == "missing":
        return SpecError(path, None, f"the key is required; there are {', '.join(names)}")
    # What pydantic says of a bound, it says in the words of a form: "Input should be greater than or equal to 1".
    bounds = {"greater_than_equal": "a number from {ge} on", "less_than_equal": "a number of at most {le}"}
    right = {**_RIGHT, **bounds}.get(first["type"], first["msg"])
    return SpecError(path, first["input"], right.format(**first.get("ctx", {})) if first["type"] in bounds else right)
