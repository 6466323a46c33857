"""Commands that tell what there is, and change nothing of it."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ml_assets.cli.options import PathType, home_option, read_instant

if TYPE_CHECKING:
    pass


@click.command()
@home_option(exists=True)
@click.argument("asset")
@click.argument("partition")
@click.option("--run", "run_id", help="Of the version that this run made, instead of the current one.")
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
def lineage(home: Path, asset: str, partition: str, run_id: str | None, as_json_: bool) -> None:
    """Print what a PARTITION of an ASSET was made from, down to the event partitions, and what superseded it.

    Exits with 1 and says why when a link is missing, or the model has been remade since.
    """
    from ml_assets.orchestration.recorded.lineage import as_json, trace
    from ml_assets.project.answers.lineage import render
    from ml_assets.project.project import NoAssetError, Project

    project = Project(home)
    try:
        model, _, _ = project.find(asset)
    except NoAssetError as error:
        raise click.UsageError(str(error)) from error
    found = trace(project.instance, project.store, asset, partition, run_id=run_id)
    # What was made before the calendar changed is shown, too.
    if not found.versions:
        try:
            model.partitions.index_of(partition)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    click.echo(json.dumps(as_json(found), indent=2) if as_json_ else render(found))
    for problem in found.problems:
        click.echo(f"broken: {problem}", err=True)
    sys.exit(1 if found.problems else 0)


@click.command()
@home_option(exists=True)
@click.argument("model", required=False)
@click.option("--as-of", metavar="T", callback=read_instant, help="Such as 2026-01-05T09:00+01:00.  [default: now]")
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
def debt(home: Path, model: str | None, as_of: datetime, as_json_: bool) -> None:
    """Print which metrics of a MODEL, or of all, should exist as of T, and why some do not on today's inputs.

    What should exist is reckoned as of T and held against what is recorded and stored now: no source is asked what has
    arrived, nothing launched. A metric is done, waiting (for outcomes that are still to happen), running, due (to be
    launched), missing input (event partitions ended and have not arrived), not looked at yet (no sensor or backfill has
    asked whether they have), stale (its inputs or its code changed), lost (it is recorded, or what it needs is, and not
    in the store) or failed. Ages count from when it could be computed. Outdated or lost training, and events that
    changed too late to count, are listed below. Of several models, one that owes nothing has one line.

    Exits with 1 when a metric failed, is lost, stale, due, not looked at or misses input, with 0 when all others are a
    matter of time.
    """
    from rich.console import Console

    from ml_assets.project.answers.debt import as_json, find_debts, render
    from ml_assets.project.project import NoAssetError, Project

    project = Project(home)
    try:
        models = list(project.models.values()) if model is None else [project.model(model)]
    except NoAssetError as error:
        raise click.UsageError(str(error)) from error
    found = find_debts(project, models, as_of=as_of)
    if as_json_:
        click.echo(json.dumps(as_json(found, as_of=as_of), indent=2))
    else:
        Console(soft_wrap=True).print(*render(found, as_of=as_of), sep="\n")
    sys.exit(1 if any(one.owed for one in found) else 0)


@click.command()
@home_option(exists=True)
@click.argument("model")
@click.option("--from", "first", metavar="PARTITION", help="First partition.  [default: the model's first]")
@click.option("--to", "last", metavar="PARTITION", help="Last partition.  [default: the latest]")
@click.option("--json", "kind", flag_value="json", help="Print JSON, unrounded.")
@click.option("--csv", "kind", flag_value="csv", help="Print CSV, unrounded.")
def metrics(home: Path, model: str, first: str | None, last: str | None, kind: str | None) -> None:
    """Print the metrics of a MODEL, with their intervals, by partition and horizon.

    They are the current ones, as they are stored. Intervals take rows as independent. JSON and CSV have a row for each
    metric, with the numbers of examples and positives, whether it is comparable, the reason why a number is absent, and
    the runs that made it and its model.
    Where there is none, a line says how many are expected and why they are not there. Exits with 1 and
    says which, when one is lost from the store.
    """
    from rich.console import Console

    from ml_assets.project.answers.metrics import (
        ModelSpan,
        as_frame,
        as_json,
        find_metrics,
        metrics_in,
        table,
        why_none,
    )
    from ml_assets.project.answers.plan import SpanError
    from ml_assets.project.project import NoAssetError, Project

    project = Project(home)
    try:
        asked = ModelSpan.of(project, model, first, last)
    except (NoAssetError, SpanError) as error:
        raise click.UsageError(str(error)) from error
    found, lost = find_metrics(project, asked)
    for line in lost:
        click.echo(line, err=True)
    if not found and not lost:
        click.echo(why_none(project, asked, as_of=datetime.now(UTC)), err=kind is not None)
    if kind == "json":
        click.echo(json.dumps({"model": asked.model.name, "metrics": as_json(found)}, indent=2))
    elif kind == "csv":
        click.echo(as_frame(found).to_csv(index=False), nl=False)
    elif found:
        console = Console()
        if not console.is_terminal:
            # A file has no width.
            console.width = 400
        console.print(table(found, metrics_in(found)))
    sys.exit(1 if lost else 0)


@click.command()
@home_option(exists=True)
@click.argument("asset")
@click.argument("partition")
@click.option("--run", "run_id", help="The notebook of this run, instead of the latest one.")
@click.option("--html", type=PathType(dir_okay=False), help="Export it into an HTML file.")
def notebook(home: Path, asset: str, partition: str, run_id: str | None, html: Path | None) -> None:
    """Print where the executed notebook of a PARTITION of an ASSET is kept, whether it succeeded or failed."""
    from ml_assets.project.answers.notebook import NoNotebookError, find_executed, write_html
    from ml_assets.project.project import NoAssetError, Project

    try:
        path = find_executed(Project(home), asset, partition, run_id)
    except (NoAssetError, NoNotebookError) as error:
        raise click.ClickException(str(error)) from error
    if html is not None:
        write_html(path, html)
    click.echo(html or path)


@click.command()
@home_option(exists=True)
@click.argument("selection", default="all")
@click.option("--hashes", is_flag=True, help="Read all content, too, and compare it with the recorded data versions.")
def verify(home: Path, selection: str, hashes: bool) -> None:
    """Compare the artifact store with what is recorded of SELECTION, which is as of `plan`, by default all.

    A version should be there with all its files if it is current, or if something current was made of it. Prints what
    is lost, and what is there and recorded by nobody, such as what a killed run has left. Nothing is changed: `plan`
    says what would make again what is lost. Exits with 1 when something is lost.
    """
    from rich.console import Console

    from ml_assets.project.answers.verify import render
    from ml_assets.project.answers.verify import verify as compare
    from ml_assets.project.project import NoAssetError, Project

    try:
        found = compare(Project(home), selection, hashes=hashes, console=Console(stderr=True))
    except NoAssetError as error:
        raise click.UsageError(str(error)) from error
    for line in render(found):
        click.echo(line)
    sys.exit(1 if found.lost else 0)


@click.command()
@home_option(exists=True)
@click.option("--output", type=PathType(dir_okay=False), help="[default: report.html in the home]")
def report(home: Path, output: Path | None) -> None:
    """Write an HTML page with every metric over time. Exits with 1 and says which, when one is lost from the store."""
    from ml_assets.project.project import Project
    from ml_assets.reports.metrics_page import write_report

    path = output or home / "report.html"
    lost = write_report(Project(home), path)
    click.echo(f"wrote {path}")
    for line in lost:
        click.echo(line, err=True)
    sys.exit(1 if lost else 0)
