"""What a cell may have meant that asked for a column which its tables do not have, such as `examples["devise"]`."""

import re
from collections.abc import Iterable

from ml_assets.domain.declared.near_misses import suggestions
from ml_assets.notebooks.order import TABLE
from ml_assets.paths import AnyPath

_QUOTED = re.compile(r"'([^']+)'")


def meant_columns(ename: str, evalue: str, inputs: Iterable[AnyPath]) -> str:
    """` (did you mean 'device'?)` for a KeyError that names what is nearly a column, else nothing.

    Args: `inputs`: the folders of the artifacts that the notebook may have read.
    """
    if ename != "KeyError":
        return ""
    # It loads pandas, which only a process that has run a notebook pays for.
    from ml_assets.data.artifacts.tables import columns_of

    columns = [name for folder in inputs if (folder / TABLE).exists() for name in columns_of(folder / TABLE)]
    names = [name for name in _QUOTED.findall(evalue) if name not in columns]
    return suggestions(names, columns)
