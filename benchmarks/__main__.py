"""`make bench`: measure, print tables, and write them as JSON into `benchmarks/results/`."""

import sys
from pathlib import Path

from benchmarks import debt, hdfs, kernel_end, labels, load, notebook_overhead, scale, sensor_tick, state

_RESULTS = Path(__file__).parent / "results"
_BENCHMARKS = {
    "load": load,
    "debt": debt,
    "sensor_tick": sensor_tick,
    "state": state,
    "labels": labels,
    "notebook_overhead": notebook_overhead,
    "kernel_end": kernel_end,
    "scale": scale,
    "hdfs": hdfs,
}


def main(names: list[str]) -> None:
    """Run some benchmarks, or all."""
    unknown = sorted(set(names) - _BENCHMARKS.keys())
    if unknown:
        sys.exit(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(_BENCHMARKS)}")
    _RESULTS.mkdir(exist_ok=True)
    for name in names or _BENCHMARKS:
        _BENCHMARKS[name].main(_RESULTS / f"{name}.json")


if __name__ == "__main__":
    main(sys.argv[1:])
