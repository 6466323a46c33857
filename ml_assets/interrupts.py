"""What SIGINT and SIGTERM do in the processes of ours, as each entry point sets before it starts anything."""

import signal


def heed_interrupts() -> None:
    """Where SIGINT or SIGTERM is ignored, let the one raise KeyboardInterrupt, the other end this process.

    A script's background jobs ignore SIGINT, and so do their children. Dagster gives SIGTERM what SIGINT has: what is
    started so would not end before it is killed.
    """
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
