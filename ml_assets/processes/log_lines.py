"""What Dagster's daemon and webserver print of an outage: a line for each error, where its stack tells nothing."""

import logging
from typing import Any

from sqlalchemy.exc import InterfaceError, OperationalError

from ml_assets.dagster_names import DagsterUserCodeProcessError, DagsterUserCodeUnreachableError
from ml_assets.orchestration.running.one_line import cause_on_one_line

#: What a sensor raised, whose stack is kept with its tick; a code server, or a database, that does not answer.
_EXPECTED = (DagsterUserCodeProcessError, DagsterUserCodeUnreachableError, InterfaceError, OperationalError)
_NAMES = [kind.__name__ for kind in _EXPECTED]
_STACK, _CAUSE = "\n\nStack Trace:", "caused by the following exception:\n"
#: An error follows, with the same cause, where all attempts were in vain.
_ATTEMPT = "Retrying failed database connection"
_of_python = logging.getLogRecordFactory()


def keep_lines_short() -> None:
    """Let this process, which is to be Dagster's daemon or webserver, print lines. Unknown errors keep their stacks."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s"))
    handler.addFilter(_is_told_by_nobody_else)
    logging.basicConfig(handlers=[handler])
    logging.captureWarnings(True)
    logging.setLogRecordFactory(_record)


def _is_told_by_nobody_else(record: logging.LogRecord) -> bool:
    # Dagster's loggers have handlers of their own: once the root has one, as after an outage, all would be told twice.
    return record.name.partition(".")[0] not in {"dagster", "dagster-webserver"} and _ATTEMPT not in str(record.msg)


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    record = _of_python(*args, **kwargs)
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        if _is_expected(error):
            record.msg = f"{' '.join(record.getMessage().split()).rstrip(':')}: {cause_on_one_line(error)}"
            record.args, record.exc_info = (), None
    elif "\n" in (text := record.getMessage()) and any(name in text for name in _NAMES):
        record.msg, record.args = _in_short(text), ()
    return record


def _is_expected(error: BaseException | None) -> bool:
    return isinstance(error, _EXPECTED) or (error is not None and _is_expected(error.__cause__))


def _in_short(text: str) -> str:
    """What Dagster tells of an error and its causes, each with its stack: what comes before, and the last cause."""
    head, *stacks = text.split(_STACK)
    causes = [stack.partition(_CAUSE)[2].partition("\n")[0] for stack in stacks]
    told = [cause for cause in causes if OperationalError.__name__ in cause]
    return "; ".join([" ".join(head.split()), *told[-1:]])
