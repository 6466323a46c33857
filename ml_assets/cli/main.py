"""`ml-assets`: the command line."""

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ml_assets import variables
from ml_assets.interrupts import heed_interrupts

if TYPE_CHECKING:
    from ml_assets.project.answers.plan import Asked

DEFAULT_HOME = ".home"
#: Of the context: the home that a command works on.
_HOME = "ml_assets.home"


class _Path(click.Path):
    """A path; an empty text, which would be the working folder, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, as pathlib has it."""
        if not str(value):
            self.fail("an empty text is no path", param, ctx)
        return Path(os.fsdecode(super().convert(value, param, ctx)))


class _Home(_Path):
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


def _home_option(*, exists: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
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

            click.get_current_context().meta[_HOME] = home
            with at_home(home):
                command(home=home, **others)

        return option(run_at_home)

    return decorate


def _read_instant(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime:
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


class Commands(click.Group):
    """Commands that answer a fault of what they work on by one line, as `faults` tells."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            # `Exit` is the end of each --help, too, for which nobody waits until Dagster is loaded.
            raise
        except Exception as error:
            from ml_assets.project.faults import Fault, describe

            if (line := describe(error, ctx.meta.get(_HOME))) is None:
                raise
            raise Fault(line) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Automatic offline evaluation of machine-learning models on Dagster.

    Exits with 1 when the answer is no, with 2 when the command line is wrong, and with 3 when there is no answer, for
    a fault of what is worked on: a home, its disk, database or rights, a file, a variable, a store.
    """
    heed_interrupts()


@main.command()
@_home_option(exists=False)
@click.option("--minutes", type=click.FloatRange(min=0), default=45, show_default=True, help="Give up after so long.")
def demo(home: Path, minutes: float) -> None:
    """Write the demo's event logs, let the sensors do the rest, and show the metrics."""
    from ml_assets.demo.run import run_demo
    from ml_assets.processes.settling import DaemonError

    # A terminated demo must end its daemon, as an interrupted one does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(run_demo(home, seconds=60 * minutes))
    except DaemonError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@_home_option(exists=False)
def dev(home: Path) -> None:
    """Open the Dagster UI on the home, with the daemon that launches what is due, until this is interrupted."""
    from ml_assets.demo.days import settle_days
    from ml_assets.project.home import open_instance

    # Of what stands in their way, Dagster's processes print stacks.
    open_instance(home).dispose()
    # A demo that is run beside it makes events on days that are known here before.
    settle_days(home)
    # A home that has been used is opened without a look at its project, which takes seconds.
    if not (home / "events").exists():
        from ml_assets.demo.no_events import describe_no_events
        from ml_assets.project.project import Project

        if line := describe_no_events(Project(home)):
            click.echo(line)
    programs = Path(sys.executable).parent
    path = os.pathsep.join([str(programs), variables.get("PATH") or os.defpath])
    environment = variables.inherited(PATH=path, **{variables.HOME: str(home.absolute())})
    command = [sys.executable, "-m", "ml_assets.processes.dev", "-w", "workspace.yaml"]
    os.execve(sys.executable, command, environment)  # noqa: S606


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def webserver(arguments: tuple[str, ...]) -> None:
    """Serve the Dagster UI as `dagster-webserver`, with its options; what it shows of notebooks is sandboxed.

    Pages of other sites are refused. It is opened at localhost, at a number, or at a name in ML_ASSETS_HOSTS.
    """
    from ml_assets.processes.webserver import serve

    serve(list(arguments))


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def daemon(arguments: tuple[str, ...]) -> None:
    """Run `dagster-daemon run` with its options; of a database or a source that is away it prints a line, no stack."""
    from ml_assets.processes.daemon import run

    run(list(arguments))


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


@main.command()
@_home_option(exists=True)
@click.argument("model", required=False)
@click.option("--as-of", metavar="T", callback=_read_instant, help="Such as 2026-01-05T09:00+01:00.  [default: now]")
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


@main.command()
@_home_option(exists=True)
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
    from ml_assets.domain.plan import Budget, Kind
    from ml_assets.project.answers.plan import Asked

    kinds = [kind for kind, wanted in ((Kind.MISSING, options["missing"]), (Kind.STALE, options["stale"])) if wanted]
    try:
        budget = Budget.parse(options["budget"], key="--budget") if options["budget"] is not None else None
    except SpecError as error:
        raise click.BadParameter(str(error)) from error
    per_run = options["partitions_per_run"]
    asked = Asked(options["selection"], options["first"], options["last"], kinds or tuple(Kind), budget, per_run)
    return asked, options["as_json_"]


@main.command()
@_home_option(exists=True)
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


@main.command()
@_home_option(exists=True)
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


@main.command()
@_home_option(exists=True)
@click.argument("asset")
@click.option("--reason", required=True, help="Why the change alters no result.")
def harmless(home: Path, asset: str, reason: str) -> None:
    """Declare the latest change of an ASSET's code harmless: what was made before it is not outdated by it.

    Appends an entry to notebooks/harmless.yaml: from the version that made the newest outdated partition, to the
    present one. Declare it before the new code makes partitions. Exits with 1 when nothing is outdated by its code.
    """
    from ml_assets.domain.errors import SpecError
    from ml_assets.project.answers.harmless import NotDeclaredError, declare_harmless
    from ml_assets.project.project import NoAssetError, Project

    project = Project(home)
    try:
        project.find(asset)
    except NoAssetError as error:
        raise click.UsageError(str(error)) from error
    try:
        click.echo(declare_harmless(project, asset, reason))
    except (NotDeclaredError, SpecError) as error:
        raise click.ClickException(str(error)) from error


@main.command()
@_home_option(exists=True)
@click.argument("asset")
@click.argument("partition")
@click.option("--run", "run_id", help="The notebook of this run, instead of the latest one.")
@click.option("--html", type=_Path(dir_okay=False), help="Export it into an HTML file.")
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


@main.command()
@_home_option(exists=True)
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


@main.command("fail-runs")
@_home_option(exists=True)
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


@main.command()
@_home_option(exists=True)
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


@main.command()
@_home_option(exists=True)
@click.option("--output", type=_Path(dir_okay=False), help="[default: report.html in the home]")
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


@main.command()
@_home_option(exists=False)
def home(home: Path) -> None:
    """Make the home folder with its dagster.yaml, and print its absolute path."""
    from ml_assets.project.home import prepare_home

    click.echo(prepare_home(home))


@main.command()
@click.argument("paths", type=_Path(), nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing; name each problem, and exit with 1 when there is one.")
@click.option("--from", "prefer", type=click.Choice(["py", "ipynb"]), help="The half that wins where both were edited.")
@click.option(
    "--staged", is_flag=True, help="For git's hook: exit with 1 when one was written, or is not in the index."
)
def pair(paths: tuple[Path, ...], check: bool, prefer: Literal["py", "ipynb"] | None, staged: bool) -> None:
    """Bring each notebook and its .py into step.

    PATHS are files or folders; without any, the folder notebooks. The half that changed since both last agreed wins;
    where both changed, say which by --from. Outputs, execution counts and metadata are left out of the .ipynb; its
    cells keep their ids.
    """
    from ml_assets.authoring.pairs import PairError, bring_into_step, find_pairs, find_problems, find_unstaged
    from ml_assets.notebooks.code.runnable import find_obstacles

    if check and prefer:
        raise click.UsageError("--check writes nothing; leave out --from")
    failed = False
    try:
        found = find_pairs(paths or [Path("notebooks")])
    except PairError as error:
        raise click.ClickException(str(error)) from error
    for one in found:
        try:
            lines = find_problems(one) + find_obstacles(one.ipynb) if check else bring_into_step(one, prefer)
            lines += find_unstaged(one) if staged else []
        except PairError as error:
            click.echo(f"Error: {error}", err=True)
            failed = True
        else:
            click.echo("".join(f"{line}\n" for line in lines), nl=False)
            failed |= bool(lines) and (check or staged)
    sys.exit(1 if failed else 0)


@main.command()
@click.argument("name", metavar="SERVICE/MODEL")
@click.option("--from-notebook", metavar="PATH", type=_Path(), help="Your notebook, .ipynb or .py.")
@click.option("--model-variable", metavar="NAME", help="What holds its fitted model.  [default: what it fits last]")
@click.option("--exposures", metavar="LOG", help="Event log of exposures.  [default: the service's]")
@click.option("--outcomes", metavar="LOG", help="Event log of outcomes.  [default: the service's]")
@click.option("--id", metavar="COLUMNS", help="Exposure id in both logs.  [default: the key of the exposures]")
@click.option("--entity", metavar="COLUMNS", help="Such as user_id,item_id in both logs, instead of an id.")
@click.option("--every", type=click.Choice(["hour", "day", "week"]), help="Partitions of new logs.  [default: day]")
@click.option("--start", metavar="DATE", help="First day of new logs.  [default: 1 January]")
@click.option("--timezone", default="UTC", show_default=True, help="Of the partitions of new logs.")
def new(**options: Any) -> None:
    """Add a model to the project around the working folder: its defs.yaml, its notebook and a test.

    Event logs are added where the service has none yet. A notebook of yours gets the cell tagged parameters and the
    save, nothing else; what changed is shown as a diff. No file is overwritten.
    """
    from ml_assets.authoring.adapt import AdaptError
    from ml_assets.authoring.new import NewError, Options, plan_model, render
    from ml_assets.declarations.scaffold import ScaffoldError
    from ml_assets.domain.errors import SpecError
    from ml_assets.project.at_hand import NoProjectError

    try:
        plan = plan_model(Options(**options), Path.cwd())
        plan.write()
    except (AdaptError, NewError, NoProjectError, ScaffoldError, SpecError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(render(plan))


if __name__ == "__main__":
    main()
