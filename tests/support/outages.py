"""Errors as Dagster's processes get them while a database, a code server or a source is away."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from dagster._core.errors import DagsterUserCodeProcessError, DagsterUserCodeUnreachableError
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster_postgres.utils import retry_pg_connection_fn

#: What there is to say of a refusal.
REFUSED = 'OperationalError: connection to server at "127.0.0.1", port 1 failed: Connection refused'


def raised(by: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:
        by()
    return caught.value


def refused_by_a_database() -> Exception:
    engine = sa.create_engine("postgresql://127.0.0.1:1/dagster", poolclass=sa.NullPool)
    return raised(lambda: retry_pg_connection_fn(engine.connect, retry_limit=0))


def of_a_sensor() -> Exception:
    """As the daemon gets it: the text of an exception of another process, with its stacks and its causes."""
    try:
        try:
            raise FileNotFoundError("event log shop/visits: there is no folder /events\nfor nobody made it")
        except FileNotFoundError as error:
            raise RuntimeError("sensor shop_sensor failed") from error
    except RuntimeError as error:
        info = serializable_error_info_from_exc_info((type(error), error, error.__traceback__))
    return DagsterUserCodeProcessError.from_error_info(info)


def unreachable() -> Exception:
    error = DagsterUserCodeUnreachableError("Unable to reach the user code server")
    error.__cause__ = ConnectionError("<_InactiveRpcError of RPC that terminated with:\n\tstatus = UNAVAILABLE")
    return error
