"""Launches runs as Jobs, as dagster-k8s does; pods without a token of the cluster open its instance, too.

An instance whose runs go on in another pod loads its launcher wherever it is opened, and dagster-k8s' own asks for a
token at once: in the code server and in each step and its notebook, which have none, and launch nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster_k8s import K8sRunLauncher
from kubernetes.config.incluster_config import SERVICE_TOKEN_FILENAME
from typing_extensions import override

from ml_assets.dagster_names import ConfigurableClassData, LaunchRunContext, RunLauncher


class NoTokenError(Exception):
    """A pod is to launch or end a run that has no token of the cluster."""


class KubernetesRunLauncher(K8sRunLauncher):
    """dagster-k8s' launcher where there is a token, elsewhere one that launches nothing. `dagster.yaml` names it."""

    @classmethod
    @override
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> RunLauncher:
        if config_value.get("load_incluster_config", True) and not Path(SERVICE_TOKEN_FILENAME).exists():
            return LauncherWithoutToken()  # type: ignore[no-untyped-call]
        return cls(inst_data=inst_data, **config_value)


class LauncherWithoutToken(RunLauncher):
    """Stands for the launcher of an instance in a pod that has no token."""

    @property
    @override
    def supports_resume_run(self) -> bool:
        return True

    @override
    def launch_run(self, context: LaunchRunContext) -> None:
        raise NoTokenError(
            f"run {context.dagster_run.run_id} is not launched here: this pod has no token of the cluster"
        )

    @override
    def terminate(self, run_id: str) -> bool:
        raise NoTokenError(f"run {run_id} is not ended here: this pod has no token of the cluster")
