"""`python -m tests.support.dg` is the command `dg`."""

from dagster_dg_cli.cli import main

if __name__ == "__main__":
    main()
