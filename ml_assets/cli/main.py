"""`ml-assets`: the command line."""

import click

from ml_assets.cli import asking, authoring, making, serving
from ml_assets.cli.options import HOME
from ml_assets.interrupts import heed_interrupts


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

            if (line := describe(error, ctx.meta.get(HOME))) is None:
                raise
            raise Fault(line) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="ml-assets", prog_name="ml-assets")
def main() -> None:
    """Automatic offline evaluation of machine-learning models on Dagster.

    Exits with 1 when the answer is no, with 2 when the command line is wrong, and with 3 when there is no answer, for
    a fault of what is worked on: a home, its disk, database or rights, a file, a variable, a store.
    """
    heed_interrupts()


for _command in (
    asking.lineage,
    asking.debt,
    asking.metrics,
    asking.notebook,
    asking.verify,
    asking.report,
    making.plan,
    making.backfill,
    making.harmless,
    making.retry,
    making.fail_runs_,
    serving.demo,
    serving.dev,
    serving.webserver,
    serving.daemon,
    serving.home,
    authoring.pair,
    authoring.new,
    authoring.init,
    authoring.standard_notebooks,
):
    main.add_command(_command)


if __name__ == "__main__":
    main()
