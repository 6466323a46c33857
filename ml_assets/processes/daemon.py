"""Dagster's daemon, whose log can be read also when a database, a code server or a log's source is away."""

from ml_assets.dagster_names import daemon_cli as cli
from ml_assets.processes.log_lines import keep_lines_short
from ml_assets.written_by import check_home_at_hand


def run(arguments: list[str]) -> None:
    """Run `dagster-daemon run` with some arguments."""
    check_home_at_hand()
    keep_lines_short()
    cli.main(["run", *arguments], prog_name="ml-assets daemon", obj={})
