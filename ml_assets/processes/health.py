"""Whether a deployment works, for a monitor: the database, the code locations, the daemon. Nothing is launched."""

from datetime import datetime

import dagster as dg

from ml_assets.dagster_names import BaseWorkspaceRequestContext, CodeLocationEntry, GrpcServerCodeLocation
from ml_assets.orchestration.running.one_line import cause_on_one_line

#: Each part of a daemon says twice a minute that it lives; while it launches many runs, it does so later.
SECONDS_OF_SILENCE = 120
_SECONDS_FOR_CODE_SERVER = 5


def find_problems(context: BaseWorkspaceRequestContext, *, as_of: datetime) -> list[str]:
    """What does not work, each on one line; empty: all does.

    Args: `context`: of a webserver, which does not see at once that a code server ended: each is asked anew.
    """
    entries = context.get_code_location_entries()
    locations = [problem for name, entry in entries.items() if (problem := _of_location(name, entry))]
    return [*_of_daemon(context.instance, as_of), *locations]


def _of_location(name: str, entry: CodeLocationEntry) -> str | None:
    where = f"code location {name}"
    if entry.load_error is not None:
        return f"{where} is not loaded: {entry.load_error.message.strip().splitlines()[0]}"
    if entry.code_location is None:
        return f"{where} is not loaded yet"
    if isinstance(entry.code_location, GrpcServerCodeLocation):
        try:
            entry.code_location.client.get_server_id(timeout=_SECONDS_FOR_CODE_SERVER)
        except Exception as error:  # noqa: BLE001  (whatever keeps it from answering is what is asked)
            return f"{where}: its code server does not answer: {cause_on_one_line(error)}"
    return None


def _of_daemon(instance: dg.DagsterInstance, as_of: datetime) -> list[str]:
    try:
        beats = instance.get_daemon_heartbeats()
    except Exception as error:  # noqa: BLE001  (databases raise errors of their own kinds)
        return [f"the database does not answer: {cause_on_one_line(error)}"]
    silent = {
        kind: f"{as_of.timestamp() - beats[kind].timestamp:.0f} seconds ago" if kind in beats else "never"
        for kind in sorted(instance.get_required_daemon_types())
        if kind not in beats or as_of.timestamp() - beats[kind].timestamp > SECONDS_OF_SILENCE
    }
    if not silent:
        return []
    last = ", ".join(f"{kind} {when}" for kind, when in silent.items())
    return [f"the daemon is silent; its last heartbeats: {last}"]
