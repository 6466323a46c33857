"""What both components need to read YAML: the place of an error, and dates."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import dagster as dg

from ml_assets.domain.errors import SpecError

#: A duration as YAML gives it: a number without a unit arrives as a number, and is refused as a duration.
DurationText = str | int


class DefsFileError(Exception):
    """A defs.yaml holds a value that cannot be accepted. The message names file, key, value and what would be right."""


@contextmanager
def refusing(context: dg.ComponentLoadContext) -> Iterator[None]:
    """Say in which file a value was refused."""
    try:
        yield
    except SpecError as error:
        raise DefsFileError(f"{context.path / 'defs.yaml'}: attributes.{error}") from error


def date_of(text: str, *, key: str) -> date:
    """Read a local date such as 2026-01-01.

    Raises: SpecError when the text is no date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SpecError(key, text, 'write a local date such as "2026-01-01"') from None
