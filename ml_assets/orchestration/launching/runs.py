"""Makes runs of the project's assets without a daemon, exactly as Dagster's own sensors would have them."""

import os
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import dagster as dg
import yaml

from ml_assets.dagster_names import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    HIDDEN_TAG_PREFIX,
    MAX_RETRIES_TAG,
    CheckError,
    CodeLocationOrigin,
    LoadableTargetOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    ReconstructableJob,
    ReconstructableRepository,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
    location_origins_from_yaml_paths,
)
from ml_assets.domain.declared.spec import Model
from ml_assets.orchestration.recorded.facts import asset_key

#: Dagster's own job, of which each run takes some assets.
ASSET_JOB = "__ASSET_JOB"
#: Tags of what was due when it was launched: the key of a sensor's request, which tells a person nothing; when a
#: backfill began, and a repair.
REQUEST_TAG = f"{HIDDEN_TAG_PREFIX}ml_assets_request"
BACKFILL_TAG, REPAIR_TAG = "ml_assets/backfill", "ml_assets/repair"
#: Tag that shows in the list of runs which partitions a run holds.
PARTITIONS_TAG = "partitions"
#: The name that older runs have of `REQUEST_TAG`.
OLD_REQUEST_TAG = "ml_assets/request"


class NoLocationError(Exception):
    """The project's workspace.yaml names no code location that loads its definitions."""


def parallelism_of(instance: dg.DagsterInstance) -> int:
    """How many runs an instance executes at once; one for each core where it has no bound."""
    queue = instance.get_concurrency_config().run_queue_config
    bound = queue.max_concurrent_runs if queue else -1
    return bound if bound > 0 else os.cpu_count() or 1


def evaluation_pool(model: Model) -> str:
    """The pool of a model's evaluations, of which one runs at a time."""
    return f"{model.name}/evaluation"


def set_up_pools(instance: dg.DagsterInstance, models: Iterable[Model]) -> None:
    """Give the pools of models their limit before a run is queued.

    Dagster does so when it first sees a run of a pool, and does not hold back others of that same moment.
    """
    storage = instance.event_log_storage
    for pool in {evaluation_pool(model) for model in models} - storage.get_concurrency_keys():
        storage.initialize_concurrency_limit_to_default(pool)


def pool_limit(instance: dg.DagsterInstance, pool: str) -> int | None:
    """How many runs of a pool an instance executes at once; None where it has no bound."""
    for limit in instance.event_log_storage.get_pool_limits():
        if limit.name == pool:
            return limit.limit
    return instance.get_concurrency_config().pool_config.default_pool_limit


def run_over(assets: Iterable[str], partitions: Sequence[str], *, key: str, tags: Mapping[str, str]) -> dg.RunRequest:
    """A request for a run of some assets over contiguous partitions; one key is launched once."""
    return dg.RunRequest(
        run_key=key,
        asset_selection=[asset_key(asset) for asset in assets],
        tags={**range_tags(partitions), **tags},
    )


def was_due(run: dg.DagsterRun) -> bool:
    """Whether a run was launched because it was due, not because a person chose its partitions."""
    return not run.tags.keys().isdisjoint((REQUEST_TAG, OLD_REQUEST_TAG, BACKFILL_TAG, REPAIR_TAG))


def range_tags(partitions: Sequence[str]) -> dict[str, str]:
    """The tags of a run that holds contiguous partitions, and one that says so to a person."""
    first, last = partitions[0], partitions[-1]
    words = "..".join(dict.fromkeys((first, last)))
    return {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last, PARTITIONS_TAG: words}


def find_location(root: Path, module: str) -> CodeLocationOrigin:
    """The code location that loads a project's definitions, as the UI and the daemon know it.

    Args: `root`: the folder of the project; `module`: that of the definitions. Raises: NoLocationError.
    """
    path = root / "workspace.yaml"
    if not path.exists():
        # As `dagster dev` and `dg dev` find it by the pyproject.toml, or `dagster dev -m` by its name.
        return ManagedGrpcPythonEnvCodeLocationOrigin(
            LoadableTargetOrigin(executable_path=sys.executable, module_name=module), _declared_name(root)
        )
    try:
        origins = location_origins_from_yaml_paths([str(path)])
    except (CheckError, dg.DagsterError, yaml.YAMLError) as error:
        first = " ".join(str(error).split())[:300]
        raise NoLocationError(f"{path}: is no workspace of Dagster: {first}") from error
    for origin in origins:
        ours = isinstance(origin, ManagedGrpcPythonEnvCodeLocationOrigin)
        if ours and origin.loadable_target_origin.module_name == module:
            return origin
    raise NoLocationError(f"{path}: load_from: name a python_module whose module_name is {module}")


def _declared_name(root: Path) -> str | None:
    """The name of the code location in a project's pyproject.toml; None where it has none."""
    file = root / "pyproject.toml"
    config = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    name: str | None = config.get("tool", {}).get("dg", {}).get("project", {}).get("code_location_name")
    return name


@dataclass(frozen=True)
class Runs:
    """Creates runs of assets of one project.

    `module`: that of the definitions; `imports`: the folder that it is imported from.
    """

    instance: dg.DagsterInstance
    root: Path
    module: str
    imports: str

    def create(self, assets: Sequence[str], partitions: Sequence[str], tags: Mapping[str, str]) -> dg.DagsterRun:
        """A run of some assets over contiguous partitions, which has not begun."""
        job = self._job(tuple(assets))
        return self.instance.create_run_for_job(
            job.get_definition(),
            # Who makes runs repeats them, too: Dagster would do so beside that, or once a daemon is started.
            tags={MAX_RETRIES_TAG: "0", **range_tags(partitions), **tags},
            asset_selection=job.asset_selection,
            remote_job_origin=self._origin,
            job_code_origin=self._whole.get_python_origin(),
        )

    def _job(self, assets: tuple[str, ...]) -> ReconstructableJob:
        return self._whole.get_subset(asset_selection={asset_key(asset) for asset in assets})

    @cached_property
    def _whole(self) -> ReconstructableJob:
        repository = ReconstructableRepository.for_module(self.module, "defs", self.imports)
        return repository.get_reconstructable_job(ASSET_JOB)

    @cached_property
    def _origin(self) -> RemoteJobOrigin:
        """How the UI and the daemon find the job."""
        location = find_location(self.root, self.module)
        return RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), ASSET_JOB)
