"""What both components need to read YAML: groups of keys, dates, and the place of an error.

A group, such as `training: {window: 28d}`, reaches a component as it is and is read here: Dagster's own message for a
wrong key inside a group names neither the key nor those that would be right.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

import dagster as dg
from pydantic import BaseModel, ConfigDict, ValidationError

from ml_assets.domain.errors import SpecError

#: A duration as YAML gives it: a number without a unit arrives as a number, and is refused as a duration.
DurationText = str | int


def _rendered(context: dg.ResolutionContext, value: Any) -> Any:
    """A value with its templates rendered, as Dagster does it; but Dagster also compiles a template of all other text.

    That takes a millisecond for each word of a declaration. What is left to do for text without a brace is to read a
    number or a list that is written as text, as Jinja's native types do.
    """
    # Dagster has imported it when it comes here, and otherwise nobody needs it.
    from jinja2.nativetypes import native_concat

    if isinstance(value, dict):
        return {key: _rendered(context.at_path(key), one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rendered(context.at_path(index), one) for index, one in enumerate(value)]
    if isinstance(value, str) and value and "{" not in value and "\n" not in value:
        return native_concat([value])
    return context.resolve_value(value)


#: A group of keys, and a text, that may hold templates.
Values = Annotated[dict[str, Any], dg.Resolver(_rendered, model_field_type=dict[str, Any], inject_before_resolve=False)]
Text = Annotated[str, dg.Resolver(_rendered, model_field_type=str, inject_before_resolve=False)]

GroupT = TypeVar("GroupT", bound="Group")


class Group(BaseModel):
    """A group of keys in a YAML file; a key that it does not have is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DefsFileError(Exception):
    """A defs.yaml holds a value that cannot be accepted. The message names file, key, value and what would be right."""


@contextmanager
def refusing(context: dg.ComponentLoadContext) -> Iterator[None]:
    """Say in which file a value was refused."""
    try:
        yield
    except SpecError as error:
        raise DefsFileError(f"{context.path / 'defs.yaml'}: attributes.{error}") from None


def date_of(text: str, *, key: str) -> date:
    """Read a local date such as 2026-01-01.

    Raises: SpecError when the text is no date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SpecError(key, text, 'write a local date such as "2026-01-01"') from None


def read_group(group: type[GroupT], values: Mapping[str, Any], *, key: str) -> GroupT:
    """Read a group of keys.

    Args: `key` names the group for the error.
    Raises: SpecError for a key that is unknown or missing, or a value of the wrong type.
    """
    try:
        return group.model_validate(values)
    except ValidationError as error:
        # A misspelt key is also a missing one; what was written says more.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        names = list(group.model_fields)
        path = ".".join([key, *map(str, first["loc"])])
        if first["type"] == "extra_forbidden":
            close = get_close_matches(str(first["loc"][0]), names, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise SpecError(path, first["input"], f"there is no such key; {hint}There are {', '.join(names)}") from None
        if first["type"] == "missing":
            raise SpecError(path, None, f"the key is required; there are {', '.join(names)}") from None
        raise SpecError(path, first["input"], first["msg"]) from None
