"""Runs each step in a pod of its own, begins again what lost its pod, ends the pods of a run that is over.

It says when a pod had too little memory.

Imports Kubernetes' client: only an environment that runs on Kubernetes imports this.
"""

import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import dagster as dg
from dagster_k8s import K8sRunLauncher
from kubernetes.client import ApiException, V1ContainerStatus, V1Job, V1Pod
from typing_extensions import override
from urllib3.exceptions import HTTPError

from ml_assets.dagster_names import (
    CheckStepHealthResult,
    DagsterEvent,
    DagsterEventType,
    EngineEventData,
    ExecutionPlan,
    IStepContext,
    K8sContainerContext,
    K8sStepHandler,
    KnownExecutionState,
    PlanOrchestrationContext,
    RetryMode,
    SerializableErrorInfo,
    StepDelegatingExecutor,
    StepFailureData,
    StepHandlerContext,
    StepRetryData,
    UserDefinedDagsterK8sConfig,
    multiple_process_executor_requirements,
)
from ml_assets.orchestration.kubernetes_launcher import KubernetesRunLauncher, LauncherWithoutToken, NoTokenError
from ml_assets.orchestration.running.over import SECONDS_BETWEEN_LOOKS, SECONDS_TO_END, is_over
from ml_assets.orchestration.running.runner import LOST_POD_RETRIES, LOST_POD_SECONDS

#: What the error of a step says whose pod had too little memory.
OUT_OF_MEMORY = "ran out of memory"
#: Notebooks have no token of the cluster: the account of their run may make Jobs, and so read any Secret beside them.
WITHOUT_TOKEN = K8sContainerContext(
    run_k8s_config=UserDefinedDagsterK8sConfig(pod_spec_config={"automount_service_account_token": False})
)
_SECONDS_BETWEEN_CHECKS = 20
#: What a cluster answers that refuses, and that cannot be reached.
_CLUSTER_ERRORS = (ApiException, HTTPError)
#: A pod that is to end and does not, because its node does not answer, is taken for lost.
_PATIENCE = timedelta(minutes=2)
_ENDS = {DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_UP_FOR_RETRY}


class NoKubernetesLauncherError(Exception):
    """The instance launches runs by something else, so that it is not known how pods are to be made."""


def pod_executor() -> dg.ExecutorDefinition:
    """The executor of steps in pods, which are made as those of runs are, with what each step asks for.

    It raises NoKubernetesLauncherError in a run whose instance does not launch runs on Kubernetes, NoTokenError in one
    whose pod has no token of the cluster.
    """
    return _pods


@dg.executor(
    name="kubernetes",
    config_schema={
        "max_concurrent": dg.Field(dg.IntSource, is_required=False, description="Pods of one run at a time."),
    },
    requirements=multiple_process_executor_requirements(),
)
def _pods(context: dg.InitExecutorContext) -> "KubernetesExecutor":
    launcher = context.instance.run_launcher
    if isinstance(launcher, LauncherWithoutToken):
        raise NoTokenError(
            "the pod of this run has no token of the cluster, which makes the pods of its steps: "
            "`automount_service_account_token` is not to be false in dagster.yaml, where the launcher is configured"
        )
    if not isinstance(launcher, K8sRunLauncher):
        raise NoKubernetesLauncherError(
            f"the instance launches runs by {type(launcher).__name__}: its dagster.yaml is to name the "
            "KubernetesRunLauncher, or ML_ASSETS_ENVIRONMENT another environment"
        )
    handler = KubernetesSteps(
        image=None,
        # Other launchers ask for a token wherever the instance is opened.
        container_context=WITHOUT_TOKEN if isinstance(launcher, KubernetesRunLauncher) else K8sContainerContext(),
        load_incluster_config=launcher.load_incluster_config,
        kubeconfig_file=launcher.kubeconfig_file,
    )
    return KubernetesExecutor(
        handler,
        retries=RetryMode.ENABLED,
        max_concurrent=context.executor_config.get("max_concurrent"),
        check_step_health_interval_seconds=_SECONDS_BETWEEN_CHECKS,
        should_verify_step=True,
    )


class KubernetesSteps(K8sStepHandler):
    """Launches steps as dagster-k8s does; tells what became of a pod that ended without a word."""

    @override
    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        job = self._get_k8s_step_job_name(step_handler_context)
        namespace = self._get_container_context(step_handler_context).namespace or ""
        status = self._api_client.get_job_status(namespace=namespace, job_name=job)
        if status and not status.failed and not status.succeeded:
            return CheckStepHealthResult.healthy()
        pods = self._api_client.get_pods_in_job(job, namespace)
        # What a pod says while it ends comes first: two of one step would be in each other's way.
        if any(_is_alive(pod, datetime.now(UTC)) for pod in pods) or self._has_said_how(step_handler_context):
            return CheckStepHealthResult.healthy()
        return CheckStepHealthResult.unhealthy(f"the pod of Kubernetes job {job} {what_became_of(pods)}")

    @override
    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        step = step_handler_context.get_step_context(self._get_step_key(step_handler_context))
        try:
            yield from super().terminate_step(step_handler_context)
        except _CLUSTER_ERRORS as error:
            # The run ends as it is to end.
            _tell_that_it_stays(step, self._get_k8s_step_job_name(step_handler_context), error)

    def end_all(self, context: PlanOrchestrationContext) -> None:
        """Delete the Jobs of all steps of a run that have not ended, of whichever attempt; a refusal is told."""
        run = context.dagster_run
        launcher = cast("K8sRunLauncher", context.instance.run_launcher)
        namespace = K8sContainerContext.create_for_run(run, launcher, include_run_tags=False).namespace
        labels = f"dagster/run-id={run.run_id},app.kubernetes.io/component=step_worker"
        try:
            jobs = self._api_client.batch_api.list_namespaced_job(namespace, label_selector=labels).items
        except _CLUSTER_ERRORS as error:
            _tell_that_it_stays(context, "of its steps", error)
            return
        for name in [job.metadata.name for job in jobs if not _has_ended(job)]:
            message = f"The run is over: deleting Kubernetes job {name} of its step"
            DagsterEvent.engine_event(context, message, EngineEventData())
            try:
                self._api_client.delete_job(job_name=name, namespace=namespace)
            except _CLUSTER_ERRORS as error:
                _tell_that_it_stays(context, name, error)

    def _has_said_how(self, context: StepHandlerContext) -> bool:
        """Whether the present attempt of the step has ended by an event, which the executor is about to read."""
        args, step = context.execute_step_args, self._get_step_key(context)
        entries = context.instance.all_logs(args.run_id, of_type=_ENDS)
        ends = [entry for entry in entries if entry.dagster_event and entry.dagster_event.step_key == step]
        earlier = args.known_state.get_retry_state().get_attempt_count(step) if args.known_state else 0
        return len(ends) > earlier


class KubernetesExecutor(StepDelegatingExecutor):
    """Begins a step again whose pod was lost; not one that ran out of memory, which a person must mend.

    Where lost runs go on in another pod, Dagster forwards no end to the steps, as it takes each for such a loss.
    """

    def __init__(self, steps: KubernetesSteps, **options: Any) -> None:
        super().__init__(steps, **options)
        self._steps = steps

    @override
    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        try:
            yield from super().execute(plan_context, execution_plan)
        finally:
            if is_over(plan_context.instance, plan_context.run_id):
                self._steps.end_all(plan_context)

    @override
    def log_failure_or_retry_event_after_error(
        self, step_context: IStepContext, err_info: SerializableErrorInfo, known_state: KnownExecutionState
    ) -> DagsterEvent:
        before = known_state.get_retry_state().get_attempt_count(step_context.step.key)
        if OUT_OF_MEMORY in err_info.message or before >= LOST_POD_RETRIES:
            failure = StepFailureData(err_info, None)  # type: ignore[no-untyped-call]
            return DagsterEvent.step_failure_event(step_context=step_context, step_failure_data=failure)
        retry = StepRetryData(err_info, LOST_POD_SECONDS)  # type: ignore[no-untyped-call]
        return DagsterEvent.step_retry_event(step_context, retry)


def what_became_of(pods: Sequence[V1Pod]) -> str:
    """What became of the pods of a step, in words, with what to change where they had too little memory."""
    for pod in pods:
        for container in _containers(pod):
            ended = container.state.terminated if container.state else None
            if ended and ended.reason == "OOMKilled":
                limit = _memory_limit(pod, container.name)
                return (
                    f"{OUT_OF_MEMORY}: it was killed at its limit of {limit or 'what its node has'} (OOMKilled, exit "
                    f"code {ended.exit_code}). Raise `kubernetes.memory` in the model's defs.yaml, or "
                    "that of this step alone below `kubernetes.steps`; or let it read less: a shorter window, fewer "
                    "columns, `memory` for reading examples"
                )
        if pod.status and pod.status.reason:
            message = f": {pod.status.message}" if pod.status.message else ""
            return f"was lost ({pod.status.reason}{message})"
        for container in _containers(pod):
            ended = container.state.terminated if container.state else None
            if ended and ended.exit_code:
                return f"ended with exit code {ended.exit_code} ({ended.reason or 'no reason given'}) without a word"
    return "is gone: it was deleted, or its node was" if not pods else "ended without saying how its step did"


def _tell_that_it_stays(context: PlanOrchestrationContext | IStepContext, job: str, error: Exception) -> None:
    DagsterEvent.engine_event(
        context,
        f"Kubernetes job {job} could not be deleted; where it runs, it sees that its run is over, and ends within "
        f"{SECONDS_BETWEEN_LOOKS + SECONDS_TO_END} seconds",
        EngineEventData(error=SerializableErrorInfo.from_traceback(traceback.TracebackException.from_exception(error))),
    )


def _has_ended(job: V1Job) -> bool:
    return bool(job.status and (job.status.succeeded or job.status.failed))


def _is_alive(pod: V1Pod, now: datetime) -> bool:
    """Whether a pod may still do something."""
    if pod.status is None or pod.status.phase in ("Succeeded", "Failed"):
        return False
    # When it is to be gone, after its time to end.
    until = pod.metadata.deletion_timestamp
    return until is None or now < until + _PATIENCE


def _containers(pod: V1Pod) -> Sequence[V1ContainerStatus]:
    return (pod.status and pod.status.container_statuses) or ()


def _memory_limit(pod: V1Pod, container: str) -> str | None:
    found = next((one for one in pod.spec.containers if one.name == container), None) if pod.spec else None
    limits = (found.resources and found.resources.limits) if found else None
    return (limits or {}).get("memory")
