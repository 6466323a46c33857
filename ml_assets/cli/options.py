"""Options and arguments that several commands have."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click

from ml_assets.variables import DEFAULT_HOME

#: Of the context: the home that a command works on.
HOME = "ml_assets.home"


class PathType(click.Path):
    """A path; an empty text, which would be the working folder, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, as pathlib has it."""
        if not str(value):
            self.fail("an empty text is no path", param, ctx)
        return Path(os.fsdecode(super().convert(value, param, ctx)))


class _Home(PathType):
    """A home folder, with how to get one where it has to be there."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, as pathlib has it."""
        if self.exists and str(value):
            try:
                Path(value).lstat()
            except (FileNotFoundError, NotADirectoryError):
                hint = "`make demo` makes a home with events, `ml-assets home` one without"
                self.fail(f"{str(value)!r} does not exist; {hint}", param, ctx)
            except OSError as error:
                from ml_assets.project.faults import Fault
                from ml_assets.project.remedies import described

                raise Fault(f"{value}: cannot be opened: {described(error)}") from error
        return super().convert(value, param, ctx)


def home_option(*, exists: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The home that a command works on. Args: `exists`: whether it has to be there."""
    option = click.option(
        "--home",
        type=_Home(file_okay=False, readable=False, exists=exists),
        default=DEFAULT_HOME,
        envvar="DAGSTER_HOME",
        show_default=True,
        help="The folder that holds Dagster's state, event logs and artifacts (DAGSTER_HOME).",
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run_at_home(home: Path, **others: Any) -> None:
            from ml_assets.project.home import at_home

            click.get_current_context().meta[HOME] = home
            with at_home(home):
                command(home=home, **others)

        return option(run_at_home)

    return decorate


def read_instant(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime:
    """An instant as people write it; now where there is none."""
    if text is None:
        return datetime.now(UTC)
    found: datetime | None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    # Of the hours up to the end of all years, nobody waits for the list.
    if found is None or found.tzinfo is None or not 1900 < found.year < 2100:
        right = "write a date before 2100, a time and a zone, such as 2026-01-05T09:00+01:00"
        raise click.BadParameter(f"{text!r} is no instant; {right}")
    return found.astimezone(UTC)
