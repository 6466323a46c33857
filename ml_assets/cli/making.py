"""Commands that plan and make partitions, and what belongs to that: a failed run, a harmless change."""

import json
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ml_assets.cli.options import home_option

if TYPE_CHECKING:
    from ml_assets.project.answers.plan import Asked


def _plan_options(command: Callable[..., None]) -> Callable[..., None]:
    """What `plan` and `backfill` are asked."""
    for option in (
        click.argument("selection"),
        click.option("--from", "first", metavar="PARTITION", help="First partition.  [default: the model's first]"),
        click.option("--to", "last", metavar="PARTITION", help="Last partition.  [default: the latest]"),
        click.option("--missing", is_flag=True, help="Only what does not exist."),
        click.option("--stale", is_flag=True, help="Only what was made by other code or from other inputs."),
        click.option("--budget", metavar="B", help="Stop at so much: `50 runs`, or the notebooks' time, such as 30m."),
        click.option("--partitions-per-run", type=click.IntRange(min=1), help="At most.  [default: each model's own]"),
        click.option("--parallel", type=click.IntRange(min=1), help="Runs at once.  [default: as the instance has it]"),
        click.option("--json", "as_json_", is_flag=True, help="Print JSON."),
    ):
        command = option(command)
    return command


def _asked(options: dict[str, Any]) -> "tuple[Asked, bool]":
    """What is asked for, and whether JSON is to be printed."""
    from ml_assets.domain.errors import SpecError
    from ml_assets.domain.owed.plan import Budget, Kind
    from ml_assets.project.answers.plan import Asked

    kinds = [kind for kind, wanted in ((Kind.MISSING, options["missing"]), (Kind.STALE, options["stale"])) if wanted]
    try:
        budget = Budget.parse(options["budget"], key="--budget") if options["budget"] is not None else None
    except SpecError as error:
        raise click.BadParameter(str(error)) from error
    per_run = options["partitions_per_run"]
    asked = Asked(options["selection"], options["first"], options["last"], kinds or tuple(Kind), budget, per_run)
    return asked, options["as_json_"]


@click.command()
@home_option(exists=True)
@_plan_options
def plan(home: Path, parallel: int | None, **options: Any) -> None:
    """Print what a backfill of SELECTION would run, why, in which order and runs, and how long it would take.

    SELECTION is `all`, a service, a model, an asset, or a selection of Dagster such as 'key:"ads/cvr/model"+'. Without
    --missing or --stale both are planned: what does not exist, is lost or failed, and what other code or other inputs
    made, with all that is made from it. Seconds are medians of past partitions.
    """
    from rich.console import Console

    from ml_assets.orchestration.launching.runs import parallelism_of
    from ml_assets.project.answers.plan import SpanError, as_json, make_plan, render
    from ml_assets.project.project import NoAssetError, Project

    asked, prints_json = _asked(options)
    project = Project(home)
    try:
        parallelism = parallel or parallelism_of(project.instance)
        planned = make_plan(project, asked, parallelism=parallelism, as_of=datetime.now(UTC))
    except (NoAssetError, SpanError) as error:
        raise click.UsageError(str(error)) from error
    if prints_json:
        click.echo(json.dumps(as_json(planned), indent=2))
    else:
        Console(soft_wrap=True).print(*render(planned), sep="\n")


@click.command()
@home_option(exists=True)
@_plan_options
@click.option("--submit", is_flag=True, help="Let the running daemon of this home execute the runs.")
def backfill(home: Path, parallel: int | None, submit: bool, **options: Any) -> None:
    """Make what `plan` prints for SELECTION: here and now, without a daemon, or by the daemon that runs (--submit).

    A partition that fails costs what is made from it alone. After an interruption the same command goes on. Exits with
    1 when a partition was not made.
    """
    from rich.console import Console

    from ml_assets.orchestration.launching.launches import DaemonRunsError, NoQueueError
    from ml_assets.orchestration.launching.runs import NoLocationError, parallelism_of
    from ml_assets.project.answers.backfill import BusyError, as_json, render, run_backfill
    from ml_assets.project.answers.plan import SpanError, resolve
    from ml_assets.project.project import NoAssetError, Project

    asked, prints_json = _asked(options)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    project, console = Project(home), Console(soft_wrap=True, stderr=prints_json)
    parallelism = parallel or parallelism_of(project.instance)
    try:
        # Before anything is started.
        resolve(project, asked)
        done = run_backfill(project, asked, submit=submit, parallelism=parallelism, console=console)
    except (NoAssetError, SpanError) as error:
        raise click.UsageError(str(error)) from error
    except (BusyError, DaemonRunsError, NoLocationError, NoQueueError) as error:
        raise click.ClickException(str(error)) from error
    if prints_json:
        click.echo(json.dumps(as_json(done), indent=2))
    else:
        console.print(*render(done), sep="\n")
    sys.exit(done.exit_code)


@click.command()
@home_option(exists=True)
@click.argument("selection")
@click.option("--reason", required=True, help="Why the change alters no result.")
def harmless(home: Path, selection: str, reason: str) -> None:
    """Declare the latest change of the code of SELECTION, such as an asset, harmless: it outdates nothing.

    Appends an entry to notebooks/harmless.yaml for each asset: from the version that made the newest outdated
    partition, to the present one. SELECTION is as of `plan`; after an upgrade it may be `all`. Declare it before the
    new code makes partitions. Exits with 1 when nothing is outdated by its code.
    """
    from ml_assets.domain.errors import SpecError
    from ml_assets.project.answers.harmless import NotDeclaredError, declare_all
    from ml_assets.project.project import NoAssetError, Project

    project = Project(home)
    try:
        assets = project.select(selection)
    except NoAssetError as error:
        raise click.UsageError(str(error)) from error
    try:
        click.echo(declare_all(project, assets, reason))
    except (NotDeclaredError, SpecError) as error:
        raise click.ClickException(str(error)) from error


@click.command()
@home_option(exists=True)
@click.argument("run_id")
def retry(home: Path, run_id: str) -> None:
    """Repeat a failed run from the step that failed, here and now.

    What the run had made before is not made again, and what follows is made from exactly that. Exits with 1 when it
    fails again.
    """
    from ml_assets.project.answers.retry import RetryError
    from ml_assets.project.answers.retry import retry as repeat
    from ml_assets.project.project import Project

    try:
        run = repeat(Project(home), run_id)
    except RetryError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"run {run.run_id}: {run.status.value}")
    sys.exit(0 if run.is_success else 1)


@click.command("fail-runs")
@home_option(exists=True)
def fail_runs_(home: Path) -> None:
    """Record as failed all runs that have begun and not ended, when nothing executes them any more.

    That is so after a restore on a machine of another name. Where the name is the same, the daemon finds out by itself.
    Then they are repeated, as runs that were killed are. Refused while a daemon is alive.
    """
    from ml_assets.project.answers.fail_runs import DaemonAliveError, fail_runs
    from ml_assets.project.home import open_instance

    with open_instance(home) as instance:
        try:
            gone = fail_runs(instance, say=partial(click.echo, err=True))
        except DaemonAliveError as error:
            raise click.ClickException(str(error)) from error
    for run in gone:
        click.echo(f"run {run.run_id} had begun, and failed")
    if not gone:
        click.echo("no run has begun that has not ended, or is alive here")
