"""Executed notebooks: where each run's is kept, and for how long. Light: the code location imports this."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ml_assets.paths import AnyPath, check_inside, name_below


def executed_path(root: AnyPath, asset: str, partition: str, run_id: str) -> AnyPath:
    """Where the executed notebook of one partition of one run is kept.

    Raises: OutsideError for names that lead elsewhere.
    """
    check_inside(root / asset, f"{partition}/{run_id}")
    return root / asset / name_below(root, partition) / f"{run_id}.ipynb"


def remove_old(root: AnyPath, asset: str, current: Mapping[str, str], *, before: datetime) -> list[AnyPath]:
    """Remove the executed notebooks of an asset that were written before an instant.

    Args: `current`: the run whose materialization of each partition is current; its notebook stays.
    Returns: what was removed.
    """
    # What was recorded by hand is of no run.
    kept = {executed_path(root, asset, partition, run) for partition, run in current.items() if run}
    paths: list[AnyPath] = sorted((root / asset).glob("*/*.ipynb"), key=str)
    return [path for path in paths if path not in kept and _remove_if_old(path, before)]


def _remove_if_old(path: AnyPath, before: datetime) -> bool:
    try:
        if datetime.fromtimestamp(path.stat().st_mtime, UTC) >= before:
            return False
        path.unlink()
    except FileNotFoundError:
        # Another run of the asset removed it meanwhile.
        return False
    return True
