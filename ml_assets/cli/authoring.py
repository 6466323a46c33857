"""Commands that a data scientist writes models with."""

import sys
from pathlib import Path
from typing import Any, Literal

import click

from ml_assets.cli.options import PathType
from ml_assets.domain.declared.pods import STEPS


def _notebooks() -> list[Path]:
    """The folder of notebooks: below the working folder, or else of the project around it, which may have none yet."""
    from ml_assets.project.at_hand import NoProjectError, root_at_hand

    own = Path("notebooks")
    try:
        return [one for one in (own, root_at_hand() / own) if one.is_dir()][:1]
    except NoProjectError:
        return []


@click.command()
@click.argument("paths", type=PathType(), nargs=-1)
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
        found = find_pairs(paths or _notebooks())
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


@click.command()
@click.argument("name", metavar="SERVICE/MODEL")
@click.option("--from-notebook", metavar="PATH", type=PathType(), help="Your notebook, .ipynb or .py.")
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


@click.command()
@click.argument("folder", type=PathType(file_okay=False))
def init(folder: Path) -> None:
    """Write a project into FOLDER, and name it after that: an ordinary `dg` project without models.

    It has what drives the loop, a Makefile, a first test, CI and a Dockerfile; `ml-assets new` adds models to it. No
    file is overwritten.
    """
    from ml_assets.authoring.init import InitError, write_project

    try:
        written = write_project(folder)
    except InitError as error:
        raise click.ClickException(str(error)) from error
    click.echo("".join(f"wrote {folder / path}\n" for path in written), nl=False)
    click.echo(f"\n1. cd {folder}\n2. make test\n3. .venv/bin/ml-assets new SERVICE/MODEL\n4. make dev")


@click.command("standard-notebooks")
@click.argument("steps", metavar="[STEP]...", type=click.Choice(STEPS), nargs=-1)
def standard_notebooks(steps: tuple[str, ...]) -> None:
    """Copy the standard notebooks of STEPs, or of all, into notebooks/standard of this project, to be changed there.

    Models that name no notebook of their own have the project's copies from then on. No file is overwritten.
    """
    from ml_assets.authoring.standard import CopyError, copy_standard
    from ml_assets.project.at_hand import NoProjectError, root_at_hand

    try:
        written = copy_standard(root_at_hand(), steps or STEPS)
    except (CopyError, NoProjectError) as error:
        raise click.ClickException(str(error)) from error
    click.echo("".join(f"wrote {path}\n" for path in written), nl=False)
