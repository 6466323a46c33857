"""Dagster's daemon as `python -m dagster._daemon`, which looks at backfills each second instead of twice a minute."""

from dagster._daemon import controller
from dagster._daemon.cli import main

if __name__ == "__main__":
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 1
    main()
