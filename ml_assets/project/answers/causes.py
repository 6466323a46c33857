"""Reasons that are equal but for the partitions and numbers that they name: told once, by the first of them."""

import re
from collections.abc import Sequence

from ml_assets.domain.owed.lost import without_lost

#: One partition or number, or several of them.
_NAMED = re.compile(r"(?:,? ?\b\d[\w:.+-]*)+")


def general(why: str) -> str:
    """What equal reasons share: all but the partitions, the numbers and the lost file that they name."""
    return _NAMED.sub(" 0", without_lost(why))


def by_the_first(reasons: Sequence[tuple[str, str]]) -> str:
    """One reason for all of some partitions: theirs where it is one, else that of the first, which is named.

    Args: `reasons`: partition and reason of each.
    """
    partition, why = reasons[0]
    return why if all(other == why for _, other in reasons) else f"{partition}: {why}"
