"""An error on one line, as it is recorded with a partition and shown in summaries."""

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


def _shortened(text: str, longest: int) -> str:
    """The beginning of a text, which ends with a whole item of a list, or a whole word."""
    if len(text) <= longest:
        return text
    kept = text[:longest]
    ends = [kept.rfind(separator) for separator in (", ", "; ", " ")]
    end = next((one for one in ends if one > longest // 2), longest)
    return f"{kept[:end]} ... and more"
