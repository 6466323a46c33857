"""While a person waits, a database server is asked once, and has some seconds to answer.

Dagster asks one on PostgreSQL six times, each as long as the network lets it. Runs, which outlive an outage by that,
keep it: what is set here is of this process alone, and until the instance is open.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext

#: For each address that a name has; libpq takes no less than two.
_SECONDS = 3


class NoAnswerError(Exception):
    """A database server does not answer. The message is its driver's, or the server's."""


@contextmanager
def asking_once() -> Iterator[None]:
    """Meanwhile a connection to a server is tried once. Raises: NoAnswerError."""
    listeners = (("do_connect", _limit), ("handle_error", _refuse))
    for name, listener in listeners:
        event.listen(Engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners:
            event.remove(Engine, name, listener)


def _limit(dialect: Any, _record: object, _arguments: object, parameters: dict[str, Any]) -> None:
    if dialect.name == "postgresql":
        parameters.setdefault("connect_timeout", _SECONDS)


def _refuse(context: ExceptionContext) -> None:
    # Of a connection that there is, what was asked is wrong.
    if context.connection is None and context.dialect.name != "sqlite":
        # What follows is a hint of the driver, or its next address.
        raise NoAnswerError(str(context.original_exception).strip().partition("\n")[0]) from context.original_exception
