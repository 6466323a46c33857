"""Loading the code location, beside a bare `import dagster`."""

import resource
import statistics
import subprocess
import sys

_CASES = {
    "import dagster": "import dagster",
    "ml_assets.definitions": "from ml_assets.definitions import defs; defs()",
}


def cpu_seconds(code: str) -> float:
    """CPU seconds of a fresh Python process that runs `code`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def measure(rounds: int = 5) -> dict[str, float]:
    """Median CPU seconds of each case; the cases take turns, so that a noisy machine is unfair to none."""
    for code in _CASES.values():
        cpu_seconds(code)
    times = {name: [] for name in _CASES}
    for _ in range(rounds):
        for name, code in _CASES.items():
            times[name].append(cpu_seconds(code))
    return {name: statistics.median(found) for name, found in times.items()}
