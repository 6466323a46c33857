"""The demo: event logs arrive, the real daemon and sensors do the rest, and the metrics are shown.

Nothing here launches a run: it writes logs, starts the daemon, and looks.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ml_assets import variables
from ml_assets.demo_services import CHECKOUT
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.due import State
from ml_assets.examples import advertising, demo_days, fashion, grocery
from ml_assets.examples.demo_days import DemoDays
from ml_assets.metrics.calibration_ratio import CALIBRATION_RATIO
from ml_assets.metrics.log_loss import LOG_LOSS
from ml_assets.metrics.normalized_entropy import NORMALIZED_ENTROPY
from ml_assets.metrics.roc_auc import ROC_AUC
from ml_assets.orchestration.sensors import Tick, describe
from ml_assets.processes.settling import daemon, look_whether_settled, wait_until_settled
from ml_assets.project.answers.metrics import table
from ml_assets.project.answers.results import Judgement, examples_of, judgements
from ml_assets.project.at_hand import PYPROJECT, NoProjectError
from ml_assets.project.home import prepare_home
from ml_assets.project.project import Project
from ml_assets.reports.metrics_page import write_report

Days = tuple[date, date]

#: Of the output where there is no terminal that has a width.
_WIDTH = 160
_SHOWN = (LOG_LOSS, NORMALIZED_ENTROPY, ROC_AUC, CALIBRATION_RATIO)


def run_demo(
    home: Path,
    *,
    seconds: float,
    ads_days: Days = demo_days.DAYS["ads"],
    fashion_days: Days = demo_days.DAYS["fashion"],
    grocery_days: Days = demo_days.DAYS["grocery"],
) -> int:
    """Run the demo to its end.

    Args: `seconds`: give up after so long; `ads_days` and its like: first and last day of events that arrive, as they
    are simulated or read; the home's anchor moves them.
    Returns: the exit code: 0 when everything that is mature was evaluated, 1 when a partition failed.
    """
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    if not (CHECKOUT / PYPROJECT).exists():
        raise NoProjectError("the demo is in a checkout of ml_assets, not in its wheel; see `ml-assets init --help`")
    project = Project(home.absolute(), CHECKOUT)
    services = _write_logs(console, project, ads_days, fashion_days, grocery_days)
    tick = _settle(console, project, services, seconds)
    models = [project.models[name] for name in sorted(tick.found)]
    results = [result for model in models for result in judgements(project, model)]
    console.print(table(results, {metric.name: metric.title for metric in _SHOWN}))
    console.print(
        "Grey: the horizon is not the attribution, so the metric judges ranking, not calibration.\n", style="dim"
    )
    _compare_with_truth(console, project, results)
    _show(console, tick, models, State.WAITING, "Not made yet, and why:")
    unfinished = _show(console, tick, models, State.FAILED, "Failed:", style="bold red")
    unfinished |= _show(console, tick, models, State.DUE, "Due, but killed too often or canceled:", style="bold red")
    report = project.home / "report.html"
    write_report(project, report)
    console.print(f"\nReport with pictures: {report}", soft_wrap=True)
    elsewhere = project.home != Path(variables.DEFAULT_HOME).absolute()
    at_home = f" HOME_FOLDER={project.home}" if elsewhere else ""
    console.print(f"The same state in the Dagster UI: [bold]make dev{at_home}[/bold]", soft_wrap=True)
    if results:
        last = results[-1]
        asset = last.model.asset("metrics", last.horizon)
        option = f" --home {project.home}" if elsewhere else ""
        command = f".venv/bin/ml-assets lineage {asset} {last.partition}{option}"
        console.print(f"Lineage of a metric: {command}", soft_wrap=True)
    return 1 if unfinished else 0


def _write_logs(
    console: Console, project: Project, ads_days: Days, fashion_days: Days, grocery_days: Days
) -> list[str]:
    """Let the event partitions arrive. Returns: the services that have data."""
    moved = DemoDays.settle(prepare_home(project.home), project.events_root, now=datetime.now(UTC))
    written: dict[str, tuple[str, Callable[..., None], Days]] = {
        "ads": ("simulated", advertising.write_logs, ads_days),
        "fashion": ("simulated", fashion.write_logs, fashion_days),
    }
    reason = grocery.available()
    if reason is None:
        written["grocery"] = ("real", partial(grocery.write_logs, timezone=moved.grocery_timezone), grocery_days)
    with _progress(console) as progress:
        for service, (kind, write, (first, last)) in written.items():
            task = progress.add_task(f"event partitions of {service} ({kind})", total=None)

            def advance(_: str, task: TaskID = task) -> None:
                progress.advance(task)

            shift = moved.shift(service)
            write(project.events_root, first_day=first, last_day=last, shift=shift, on_partition=advance)
            progress.update(task, total=progress.tasks[task].completed)
    if reason is not None:
        console.print(f"[yellow]The real data (grocery/revisit) is left out: {reason}[/yellow]", soft_wrap=True)
    return list(written)


def _settle(console: Console, project: Project, services: list[str], seconds: float) -> Tick:
    """Run the daemon until nothing is due or running. Returns: what the sensors see then."""
    tick, settled = look_whether_settled(project.instance, lambda: project.look(services))
    if settled:
        console.print("Everything that is mature has been evaluated already.")
        return tick
    with _progress(console) as progress:
        task = progress.add_task("notebooks", total=None)
        with daemon(project.instance, ["-w", "workspace.yaml"], project_root=CHECKOUT) as running:

            def show(tick: Tick) -> None:
                running.check()
                done, total = _count(tick)
                progress.update(task, completed=done, total=total)

            return wait_until_settled(project.instance, lambda: project.look(services), on_look=show, seconds=seconds)


def _count(tick: Tick) -> tuple[int, int]:
    """How many partitions are finished, and how many can be: those that wait for no event partition."""
    ends = (State.DONE, State.OUTDATED, State.FAILED)
    assets = [asset for assets in tick.found.values() for asset in assets.values()]
    states = [status.state for asset in assets for status in asset.values() if not status.missing]
    return sum(state in ends for state in states), len(states)


def _show(  # noqa: PLR0917
    console: Console, tick: Tick, models: list[Model], state: State, title: str, style: str = "dim"
) -> bool:
    """Print the partitions in a state. Returns: whether there are any."""
    lines = [
        f"  {describe(model, {asset: chosen})}"
        for model in models
        for asset, partitions in tick.found[model.name].items()
        if (chosen := {key: status for key, status in partitions.items() if status.state is state})
    ]
    if lines:
        console.print(title)
    for line in lines:
        console.print(line, style=style, soft_wrap=True)
    return bool(lines)


def _compare_with_truth(console: Console, project: Project, results: list[Judgement]) -> None:
    """For simulated data: the log loss of the model beside that of the true probability."""
    for result in results:
        truth = f"probability_{result.horizon}"
        if result.model.name != "ads/cvr" or result.horizon.elapsed != result.model.training.attribution.elapsed:
            continue
        examples = examples_of(project, result)
        best = LOG_LOSS.value(examples["label"].to_numpy(), examples[truth].to_numpy())
        console.print(
            f"ads/cvr {result.partition} (simulated): log loss {result.metrics.loc['log_loss', 'value']:.4f}, "
            f"of the true probability {best:.4f}"
        )
    console.print()


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
