"""Launches runs on this machine as processes that are forked from a warm one, and their kernels from the same.

`dagster.yaml` of a local home names it. Runs of code locations that another interpreter serves are launched as
Dagster's default launcher does.
"""

import os
import platform
import sys
import threading
from contextlib import suppress
from pathlib import Path

import dagster as dg
import psutil
from typing_extensions import override

from ml_assets.dagster_names import (
    HIDDEN_TAG_PREFIX,
    CheckRunHealthResult,
    ConfigurableClassData,
    DefaultRunLauncher,
    ExecuteRunArgs,
    JobPythonOrigin,
    LaunchRunContext,
    WorkerStatus,
    serialize_value,
)
from ml_assets.notebooks.kernels.warm import WarmHosts
from ml_assets.warm.process import HostGoneError, Process

#: Tag of a run: its process, as the process id and the instant of its start. It tells a person nothing, and is hidden.
WORKER_TAG = f"{HIDDEN_TAG_PREFIX}ml_assets_worker"
#: Tag of a run: the process that launches it, in the same words. Where that is killed before the run has a process of
#: its own, the run is not left behind as if it still began. Who ends a run must not end this one.
LAUNCHER_TAG = f"{HIDDEN_TAG_PREFIX}ml_assets_launcher"
#: The name that older runs have of that of its process.
_OLD_WORKER_TAG = "ml_assets/worker"
_TICKS = "ticks"
#: Of runs that are not queued.
_UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class WarmRunLauncher(DefaultRunLauncher):
    """Forks each run from a process that has imported Dagster and what notebooks import.

    The warm process is started by the first run, replaced when a source file that it has imported is edited, and ends
    with this one; so do its runs.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._hosts = WarmHosts()
        self._processes: dict[str, Process] = {}
        self._lock = threading.Lock()

    @override
    def launch_run(self, context: LaunchRunContext) -> None:
        run, origin = context.dagster_run, context.job_code_origin
        if origin is None or origin.repository_origin.executable_path != sys.executable:
            super().launch_run(context)
            return
        # It may take seconds to have a process to fork from.
        self._instance.add_run_tags(run.run_id, {LAUNCHER_TAG: worker_of(os.getpid())})
        process = self._fork(run, origin)
        if process is None:
            super().launch_run(context)
            return
        # First, so that whoever sees the run begun knows its process.
        self._instance.add_run_tags(run.run_id, {WORKER_TAG: worker_of(process.pid)})
        with self._lock:
            self._processes = {run_id: one for run_id, one in self._processes.items() if one.poll() is None}
            self._processes[run.run_id] = process

    def _fork(self, run: dg.DagsterRun, origin: JobPythonOrigin) -> Process | None:
        arguments = command_of(self._instance, run)
        with self._lock:
            for _ in range(2):
                address = self._hosts.address()
                if address is None:
                    return None
                try:
                    return Process(address, arguments, cwd=_folder_of(origin))
                except HostGoneError:
                    # It was killed; the next one is new, where it is our own.
                    continue
        return None

    @override
    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        worker = recorded_worker(run) if run else None
        if run is None or run.is_finished or worker is None:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        self._instance.report_run_canceling(run)
        return end_worker(worker)

    @property
    @override
    def supports_check_run_worker_health(self) -> bool:
        return True

    @override
    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        worker = recorded_worker(run)
        if worker is None:
            return CheckRunHealthResult(WorkerStatus.UNKNOWN, "not forked by this launcher")
        if is_alive(worker):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"its process {worker} has ended")


def recorded_worker(run: dg.DagsterRun) -> str | None:
    """The process of a run, where it was forked on some machine by this launcher."""
    return run.tags.get(WORKER_TAG, run.tags.get(_OLD_WORKER_TAG))


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Record as failed, or canceled, the runs of this machine whose process has ended, or that which launched them.

    Their partitions would show as running: for ever where no daemon monitors runs, and for minutes where one does, as
    it asks for the process of a run only once that has started.
    Returns: their ids.
    """
    dead = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_UNDER_WAY)):
        worker = worker_or_launcher(run)
        if worker is None or is_alive(worker) or worker == _inherited(instance, run):
            continue
        # It may have ended well between both looks.
        if (found := instance.get_run_by_id(run.run_id)) is None or found.is_finished:
            continue
        why = f"its process ({worker}) ended before it did"
        if found.status is dg.DagsterRunStatus.CANCELING:
            # A person has ended it, and nobody shall go on with it.
            instance.report_run_canceled(found, why)
        else:
            instance.report_run_failed(found, why)
        dead.append(run.run_id)
    return dead


def worker_or_launcher(run: dg.DagsterRun) -> str | None:
    """The process of a run; until it has one, that which is to give it one."""
    return recorded_worker(run) or run.tags.get(LAUNCHER_TAG)


def _inherited(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """The process of the run that this one repeats, with whose tags it begins."""
    parent = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    return worker_or_launcher(parent) if parent else None


def command_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """What executes a run, as the arguments of `python -m`."""
    if run.job_code_origin is None:
        raise ValueError(f"run {run.run_id} does not say what code it runs")
    order = ExecuteRunArgs(
        job_origin=run.job_code_origin,
        run_id=run.run_id,
        instance_ref=instance.get_ref(),
        set_exit_code_on_failure=True,
    )
    return ["dagster", "api", "execute_run", serialize_value(order)]


def worker_of(pid: int) -> str:
    """What tells a process from others of its id, on this machine and on others: node, id and start."""
    with suppress(FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
        return f"{platform.node()} {pid} {_start_of(pid)}"
    return f"{platform.node()} {pid} ended"


def _start_of(pid: int) -> str:
    """When a process began, in the same words whenever it is asked."""
    if sys.platform != "linux":
        return _instant_of(pid)
    # The instant is counted from one that moves when the clock of the machine is set: a process that lives would be
    # another. So in ticks since it was booted; before the 20th field there is a name, which may hold anything.
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return f"{stat.rpartition(')')[2].split()[19]}{_TICKS}"


def _instant_of(pid: int) -> str:
    return f"{psutil.Process(pid).create_time():.2f}"


def is_alive(worker: str) -> bool:
    """Whether the process of a run is alive, as far as this machine can tell: of others it cannot."""
    if not is_of_this_machine(worker):
        return True
    _, pid, start = worker.split()
    with suppress(FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
        # Older runs have the instant.
        return start == (_start_of(int(pid)) if start.endswith(_TICKS) else _instant_of(int(pid)))
    return False


def is_of_this_machine(worker: str) -> bool:
    """Whether the process of a run is, or was, one of this machine."""
    return worker.split(maxsplit=1)[0] == platform.node()


def end_worker(worker: str) -> bool:
    """Ask the process of a run to end. Returns: whether it was alive on this machine."""
    if not is_of_this_machine(worker) or not is_alive(worker):
        return False
    psutil.Process(int(worker.split()[1])).terminate()
    return True


def _folder_of(origin: JobPythonOrigin) -> str | None:
    """The working folder of a code location."""
    return getattr(origin.repository_origin.code_pointer, "working_directory", None)
