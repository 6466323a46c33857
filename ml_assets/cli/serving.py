"""Commands that run processes on a home: the demo, the UI, the daemon; and the one that makes a home."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ml_assets import variables
from ml_assets.cli.options import home_option

if TYPE_CHECKING:
    pass


@click.command()
@home_option(exists=False)
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


@click.command()
@home_option(exists=False)
def dev(home: Path) -> None:
    """Open the Dagster UI on the home, with the daemon that launches what is due, until this is interrupted."""
    from ml_assets.demo.days import settle_days
    from ml_assets.project.at_hand import root_at_hand
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
    root = root_at_hand()
    # Without the file, Dagster finds the code location by the pyproject.toml of the folder that it works in.
    workspace = ["-w", "workspace.yaml"] if (root / "workspace.yaml").exists() else []
    os.chdir(root)
    command = [sys.executable, "-m", "ml_assets.processes.dev", *workspace]
    os.execve(sys.executable, command, environment)  # noqa: S606


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def webserver(arguments: tuple[str, ...]) -> None:
    """Serve the Dagster UI as `dagster-webserver`, with its options; what it shows of notebooks is sandboxed.

    Pages of other sites are refused. It is opened at localhost, at a number, or at a name in ML_ASSETS_HOSTS.
    """
    from ml_assets.processes.webserver import serve

    serve(list(arguments))


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def daemon(arguments: tuple[str, ...]) -> None:
    """Run `dagster-daemon run` with its options; of a database or a source that is away it prints a line, no stack."""
    from ml_assets.processes.daemon import run

    run(list(arguments))


@click.command()
@home_option(exists=False)
def home(home: Path) -> None:
    """Make the home folder with its dagster.yaml, and print its absolute path."""
    from ml_assets.project.home import prepare_home

    click.echo(prepare_home(home))
