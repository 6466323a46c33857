"""`ml-assets`: the command line."""

import json
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

DEFAULT_HOME = ".home"


def _home_option(*, exists: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False, exists=exists),
        default=DEFAULT_HOME,
        envvar="DAGSTER_HOME",
        show_default=True,
        help="The folder that holds Dagster's state, event logs and artifacts (DAGSTER_HOME).",
    )


def _read_instant(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime:
    """An instant as people write it; now where there is none."""
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise click.BadParameter(f"{text!r} is no instant; write a date, a time and a zone, such as 2026-01-05T09:00+01:00")


class Commands(click.Group):
    """Commands that answer a wrong defs.yaml, or a source that is down, with its error alone."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            from ml_assets.components.reading import DefsFileError
            from ml_assets.orchestration.arrival import SourceError

            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, (DefsFileError, SourceError)):
                cause = cause.__cause__
            if cause is None:
                raise
            raise click.ClickException(str(cause)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Automatic offline evaluation of machine-learning models on Dagster."""


@main.command()
@_home_option(exists=False)
@click.option("--minutes", type=click.FloatRange(min=0), default=45, show_default=True, help="Give up after so long.")
def demo(home: Path, minutes: float) -> None:
    """Write the demo's event logs, let the sensors do the rest, and show the metrics."""
    from ml_assets.cli.daemon import DaemonError
    from ml_assets.cli.demo import run_demo

    # A terminated demo must end its daemon, as an interrupted one does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(run_demo(home, seconds=60 * minutes))
    except DaemonError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@_home_option(exists=True)
@click.argument("asset")
@click.argument("partition")
@click.option("--run", "run_id", help="Of the version that this run made, instead of the current one.")
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
def lineage(home: Path, asset: str, partition: str, run_id: str | None, as_json_: bool) -> None:
    """Print what a PARTITION of an ASSET was made from, down to the event partitions, and what superseded it.

    Exits with 1 and says why when a link is missing, or the model has been remade since.
    """
    from ml_assets.cli.lineage import render
    from ml_assets.cli.project import Project
    from ml_assets.orchestration.lineage import as_json, trace

    project = Project(home)
    known = project.assets
    if asset not in known:
        raise click.UsageError(f"{asset!r} is no asset of a model; there are {', '.join(known)}")
    found = trace(project.instance, project.store, asset, partition, run_id=run_id)
    click.echo(json.dumps(as_json(found), indent=2) if as_json_ else render(found))
    for problem in found.problems:
        click.echo(f"broken: {problem}", err=True)
    sys.exit(1 if found.problems else 0)


@main.command()
@_home_option(exists=True)
@click.argument("model", required=False)
@click.option("--as-of", metavar="T", callback=_read_instant, help="Such as 2026-01-05T09:00+01:00.  [default: now]")
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
def debt(home: Path, model: str | None, as_of: datetime, as_json_: bool) -> None:
    """Print which metrics of a MODEL, or of all, should exist as of T, and why some do not on today's inputs.

    What should exist is reckoned as of T and held against what is recorded now: no source is asked, nothing launched. A
    metric is done, waiting (for outcomes that are still to happen), running, due (to be launched), missing input (event
    partitions ended and have not arrived), stale (its inputs or its code changed) or failed. Ages count from when it
    could be computed. Outdated training, and events that changed too late to count, are listed below.

    Exits with 1 when a metric failed, is stale, due or misses input, with 0 when all others are a matter of time.
    """
    from rich.console import Console

    from ml_assets.cli.debt import as_json, find_debts, render
    from ml_assets.cli.project import Project

    project = Project(home)
    models = project.models
    if model is not None and model not in models:
        raise click.UsageError(f"{model!r} is no model; there are {', '.join(models) or 'none'}")
    found = find_debts(project, [models[model]] if model else list(models.values()), as_of=as_of)
    if as_json_:
        click.echo(json.dumps(as_json(found, as_of=as_of), indent=2))
    else:
        Console(soft_wrap=True).print(*render(found, as_of=as_of), sep="\n")
    sys.exit(1 if any(one.owed for one in found) else 0)


@main.command()
@_home_option(exists=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="[default: report.html in the home]")
def report(home: Path, output: Path | None) -> None:
    """Write an HTML page with every metric over time."""
    from ml_assets.cli.project import Project
    from ml_assets.cli.report import write_report

    path = write_report(Project(home), output or home / "report.html")
    click.echo(f"wrote {path}")


@main.command()
@_home_option(exists=False)
def home(home: Path) -> None:
    """Make the home folder with its dagster.yaml, and print its absolute path."""
    from ml_assets.cli.home import prepare_home

    click.echo(prepare_home(home))


if __name__ == "__main__":
    main()
