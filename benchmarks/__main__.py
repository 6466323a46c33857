"""`make bench`: measure, and print tables."""

from rich.console import Console
from rich.table import Table

from benchmarks import debt
from benchmarks.load import measure


def main() -> None:
    """Print the tables."""
    found = measure()
    peer = found["import dagster"]
    table = Table(title="Loading, median CPU seconds of five processes each")
    for heading in ("what", "CPU s", "ratio"):
        table.add_column(heading)
    for name, seconds in found.items():
        table.add_row(name, f"{seconds:.2f}", f"{seconds / peer:.2f}")
    Console().print(table)
    debt.main()


if __name__ == "__main__":
    main()
