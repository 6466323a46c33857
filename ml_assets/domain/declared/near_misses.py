"""What somebody may have meant who wrote a name that there is not."""

import difflib
from collections.abc import Iterable


def suggestion(name: object, known: Iterable[object]) -> str:
    """` (did you mean 'x'?)` for a near miss, else nothing."""
    return suggestions([name], known)


def suggestions(names: Iterable[object], known: Iterable[object]) -> str:
    """` (did you mean 'x', 'y'?)`, for those of the names that are near misses."""
    there = [str(one) for one in known]
    meant = dict.fromkeys(close for name in names for close in difflib.get_close_matches(str(name), there, n=1))
    return f" (did you mean {', '.join(map(repr, meant))}?)" if meant else ""
