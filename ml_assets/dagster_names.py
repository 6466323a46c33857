"""Every name of Dagster's that its documentation does not promise, so that an upgrade of Dagster breaks here alone.

Each is imported when it is first asked for: some load what a code location does without. dagstermill's stand in
`ml_assets.notebooks.kernels.context`, papermill's in `ml_assets.notebooks.running.client`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagster._check import CheckError as CheckError
    from dagster._cli import dev as dev_cli
    from dagster._core.assets import AssetDetails as AssetDetails
    from dagster._core.code_pointer import ModuleCodePointer as ModuleCodePointer
    from dagster._core.definitions.asset_checks.asset_check_evaluation import (
        AssetCheckEvaluation as AssetCheckEvaluation,
    )
    from dagster._core.definitions.data_version import CODE_VERSION_TAG as CODE_VERSION_TAG
    from dagster._core.definitions.data_version import DATA_VERSION_TAG as DATA_VERSION_TAG
    from dagster._core.definitions.data_version import DEFAULT_DATA_VERSION as DEFAULT_DATA_VERSION
    from dagster._core.definitions.data_version import NULL_EVENT_POINTER as NULL_EVENT_POINTER
    from dagster._core.definitions.data_version import get_input_data_version_tag as get_input_data_version_tag
    from dagster._core.definitions.data_version import get_input_event_pointer_tag as get_input_event_pointer_tag
    from dagster._core.definitions.executor_definition import (
        multiple_process_executor_requirements as multiple_process_executor_requirements,
    )
    from dagster._core.definitions.reconstruct import ReconstructableJob as ReconstructableJob
    from dagster._core.definitions.reconstruct import ReconstructableRepository as ReconstructableRepository
    from dagster._core.errors import DagsterHomeNotSetError as DagsterHomeNotSetError
    from dagster._core.errors import DagsterImportError as DagsterImportError
    from dagster._core.errors import DagsterInvalidConfigError as DagsterInvalidConfigError
    from dagster._core.errors import DagsterInvariantViolationError as DagsterInvariantViolationError
    from dagster._core.errors import DagsterUserCodeProcessError as DagsterUserCodeProcessError
    from dagster._core.errors import DagsterUserCodeUnreachableError as DagsterUserCodeUnreachableError
    from dagster._core.events import DagsterEvent as DagsterEvent
    from dagster._core.events import DagsterEventType as DagsterEventType
    from dagster._core.events import EngineEventData as EngineEventData
    from dagster._core.execution.context.system import IStepContext as IStepContext
    from dagster._core.execution.context.system import PlanOrchestrationContext as PlanOrchestrationContext
    from dagster._core.execution.plan.objects import StepFailureData as StepFailureData
    from dagster._core.execution.plan.objects import StepRetryData as StepRetryData
    from dagster._core.execution.plan.objects import TypeCheckData as TypeCheckData
    from dagster._core.execution.plan.outputs import StepOutputData as StepOutputData
    from dagster._core.execution.plan.outputs import StepOutputHandle as StepOutputHandle
    from dagster._core.execution.plan.plan import ExecutionPlan as ExecutionPlan
    from dagster._core.execution.plan.state import KnownExecutionState as KnownExecutionState
    from dagster._core.execution.retries import RetryMode as RetryMode
    from dagster._core.executor.step_delegating import CheckStepHealthResult as CheckStepHealthResult
    from dagster._core.executor.step_delegating import StepDelegatingExecutor as StepDelegatingExecutor
    from dagster._core.executor.step_delegating import StepHandlerContext as StepHandlerContext
    from dagster._core.instance.ref import InstanceRef as InstanceRef
    from dagster._core.launcher import CheckRunHealthResult as CheckRunHealthResult
    from dagster._core.launcher import LaunchRunContext as LaunchRunContext
    from dagster._core.launcher import RunLauncher as RunLauncher
    from dagster._core.launcher import WorkerStatus as WorkerStatus
    from dagster._core.launcher.default_run_launcher import DefaultRunLauncher as DefaultRunLauncher
    from dagster._core.log_manager import DagsterLogManager as DagsterLogManager
    from dagster._core.origin import JobPythonOrigin as JobPythonOrigin
    from dagster._core.remote_origin import CodeLocationOrigin as CodeLocationOrigin
    from dagster._core.remote_origin import (
        ManagedGrpcPythonEnvCodeLocationOrigin as ManagedGrpcPythonEnvCodeLocationOrigin,
    )
    from dagster._core.remote_origin import RemoteJobOrigin as RemoteJobOrigin
    from dagster._core.remote_origin import RemoteRepositoryOrigin as RemoteRepositoryOrigin
    from dagster._core.remote_representation.code_location import GrpcServerCodeLocation as GrpcServerCodeLocation
    from dagster._core.run_coordinator import QueuedRunCoordinator as QueuedRunCoordinator
    from dagster._core.scheduler.instigation import InstigatorType as InstigatorType
    from dagster._core.scheduler.instigation import TickStatus as TickStatus
    from dagster._core.storage.asset_check_execution_record import (
        AssetCheckExecutionRecordStatus as AssetCheckExecutionRecordStatus,
    )
    from dagster._core.storage.dagster_run import FINISHED_STATUSES as FINISHED_STATUSES
    from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES as NOT_FINISHED_STATUSES
    from dagster._core.storage.dagster_run import DagsterRun as DagsterRun
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as AssetCheckExecutionsTable
    from dagster._core.storage.event_log.schema import AssetEventTagsTable as AssetEventTagsTable
    from dagster._core.storage.event_log.schema import AssetKeyTable as AssetKeyTable
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as SqlEventLogStorageTable
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage as SqlEventLogStorage
    from dagster._core.storage.runs.sql_run_storage import SqlRunStorage as SqlRunStorage
    from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG as ASSET_PARTITION_RANGE_END_TAG
    from dagster._core.storage.tags import ASSET_PARTITION_RANGE_START_TAG as ASSET_PARTITION_RANGE_START_TAG
    from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG as AUTO_RETRY_RUN_ID_TAG
    from dagster._core.storage.tags import BACKFILL_ID_TAG as BACKFILL_ID_TAG
    from dagster._core.storage.tags import HIDDEN_TAG_PREFIX as HIDDEN_TAG_PREFIX
    from dagster._core.storage.tags import MAX_RETRIES_TAG as MAX_RETRIES_TAG
    from dagster._core.storage.tags import PARTITION_NAME_TAG as PARTITION_NAME_TAG
    from dagster._core.storage.tags import RESUME_RETRY_TAG as RESUME_RETRY_TAG
    from dagster._core.storage.tags import WILL_RETRY_TAG as WILL_RETRY_TAG
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin as LoadableTargetOrigin
    from dagster._core.workspace.context import BaseWorkspaceRequestContext as BaseWorkspaceRequestContext
    from dagster._core.workspace.load import location_origins_from_yaml_paths as location_origins_from_yaml_paths
    from dagster._core.workspace.workspace import CodeLocationEntry as CodeLocationEntry
    from dagster._daemon.cli import cli as daemon_cli
    from dagster._grpc.types import ExecuteRunArgs as ExecuteRunArgs
    from dagster._loggers import default_system_loggers as default_system_loggers
    from dagster._serdes import ConfigurableClassData as ConfigurableClassData
    from dagster._serdes import deserialize_value as deserialize_value
    from dagster._serdes import pack_value as pack_value
    from dagster._serdes import serialize_value as serialize_value
    from dagster._serdes import unpack_value as unpack_value
    from dagster.components.core.defs_module import ComponentFileModel as ComponentFileModel
    from dagster.components.core.defs_module import find_defs_or_component_yaml as find_defs_or_component_yaml
    from dagster.components.core.load_defs import get_library_json_enriched_defs as get_library_json_enriched_defs
    from dagster_graphql.implementation import events as graphql_events
    from dagster_k8s.container_context import K8sContainerContext as K8sContainerContext
    from dagster_k8s.executor import K8sStepHandler as K8sStepHandler
    from dagster_k8s.job import UserDefinedDagsterK8sConfig as UserDefinedDagsterK8sConfig
    from dagster_shared.error import DagsterUnresolvableSymbolError as DagsterUnresolvableSymbolError
    from dagster_shared.error import SerializableErrorInfo as SerializableErrorInfo
    from dagster_shared.ipc import open_ipc_subprocess as open_ipc_subprocess
    from dagster_shared.seven import load_module_object as load_module_object
    from dagster_webserver import app as webserver_app
    from dagster_webserver.cli import cli as webserver_cli
    from dagster_webserver.webserver import DagsterWebserver as DagsterWebserver

#: Where each name lies; where it has another name there, that stands behind a colon.
WHERE = {
    "ASSET_PARTITION_RANGE_END_TAG": "dagster._core.storage.tags",
    "ASSET_PARTITION_RANGE_START_TAG": "dagster._core.storage.tags",
    "AUTO_RETRY_RUN_ID_TAG": "dagster._core.storage.tags",
    "AssetCheckEvaluation": "dagster._core.definitions.asset_checks.asset_check_evaluation",
    "AssetCheckExecutionRecordStatus": "dagster._core.storage.asset_check_execution_record",
    "AssetCheckExecutionsTable": "dagster._core.storage.event_log.schema",
    "AssetDetails": "dagster._core.assets",
    "AssetEventTagsTable": "dagster._core.storage.event_log.schema",
    "AssetKeyTable": "dagster._core.storage.event_log.schema",
    "BACKFILL_ID_TAG": "dagster._core.storage.tags",
    "BaseWorkspaceRequestContext": "dagster._core.workspace.context",
    "CODE_VERSION_TAG": "dagster._core.definitions.data_version",
    "CheckError": "dagster._check",
    "CheckRunHealthResult": "dagster._core.launcher",
    "CheckStepHealthResult": "dagster._core.executor.step_delegating",
    "CodeLocationEntry": "dagster._core.workspace.workspace",
    "CodeLocationOrigin": "dagster._core.remote_origin",
    "ComponentFileModel": "dagster.components.core.defs_module",
    "ConfigurableClassData": "dagster._serdes",
    "DATA_VERSION_TAG": "dagster._core.definitions.data_version",
    "DEFAULT_DATA_VERSION": "dagster._core.definitions.data_version",
    "DagsterEvent": "dagster._core.events",
    "DagsterEventType": "dagster._core.events",
    "DagsterHomeNotSetError": "dagster._core.errors",
    "DagsterImportError": "dagster._core.errors",
    "DagsterInvalidConfigError": "dagster._core.errors",
    "DagsterInvariantViolationError": "dagster._core.errors",
    "DagsterLogManager": "dagster._core.log_manager",
    "DagsterRun": "dagster._core.storage.dagster_run",
    "DagsterUnresolvableSymbolError": "dagster_shared.error",
    "DagsterUserCodeProcessError": "dagster._core.errors",
    "DagsterUserCodeUnreachableError": "dagster._core.errors",
    "DagsterWebserver": "dagster_webserver.webserver",
    "DefaultRunLauncher": "dagster._core.launcher.default_run_launcher",
    "EngineEventData": "dagster._core.events",
    "ExecuteRunArgs": "dagster._grpc.types",
    "ExecutionPlan": "dagster._core.execution.plan.plan",
    "FINISHED_STATUSES": "dagster._core.storage.dagster_run",
    "GrpcServerCodeLocation": "dagster._core.remote_representation.code_location",
    "HIDDEN_TAG_PREFIX": "dagster._core.storage.tags",
    "IStepContext": "dagster._core.execution.context.system",
    "InstanceRef": "dagster._core.instance.ref",
    "InstigatorType": "dagster._core.scheduler.instigation",
    "JobPythonOrigin": "dagster._core.origin",
    "K8sContainerContext": "dagster_k8s.container_context",
    "K8sStepHandler": "dagster_k8s.executor",
    "KnownExecutionState": "dagster._core.execution.plan.state",
    "LaunchRunContext": "dagster._core.launcher",
    "LoadableTargetOrigin": "dagster._core.types.loadable_target_origin",
    "MAX_RETRIES_TAG": "dagster._core.storage.tags",
    "ManagedGrpcPythonEnvCodeLocationOrigin": "dagster._core.remote_origin",
    "ModuleCodePointer": "dagster._core.code_pointer",
    "NOT_FINISHED_STATUSES": "dagster._core.storage.dagster_run",
    "NULL_EVENT_POINTER": "dagster._core.definitions.data_version",
    "PARTITION_NAME_TAG": "dagster._core.storage.tags",
    "PlanOrchestrationContext": "dagster._core.execution.context.system",
    "QueuedRunCoordinator": "dagster._core.run_coordinator",
    "RESUME_RETRY_TAG": "dagster._core.storage.tags",
    "ReconstructableJob": "dagster._core.definitions.reconstruct",
    "ReconstructableRepository": "dagster._core.definitions.reconstruct",
    "RemoteJobOrigin": "dagster._core.remote_origin",
    "RemoteRepositoryOrigin": "dagster._core.remote_origin",
    "RetryMode": "dagster._core.execution.retries",
    "RunLauncher": "dagster._core.launcher",
    "SerializableErrorInfo": "dagster_shared.error",
    "SqlEventLogStorage": "dagster._core.storage.event_log.sql_event_log",
    "SqlEventLogStorageTable": "dagster._core.storage.event_log.schema",
    "SqlRunStorage": "dagster._core.storage.runs.sql_run_storage",
    "StepDelegatingExecutor": "dagster._core.executor.step_delegating",
    "StepFailureData": "dagster._core.execution.plan.objects",
    "StepHandlerContext": "dagster._core.executor.step_delegating",
    "StepOutputData": "dagster._core.execution.plan.outputs",
    "StepOutputHandle": "dagster._core.execution.plan.outputs",
    "StepRetryData": "dagster._core.execution.plan.objects",
    "TickStatus": "dagster._core.scheduler.instigation",
    "TypeCheckData": "dagster._core.execution.plan.objects",
    "UserDefinedDagsterK8sConfig": "dagster_k8s.job",
    "WILL_RETRY_TAG": "dagster._core.storage.tags",
    "WorkerStatus": "dagster._core.launcher",
    "daemon_cli": "dagster._daemon.cli:cli",
    "default_system_loggers": "dagster._loggers",
    "deserialize_value": "dagster._serdes",
    "dev_cli": "dagster._cli:dev",
    "find_defs_or_component_yaml": "dagster.components.core.defs_module",
    "get_input_data_version_tag": "dagster._core.definitions.data_version",
    "get_input_event_pointer_tag": "dagster._core.definitions.data_version",
    "get_library_json_enriched_defs": "dagster.components.core.load_defs",
    "graphql_events": "dagster_graphql.implementation:events",
    "load_module_object": "dagster_shared.seven",
    "location_origins_from_yaml_paths": "dagster._core.workspace.load",
    "multiple_process_executor_requirements": "dagster._core.definitions.executor_definition",
    "open_ipc_subprocess": "dagster_shared.ipc",
    "pack_value": "dagster._serdes",
    "serialize_value": "dagster._serdes",
    "unpack_value": "dagster._serdes",
    "webserver_app": "dagster_webserver:app",
    "webserver_cli": "dagster_webserver.cli:cli",
}
#: Modules that runs and notebooks import sooner or later, for the process that they are forked from.
PRELOADED = (
    "dagster._cli",
    "dagster._core.executor.in_process",
    "dagster._core.run_coordinator.queued_run_coordinator",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.root",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.workspace.autodiscovery",
)


def __getattr__(name: str) -> Any:
    if name not in WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, there = WHERE[name].partition(":")
    try:
        # What is not there yet may be a module of its own.
        loaded = import_module(module)
        found = vars(loaded)[there or name] if (there or name) in vars(loaded) else import_module(f"{module}.{there}")
    except ImportError as error:
        raise ImportError(f"this version of Dagster has no {module}.{there or name}: {error}") from error
    globals()[name] = found
    return found
