"""An error on one line, as it is recorded with a partition and shown in summaries."""

from sqlalchemy.exc import DBAPIError

from ml_assets.dagster_names import DagsterUserCodeProcessError, DagsterUserCodeUnreachableError

#: Characters that are kept of it: a list of columns may be longer than anybody reads.
LONGEST = 800


def on_one_line(error: Exception) -> str:
    """Type and message; of a notebook's traceback the first line, and the last one where it says anything else."""
    lines = [line.strip() for line in f"{type(error).__name__}: {error}".splitlines() if line.strip()]
    first, last = lines[0], lines[-1]
    if last in first:
        return _shortened(first, LONGEST)
    # The last one names what was raised.
    last = _shortened(last, LONGEST // 2)
    return f"{_shortened(first, LONGEST - len(last))} ... {last}"


def cause_on_one_line(error: BaseException) -> str:
    """The first cause of an error of a code server or a database: its type, and the first line that it says."""
    while error.__cause__ is not None and not isinstance(error, (DBAPIError, DagsterUserCodeUnreachableError)):
        error = error.__cause__
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, DagsterUserCodeProcessError):
        info = error.user_code_process_error_infos[-1]
        while info.cause is not None:
            info = info.cause
        text = info.message
    return _shortened(text.strip().partition("\n")[0], LONGEST)


def _shortened(text: str, longest: int) -> str:
    """The beginning of a text, which ends with a whole item of a list, or a whole word."""
    if len(text) <= longest:
        return text
    kept = text[:longest]
    ends = [kept.rfind(separator) for separator in (", ", "; ", " ")]
    end = next((one for one in ends if one > longest // 2), longest)
    return f"{kept[:end]} ... and more"
