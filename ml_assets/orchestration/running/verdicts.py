"""What counts as a failure of a partition, and what is tried again.

A verdict is what a notebook did: its partition stays failed until its inputs or its code change, or a person asks. What
fails beside it, such as a store or a database that is away, says nothing of the partition.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from ml_assets.data.artifacts.store import ArtifactError, StrayFileError
from ml_assets.domain.maturity import ImmatureWindowError
from ml_assets.notebooks.patience import is_outage
from ml_assets.notebooks.running.run import KernelDiedError, NotebookError
from ml_assets.orchestration.recorded.current import LostError
from ml_assets.orchestration.resources import NoStorageError
from ml_assets.orchestration.running.pins import ChangedWhileReadError, MissingInputError
from ml_assets.orchestration.step_asset import NotebookChangedError

#: After how many seconds a partition is tried again, each time, that failed by no fault of its notebook.
PAUSES = (10, 30, 60, 120)
#: What is no verdict, and what trying again in the same run does not mend.
_FINAL = (
    ArtifactError,
    ChangedWhileReadError,
    ImmatureWindowError,
    MissingInputError,
    NotebookChangedError,
    NoStorageError,
    # Mistakes in a declaration, in an installation, and our own.
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    TypeError,
    ValueError,
)


def is_verdict(error: Exception) -> bool:
    """Whether an exception tells what a notebook did, or which input of it is lost."""
    if isinstance(error, NotebookError | LostError | StrayFileError):
        return True
    if isinstance(error, _FINAL):
        return False
    # To verify rows it was loaded.
    from ml_assets.data.no_leak import LeakError

    return isinstance(error, LeakError)


def tried_again(
    attempt: Callable[[bool, bool], Iterator[Any]], *, again: bool, waits: bool, say: Callable[[str], None]
) -> Iterator[Any]:
    """What attempts at a partition yield, until one ends well or with a verdict.

    A kernel that died without a known cause gets one more attempt.
    Args: `attempt`: makes one, told whether there was one before, and whether a kernel that dies is a failure; `again`:
    there was one before; `waits`: False where the same was waited for already; `say`: is told why there is another.
    Raises: what the last one did.
    """
    pauses, died = iter(PAUSES if waits else ()), False
    while True:
        try:
            yield from attempt(again, died)
        except Exception as error:
            pause = _pause(error, pauses, died=died)
            if pause is None:
                raise
            died = died or isinstance(error, KernelDiedError)
            say(f"is tried again in {pause} s: {type(error).__name__}: {error}")
            time.sleep(pause)
            again = True
        else:
            return


def _pause(error: Exception, pauses: Iterator[int], *, died: bool) -> int | None:
    """The seconds until the next attempt; None where there is none."""
    if isinstance(error, KernelDiedError) and not died:
        return 0
    return None if is_verdict(error) or not _may_pass(error) else next(pauses, None)


def _may_pass(error: Exception) -> bool:
    """Whether what failed beside a notebook may have gone a little later."""
    # It loads SQLAlchemy, which a run has loaded.
    from sqlalchemy.exc import DBAPIError

    if isinstance(error, DBAPIError):
        return is_outage(error)
    # Of TLS, some are of both kinds.
    return isinstance(error, OSError) or not isinstance(error, _FINAL)
