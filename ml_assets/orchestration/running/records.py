"""What is written down of a partition that was made: its manifest for lineage, its metadata for the Dagster UI."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import dagster as dg

from ml_assets.data.artifacts.store import Artifact
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.windows import Windows
from ml_assets.notebooks.code.version import git_commit
from ml_assets.notebooks.order import StepResult
from ml_assets.orchestration.recorded.past_runs import TOOK
from ml_assets.orchestration.recorded.shown import in_markdown, shown
from ml_assets.orchestration.running.pins import Pins
from ml_assets.orchestration.step_asset import StepAsset

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
        "notebook": asset.declared_notebook,
        "code_version": asset.code_version,
        "source_version": asset.source_version,
        "git_commit": git_commit(asset.project_root),
    }


def metadata(
    asset: StepAsset, partition: str, pins: Pins, artifact: Artifact, *, seconds: float, executed: dg.MetadataValue
) -> dict[str, Any]:
    """What the Dagster UI shows of a materialization, what a person asks for first; numbers are plotted."""
    known, model = artifact.manifest, asset.model
    reported = shown(known["numbers"], metrics=asset.step == "metrics")
    found: dict[str, Any] = {"executed notebook": executed}
    # The model that a metric judged comes before the rows that it was judged on.
    for step, upstream in sorted(pins.upstream.items(), key=lambda one: one[0] != "model"):
        words, judged = step.replace("_", " "), upstream.artifact.manifest
        found[f"{words} partition"] = partition_link(upstream.asset, partition)
        found[f"{words} run"] = dg.MetadataValue.dagster_run(upstream.run_id)
        found[f"{words} version"] = upstream.made.data_version
        windows = judged["windows"] or _trained_on(judged)
        of = "training data" if step == "model" else words
        found.update({f"{of} window, {name}": interval for name, interval in windows.items()})
    found.update({f"window, {name}": interval for name, interval in known["windows"].items()})
    if pins.events:
        found["known as of"] = dg.MetadataValue.timestamp(datetime.fromisoformat(known["known_as_of"]))
    unknown = [log.key for log in model.logs if log.columns.known is None]
    if asset.step == "training_data" and unknown:
        found["known time"] = f"{', '.join(unknown)}: no known time, so rows as of the cutoff cannot be guaranteed"
    found |= odd_reads(known["reads"])
    found["git commit"] = known["git_commit"] or "not in a git repository"
    found[TOOK] = f"{seconds:.1f} s"
    found["size"] = _size(artifact.size)
    found["artifact"] = dg.MetadataValue.path(str(artifact.folder))
    if known["supersedes"]:
        found["supersedes"] = dg.MetadataValue.dagster_run(known["supersedes"])
    if pins.events:
        found["reads"] = dg.MetadataValue.json(known["reads"])
    found["lineage"] = dg.MetadataValue.json({key: known[key] for key in _LINEAGE})
    # A notebook can report nothing by these names: see `notebooks.reported`.
    return {**reported, **found}


def odd_reads(reads: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What is odd about rows that were read, in words. Args: `reads`: as `ReadRecord`, of older versions with less."""
    keyless, timeless = (
        {read["log"]: f"{read[count]} of {read['log']}" for read in reads if read.get(count)}
        for count in ("without_key", "without_time")
    )
    left_out = {
        read["log"]: f"{', '.join(read['left_out'])} of {read['log']}" for read in reads if read.get("left_out")
    }
    found = {}
    if keyless:
        found["rows without a key"] = f"{', '.join(keyless.values())}: no correction or retraction reaches them"
    if timeless:
        found["rows without a time"] = (
            f"{', '.join(timeless.values())}: without an event time they lie in no window, without a known time nobody "
            "knew of them at a cutoff"
        )
    if left_out:
        found["columns left out"] = f"{', '.join(left_out.values())}: of types that differ too much, or are too long"
    return found


def partition_link(asset: str, partition: str) -> dg.UrlMetadataValue:
    """What opens the page of a partition, at whatever host the UI is opened; not below a path prefix of it."""
    return dg.MetadataValue.url(f"/assets/{asset}?{urlencode({'view': 'partitions', 'partition': partition})}")


def _trained_on(model: Mapping[str, Any]) -> Mapping[str, str]:
    """The windows of the training data of a model, from its manifest."""
    windows: Iterable[Mapping[str, str]] = (one["windows"] for one in model["inputs"].values())
    return next(iter(windows), {})


def _size(of: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if of < 1000:
            return f"{of:.3g} {unit}"
        of /= 1000
    return f"{of:.3g} GB"


def pictures(result: StepResult) -> dict[str, dg.MarkdownMetadataValue]:
    """The figures that a notebook reported, as the Dagster UI shows them."""
    return {
        name: dg.MetadataValue.md(f"![{in_markdown(name)}](data:image/png;base64,{png})")
        for name, png in result.figures.items()
    }


def _windows(windows: Windows, model: Model) -> dict[str, str]:
    """The windows as a person reads them, in the log's time zone."""
    zone = model.partitions.zone
    intervals = {"exposures": windows.exposures, "outcomes": windows.outcomes}
    return {
        name: f"[{part.start.astimezone(zone).isoformat()}, {part.end.astimezone(zone).isoformat()})"
        for name, part in intervals.items()
    }
