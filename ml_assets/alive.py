"""Asks whether a process of Dagster's is alive, for probes: `python -m ml_assets.alive daemon`, or `code-server PORT`.

It imports no Dagster: a probe that does takes three seconds of a processor each time, a tenth of which is enough. On a
busy node such a probe comes too late, and what it asks for is killed in good health.
"""

import sys
from collections.abc import Sequence

from ml_assets import variables

#: As long as Dagster's own check allows. A thread of the daemon tells twice a minute that it lives.
SECONDS_OF_SILENCE = 1800
_SECONDS_TO_ANSWER = 10
#: What names the database, by what its driver calls it.
_VARIABLES = {
    "host": "DAGSTER_PG_HOST",
    "port": "DAGSTER_PG_PORT",
    "user": "DAGSTER_PG_USERNAME",
    "password": "DAGSTER_PG_PASSWORD",
    "dbname": "DAGSTER_PG_DB",
}
#: Of the daemon that was heard of last alone: of earlier ones, threads that are no more may have left a heartbeat. The
#: body tells when in seconds; the column `timestamp` holds it in the time zone of whoever wrote it.
_HEARTBEATS = """
WITH heard AS (
  SELECT daemon_id, daemon_type, extract(epoch FROM now()) - (body::json ->> 'timestamp')::float AS age
  FROM daemon_heartbeats
)
SELECT daemon_type, age FROM heard
WHERE daemon_id = (SELECT daemon_id FROM heard ORDER BY age LIMIT 1) ORDER BY daemon_type
"""


def daemon() -> tuple[bool, str]:
    """Whether each thread of the daemon was heard of lately, by what it writes into the PostgreSQL of `DAGSTER_PG_…`.

    Of a database that does not answer nothing follows: starting the daemon anew would not mend it.
    Returns: whether it is alive as far as can be known, and why.
    """
    import psycopg2
    import psycopg2.errors

    asked = {name: variables.get(variable) for name, variable in _VARIABLES.items()}
    # Where the server trusts its network, or an account of the pod's, there is no password.
    missing = [variable for name, variable in _VARIABLES.items() if asked[name] is None and name != "password"]
    if missing:
        return False, f"not set: {', '.join(missing)}"
    try:
        connection = psycopg2.connect(**asked, connect_timeout=_SECONDS_TO_ANSWER)
    except psycopg2.OperationalError as error:
        return True, f"unknown: the database does not answer: {error}"
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = '{_SECONDS_TO_ANSWER}s'")
            cursor.execute(_HEARTBEATS)
            ages = dict(cursor.fetchall())
    except psycopg2.errors.UndefinedTable:
        return False, "no daemon has begun on this database"
    except psycopg2.OperationalError as error:
        return True, f"unknown: the database does not answer: {error}"
    finally:
        connection.close()
    silent = {name: age for name, age in ages.items() if age > SECONDS_OF_SILENCE}
    told = ", ".join(f"{name} {age:.0f} s ago" for name, age in (silent or ages).items())
    return bool(ages and not silent), f"last heard of: {told or 'never'}"


def code_server(port: int) -> tuple[bool, str]:
    """Whether the code server that listens on a port of this machine serves. Returns: that, and why."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"localhost:{port}") as channel:
        request = health_pb2.HealthCheckRequest(service="DagsterApi")
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_SECONDS_TO_ANSWER)
        except grpc.RpcError as error:
            return False, f"port {port}: {error}"
    return answer.status == health_pb2.HealthCheckResponse.SERVING, f"port {port}: status {answer.status}"


def main(arguments: Sequence[str]) -> int:
    """Answer by the exit code, and say why."""
    match arguments:
        case ["daemon"]:
            alive, why = daemon()
        case ["code-server", port] if port.isdecimal():
            alive, why = code_server(int(port))
        case _:
            print(f"{' '.join(arguments)!r} is neither `daemon` nor `code-server PORT`", file=sys.stderr)  # noqa: T201
            return 2
    print(why)  # noqa: T201
    return 0 if alive else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
