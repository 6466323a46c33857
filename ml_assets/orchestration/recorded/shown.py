"""How the Dagster UI shows what a notebook reported: it plots every number, so that few are numbers."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import dagster as dg

from ml_assets.notebooks.reported import words_of

#: Of the metrics that a standard evaluation reports, those that are plotted, the most telling first.
_PLOTTED = ("normalized_entropy", "log_loss", "roc_auc", "calibration_ratio")
_NUMBERED = re.compile(r"(?P<what>[a-z]\w*?)_(?P<number>\d+)_(?P<name>\w+)")

#: Of ASCII: what Markdown gives a meaning to, and takes for itself after a backslash.
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")

Numbers = Mapping[str, int | float | str]


def shown(numbers: Numbers, *, metrics: bool = False) -> dict[str, Any]:
    """The metadata of what a notebook reported, named as a person says it.

    An interval (`x_low`, `x_high`) and a caveat (`x_note`) are words beside their number; numbers that are reported for
    each of some numbered things (`position_1_clicks`, `position_2_clicks`) are one table.
    Args: `metrics`: the numbers are those of an evaluation, of whose standard metrics some are plotted.
    """
    titles = _titles() if metrics else {}
    plain = {name: value for name, value in numbers.items() if not _belongs_to_another(name, numbers)}
    first = [name for name in _PLOTTED if name in plain and name in titles]
    others = [name for name in plain if name not in titles]
    found: dict[str, Any] = {}
    for name in (*first, *others):
        title = titles.get(name, words_of(name))
        _add(found, title, plain[name])
        if (interval := _interval(name, numbers)) is not None:
            _add(found, f"{title}, 95 % interval", interval)
    for name, title in titles.items():
        if name in plain and name not in first:
            interval = _interval(name, numbers)
            _add(found, title, _short(plain[name]) + (f", 95 % interval {interval}" if interval else ""))
    for name, note in _notes(numbers):
        _add(found, f"{titles.get(name, words_of(name))}, note", note)
    for name, table in _tables(numbers).items():
        _add(found, name, table)
    return found


def in_markdown(text: str) -> str:
    """A text on one line of Markdown, in which each letter means itself alone."""
    return _PUNCTUATION.sub(r"\\\g<0>", " ".join(text.split()))


def _add(found: dict[str, Any], name: str, value: Any) -> None:
    """Show a value, also where a notebook has reported something else by its title."""
    while name in found:
        name += ", too"
    found[name] = value


def _titles() -> dict[str, str]:
    # It loads NumPy, which a process that only launches does without.
    from ml_assets.metrics.registry import ALL_METRICS

    return {metric.name: metric.title for metric in ALL_METRICS}


def _numbered(numbers: Numbers) -> dict[str, tuple[str, int, str]]:
    """What is reported of each of several numbered things: the thing, its number, and what of it."""
    matches = {name: match for name in numbers if (match := _NUMBERED.fullmatch(name))}
    counts = Counter((match["what"], match["name"]) for match in matches.values())
    return {
        name: (match["what"], int(match["number"]), match["name"])
        for name, match in matches.items()
        if counts[match["what"], match["name"]] > 1
    }


def _belongs_to_another(name: str, numbers: Numbers) -> bool:
    base, _, end = name.rpartition("_")
    if end in {"low", "high"}:
        return base in numbers and {f"{base}_low", f"{base}_high"} <= numbers.keys()
    return (end == "note" and isinstance(numbers[name], str)) or name in _numbered(numbers)


def _interval(name: str, numbers: Numbers) -> str | None:
    low, high = numbers.get(f"{name}_low"), numbers.get(f"{name}_high")
    return None if low is None or high is None else f"{_short(low)} to {_short(high)}"


def _notes(numbers: Numbers) -> list[tuple[str, str]]:
    return [
        (name.removesuffix("_note"), note)
        for name, note in numbers.items()
        if name.endswith("_note") and isinstance(note, str)
    ]


def _tables(numbers: Numbers) -> dict[str, dg.TableMetadataValue]:
    tables: dict[str, dict[int, dict[str, Any]]] = {}
    for name, (what, number, of) in _numbered(numbers).items():
        tables.setdefault(what, {}).setdefault(number, {what: number})[words_of(of)] = numbers[name]
    return {f"by {words_of(what)}": _table(what, list(rows.values())) for what, rows in tables.items()}


def _table(what: str, rows: list[dict[str, Any]]) -> dg.TableMetadataValue:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    schema = dg.TableSchema(columns=[dg.TableColumn(name, "int" if name == what else "float") for name in columns])
    # Dagster wants each row to have each column.
    records = [dg.TableRecord({name: row.get(name, "") for name in columns}) for row in rows]
    return dg.MetadataValue.table(records, schema=schema)


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
