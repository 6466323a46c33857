"""What is written down of a partition that was made: its manifest for lineage, its metadata for the Dagster UI."""

from datetime import datetime
from typing import Any

import dagster as dg

from ml_assets.data.store import Artifact
from ml_assets.domain.spec import Model
from ml_assets.domain.windows import Windows
from ml_assets.notebooks.code import git_commit
from ml_assets.notebooks.order import StepResult
from ml_assets.orchestration.pins import Pins
from ml_assets.orchestration.step_asset import StepAsset

#: Label of how long a partition took.
SECONDS = "seconds"
#: What a manifest repeats of the artifacts that it was made from, so that it tells the whole chain by itself.
_LINEAGE = ("inputs", "events", "windows", "known_as_of", "notebook", "code_version", "git_commit")


def manifest(  # noqa: PLR0917
    asset: StepAsset, partition: str, run_id: str, pins: Pins, result: StepResult, as_of: datetime
) -> dict[str, Any]:
    """Everything that lineage needs, in the artifact itself."""
    return {
        "asset": asset.name,
        "step": asset.step,
        "model": asset.model.name,
        "partition": partition,
        "run_id": run_id,
        "data_version": result.data_version,
        "numbers": result.numbers,
        "windows": _windows(pins.events.windows, asset.model) if pins.events else {},
        "known_as_of": as_of.isoformat(),
        "events": pins.events.fingerprints if pins.events else {},
        "reads": [read.model_dump(mode="json") for read in result.reads],
        "inputs": {
            upstream.asset: {
                "partition": partition,
                "run_id": upstream.run_id,
                "data_version": upstream.made.data_version,
                **{key: upstream.artifact.manifest[key] for key in _LINEAGE},
            }
            for upstream in pins.upstream.values()
        },
        "notebook": asset.notebook.relative_to(asset.project_root).as_posix(),
        "code_version": asset.code_version,
        "source_version": asset.source_version,
        "git_commit": git_commit(asset.project_root),
    }


def metadata(
    asset: StepAsset, partition: str, pins: Pins, artifact: Artifact, *, seconds: float, executed: dg.MetadataValue
) -> dict[str, Any]:
    """What the Dagster UI shows of a materialization; numbers are plotted over partitions."""
    known = artifact.manifest
    shown: dict[str, Any] = {
        **known["numbers"],
        SECONDS: round(seconds, 3),
        "bytes": artifact.size,
        "executed_notebook": executed,
        "artifact": dg.MetadataValue.path(str(artifact.folder)),
        "lineage": dg.MetadataValue.json({key: known[key] for key in _LINEAGE}),
    }
    if pins.events:
        shown["reads"] = dg.MetadataValue.json(known["reads"])
        shown["known_as_of"] = dg.MetadataValue.timestamp(datetime.fromisoformat(known["known_as_of"]))
    if known["supersedes"]:
        shown["supersedes"] = dg.MetadataValue.dagster_run(known["supersedes"])
    shown.update({f"window_{name}": words for name, words in known["windows"].items()})
    for step, upstream in pins.upstream.items():
        shown[f"{step}_partition"] = partition
        shown[f"{step}_run"] = dg.MetadataValue.dagster_run(upstream.run_id)
        shown[f"{step}_data_version"] = upstream.made.data_version
        windows = upstream.artifact.manifest["windows"]
        shown.update({f"{step}_window_{name}": words for name, words in windows.items()})
    unknown = [log.key for log in asset.model.logs if log.columns.known is None]
    if asset.step == "training_data" and unknown:
        shown["known_time"] = f"{', '.join(unknown)}: no known time, so rows as of the cutoff cannot be guaranteed"
    return shown


def pictures(result: StepResult) -> dict[str, dg.MarkdownMetadataValue]:
    """The figures that a notebook reported, as the Dagster UI shows them."""
    return {
        name: dg.MetadataValue.md(f"![{name}](data:image/png;base64,{png})") for name, png in result.figures.items()
    }


def _windows(windows: Windows, model: Model) -> dict[str, str]:
    """The windows as a person reads them, in the log's time zone."""
    zone = model.partitions.zone
    intervals = {"exposures": windows.exposures, "outcomes": windows.outcomes}
    return {
        name: f"[{part.start.astimezone(zone).isoformat()}, {part.end.astimezone(zone).isoformat()})"
        for name, part in intervals.items()
    }
