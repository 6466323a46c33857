"""What SIGINT and SIGTERM do in a process of ours, which each entry point sets before all else."""

import signal


def heed_interrupts() -> None:
    """Let SIGINT raise KeyboardInterrupt and SIGTERM end this process, also where it was started to ignore them.

    A script's background jobs ignore SIGINT, and so do their children. Dagster gives SIGTERM what SIGINT has: what is
    started so would not end before it is killed.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
