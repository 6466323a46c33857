"""The evaluation debt of 50 models x 1,000 partitions x 4 horizons, beside a bare subtraction of sets of the same keys.

`python -m benchmarks.debt [FILE]` prints the table, and writes it to FILE as JSON.
"""

import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from datetime import date, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ml_assets.domain import calendar, windows
from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.declared.spec import Evaluation, Join, Model, Training
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import Arrivals
from ml_assets.domain.owed.debt import Debt, debt
from ml_assets.domain.owed.due import statuses
from ml_assets.domain.owed.facts import Attempt, Facts, Made, metrics_inputs, model_inputs

MODELS, PARTITIONS = 50, 1_000
HORIZONS = (1, 3, 7, 30)
#: The event partition of each log, from its first, that has not arrived.
_MISSING = 500


def _model(number: int, logs: int, training: int) -> Model:
    def log(name: str) -> EventLog:
        days = Calendar("day", date(2023, 1, 1), "Europe/Berlin")
        return EventLog(f"ads/{name}", f"ads/{name}", days, Duration(40, "d"), Columns("event_time", ("id",)))

    return Model(
        name=f"ads/model_{number}",
        exposures=log(f"exposures_{logs}"),
        outcomes=log(f"outcomes_{logs}"),
        join=Join(("id",), by_id=True),
        training=Training(Duration(training, "d"), Duration(0, "d"), Duration(7, "d")),
        evaluation=Evaluation(Duration(1, "d"), tuple(Duration(days, "d") for days in HORIZONS)),
    )


#: How each case makes its models. What models of equal calendars and windows share is of no use to the last.
_CASES: dict[str, Callable[[int], Model]] = {
    "all models share two logs": lambda number: _model(number, 0, 28),
    "each model has its own logs": lambda number: _model(number, number, 28),
    "each model has its own logs and its own window": lambda number: _model(number, number, 28 + number),
}


def _as_of(model: Model) -> datetime:
    """The instant at which so many partitions are expected."""
    return model.partitions.interval(model.first_index + PARTITIONS).start


def _facts(model: Model) -> Facts:
    """What is recorded of a model that is evaluated each day, with a few of each kind of debt."""
    last = model.first_index + PARTITIONS
    arrived = {
        log.key: {log.partitions.key(index): f"{index:016x}" for index in range(last) if index != _MISSING}
        for log in model.logs
    }
    arrivals = Arrivals(model.logs, arrived)
    made: dict[str, dict[str, Made]] = {asset: {} for asset in model.assets}
    failed: dict[str, dict[str, Attempt]] = {}
    training_data, trained = made[model.asset("training_data")], made[model.asset("model")]
    needs = {horizon: windows.Needs(model, horizon) for horizon in (None, *model.evaluation.horizons)}
    for index in range(model.first_index, last):
        name, needed = model.partitions.key(index), needs[None].of(index)
        if arrivals.mature(needed):
            training_data[name] = Made(10 * index, "rows", arrivals.inputs(needed), "code")
            trained[name] = Made(10 * index + 1, "rows", model_inputs(training_data[name]), "code")
        for horizon in model.evaluation.horizons:
            needed = needs[horizon].of(index)
            # Each fiftieth partition is due.
            if name not in trained or index % 50 == 0 or not arrivals.mature(needed):
                continue
            data = Made(10 * index + 2, "rows", arrivals.inputs(needed), "code")
            made[model.asset("evaluation_data", horizon)][name] = data
            inputs = metrics_inputs(data, trained[name])
            if index % 70 == 0:
                failed.setdefault(model.asset("metrics", horizon), {})[name] = Attempt(inputs, "code", "run")
            else:
                judged = inputs if index % 90 else metrics_inputs(data, Made(0, "older", None, None))
                made[model.asset("metrics", horizon)][name] = Made(10 * index + 3, "table", judged, "code")
    return Facts(arrived, made, failed, code=dict.fromkeys(model.assets, "code"))


def _find(models: Iterable[tuple[Model, Facts]]) -> list[Debt]:
    found = []
    for model, facts in models:
        as_of = _as_of(model)
        found.append(debt(model, facts, statuses(model, facts, as_of=as_of), as_of=as_of))
    return found


def _subtract(expected: dict[str, list[str]], made: dict[str, dict[str, Made]]) -> dict[str, set[str]]:
    return {asset: set(names) - made[asset].keys() for asset, names in expected.items()}


def _run(case: str) -> dict[str, Any]:
    """CPU seconds of one case, and what it found."""
    facts = [_facts(_CASES[case](number)) for number in range(MODELS)]
    # Nothing that was worked out for the facts is of use to what is measured.
    calendar._found.cache_clear()
    windows._ranges_of.cache_clear()
    models = [_CASES[case](number) for number in range(MODELS)]
    before = time.process_time()
    found = _find(zip(models, facts, strict=True))
    seconds = time.process_time() - before

    metrics = [(model, model.asset("metrics", horizon)) for model in models for horizon in model.evaluation.horizons]
    first = models[0].first_index
    expected = {
        asset: [model.partitions.key(first + number) for number in range(PARTITIONS)] for model, asset in metrics
    }
    made = {asset: of for one in facts for asset, of in one.made.items()}
    before = time.process_time()
    _subtract(expected, made)
    peer = time.process_time() - before

    causes = Counter(str(entry.cause) for of in found for entry in of.entries)
    if causes.total() != MODELS * PARTITIONS * len(HORIZONS):
        raise RuntimeError(f"{causes.total()} entries were found: the workload is not what it says")
    return {"seconds": seconds, "peer": peer, "causes": dict(causes)}


def measure(rounds: int = 3) -> dict[str, dict[str, Any]]:
    """Median CPU seconds of each case and of its peer; the cases take turns, each time in a process of its own."""
    runs: dict[str, list[dict[str, Any]]] = {case: [] for case in _CASES}
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for _ in range(rounds):
            for case in _CASES:
                runs[case].append(processes.submit(_run, case).result())
    return {
        case: {
            "seconds": statistics.median(run["seconds"] for run in of),
            "peer": statistics.median(run["peer"] for run in of),
            "ratio": statistics.median(run["seconds"] / run["peer"] for run in of),
            "causes": of[0]["causes"],
        }
        for case, of in runs.items()
    }


def main(path: Path | None = None) -> None:
    """Print the table, and write it as JSON."""
    found = measure()
    size = f"{MODELS} models x {PARTITIONS} partitions x {len(HORIZONS)} horizons"
    table = Table(title=f"Statuses and debt of {size}, median CPU seconds of three processes each")
    for heading in ("logs", "CPU s", "sets of the same keys, CPU s", "ratio"):
        table.add_column(heading)
    for case, of in found.items():
        table.add_row(case, f"{of['seconds']:.2f}", f"{of['peer']:.3f}", f"{of['ratio']:.0f}")
    Console().print(table)
    if path is not None:
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
