"""What the UI says of the components that are installed, made once a process."""

from functools import cache

import dagster as dg

from ml_assets.dagster_names import get_library_json_enriched_defs


@cache
def catalog() -> dg.Definitions:
    """The catalog of installed components as metadata.

    Making it takes as long as loading a small project, and a run loads its project twice. What is forked after it was
    made has it.
    """
    return get_library_json_enriched_defs(None)
