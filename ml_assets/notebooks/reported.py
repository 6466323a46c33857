"""What a notebook may report, and under which names: others belong to what the product shows of each partition."""

import base64
import io
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Of a figure that is shown in the Dagster UI; the executed notebook has it in full.
_DPI = 60
_WINDOWS = ("window, exposures", "window, outcomes")
#: What a run writes beside the report, as the UI shows it; the last two did older ones.
RESERVED = frozenset(
    (
        *("executed notebook", "known as of", "known time", "git commit", "took", "size", "artifact", "supersedes"),
        *("reads", "lineage", *_WINDOWS, "seconds", "bytes"),
        *(
            f"{step} {what}"
            for step in ("training data", "model", "evaluation data")
            for what in ("partition", "run", "version", *_WINDOWS)
        ),
    )
)


def words_of(name: str) -> str:
    """The name as the UI shows it."""
    return name.replace("_", " ")


def read_report(
    given: "Mapping[str, float | str | Figure | Axes]", before: Iterable[str]
) -> tuple[dict[str, int | float | str], dict[str, str]]:
    """The numbers and words, and the figures as PNG in base64.

    Args: `before`: the names that were reported already.
    Raises: ValueError for a name that is taken, for NaN and infinity; TypeError for a value of another kind.
    """
    taken = {words_of(name): name for name in before}
    numbers: dict[str, int | float | str] = {}
    figures: dict[str, str] = {}
    for name, one in given.items():
        _check_name(name, taken)
        if hasattr(one, "get_figure"):
            figures[name] = _png(one.get_figure())
            continue
        value = one.item() if hasattr(one, "item") else one
        if not isinstance(value, (int, float, str)):
            raise TypeError(f"{name} is a {type(value).__name__}: report numbers, words and figures alone")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} is {value}: leave out what is not known, and report the reason in words")
        numbers[name] = value
    return numbers, figures


def _check_name(name: str, taken: dict[str, str]) -> None:
    words = words_of(name)
    if words in RESERVED:
        raise ValueError(
            f"{name!r} cannot be reported: each partition has a {words!r} of its own; give it another name than "
            f"{', '.join(sorted(RESERVED))}"
        )
    if taken.setdefault(words, name) != name:
        raise ValueError(f"{name!r} cannot be reported beside {taken[words]!r}: both are shown as {words!r}")


def _png(figure: Any) -> str:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI)
    return base64.b64encode(content.getvalue()).decode()
