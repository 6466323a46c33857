"""Prints a lineage as an indented tree."""

from ml_assets.orchestration.recorded.lineage import Lineage, Link

_PER_LINE = 3


def render(lineage: Lineage) -> str:
    """The chain as text, one artifact below the other; event partitions with their fingerprints."""
    if lineage.root is None:
        return ""
    others = [run for run in lineage.versions if run != lineage.root.run_id]
    older = [f"other versions, which --run shows: {', '.join(others)}"] if others else []
    return "\n".join(_lines(lineage.root, 0) + older)


def _lines(link: Link, depth: int) -> list[str]:
    manifest = link.artifact.manifest
    commit = manifest["git_commit"] or "none"
    lines = [f"{link.asset} {link.partition}"]
    lines.append(
        f"  run {link.run_id}, data version {link.artifact.data_version}, known as of {manifest['known_as_of']}"
    )
    lines.append(f"  {manifest['notebook']}, code version {manifest['code_version']}, git commit {commit}")
    if link.superseded_by:
        lines.append(f"  superseded by the version of run {link.superseded_by}")
    lines += [f"  {name} in {words}" for name, words in manifest["windows"].items()]
    for log, partitions in manifest["events"].items():
        lines.append(f"  {log}: {len(partitions)} event partitions, each with its fingerprint")
        cells = [f"{partition} {fingerprint}" for partition, fingerprint in sorted(partitions.items())]
        lines += ["    " + "   ".join(cells[start : start + _PER_LINE]) for start in range(0, len(cells), _PER_LINE)]
    indented = ["  " * depth + line for line in lines]
    for below in link.inputs:
        indented += _lines(below, depth + 1)
    return indented
