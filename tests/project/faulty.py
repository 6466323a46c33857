"""Commands that a fault refuses, and what stands in their way: rights, a disk that is full, a wrong dagster.yaml."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ASSET = "shop/order/metrics_2d"
#: Each command that opens a home, but for `demo` and `dev`, which go on for long where nothing is wrong.
COMMANDS = {
    "debt": [],
    "plan": ["all"],
    "backfill": ["all"],
    "metrics": ["shop/order"],
    "report": [],
    "verify": [],
    "lineage": [ASSET, "2026-03-05"],
    "notebook": [ASSET, "2026-03-05"],
    "harmless": [ASSET, "--reason", "x"],
    "retry": ["no-run"],
}
POSTGRES = {
    "DAGSTER_PG_HOST": "127.0.0.1",
    "DAGSTER_PG_USERNAME": "dagster",
    "DAGSTER_PG_PASSWORD": "secret",
    "DAGSTER_PG_DB": "dagster",
}
NOBODY = 65534
Refused = Callable[..., str]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Meanwhile the rights of files count for this process, too."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Meanwhile a file of this process ends there, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_config(home: Path, text: str) -> Path:
    (home / "dagster.yaml").write_text(text, encoding="utf-8")
    return home / "dagster.yaml"
