"""Declares that a change of an asset's code is harmless, and tells what that does to the partitions that exist."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.maturity import describe_spans
from ml_assets.domain.owed.facts import Made
from ml_assets.notebooks.code.harmless import HARMLESS_FILE, HarmlessChange, add_harmless, effective_version
from ml_assets.orchestration.assets import code_versions
from ml_assets.orchestration.recorded.facts import read_facts
from ml_assets.project.project import Project


class NotDeclaredError(Exception):
    """Nothing was declared. The message says why."""


@dataclass(frozen=True)
class Partitions:
    """The partitions of an asset that exist, by the code that made them.

    `mended`: made by the version that now counts as equal to the present one; `outdated`: made by the present version,
    which now counts as the older one; `others`: still outdated, by their version.
    """

    mended: tuple[str, ...]
    outdated: tuple[str, ...]
    others: Mapping[str, tuple[str, ...]]


def declare_all(project: Project, assets: Sequence[str], reason: str) -> str:
    """Record the change of each asset that is outdated by its code.

    Returns: as `declare_harmless`, and of others why nothing was declared.
    Raises: as `declare_harmless`, NotDeclaredError only when nothing was.
    """
    told, refused = [], []
    for asset in assets:
        try:
            told.append(declare_harmless(project, asset, reason))
        except NotDeclaredError as error:
            refused.append(str(error))
    if not told:
        raise NotDeclaredError("\n".join(refused))
    return "\n".join([*told, *refused])


def declare_harmless(project: Project, asset: str, reason: str) -> str:
    """Record the change since the version that made the newest outdated partition as harmless.

    Returns: what was written and what it does, in words.
    Raises: NotDeclaredError when no partition is outdated by its code, or as many would be outdated instead; SpecError
    when the reason or the file cannot be accepted.
    """
    model = next(model for model in project.models.values() if asset in model.assets)
    present = code_versions([model], project.root)[asset]
    made = read_facts(project.instance, [model], code={}).made[asset]
    before = _newest_version(project, asset, present, made)
    found = _by_version(made, before, present)
    if len(found.outdated) >= len(found.mended):
        raise NotDeclaredError(
            f"{asset}: version {present} made {_describe(model, found.outdated)} already, which would be outdated "
            f"instead of {_describe(model, found.mended)}, made by {before}; materialize the latter by hand"
        )
    written = add_harmless(project.root, HarmlessChange(asset, before, present, reason))
    lines = [f"wrote to {HARMLESS_FILE}, which belongs into version control:", written.rstrip()]
    lines.append(f"no longer outdated by code: {_describe(model, found.mended)}")
    if found.outdated:
        lines.append(f"outdated now, made by {present} already: {_describe(model, found.outdated)}")
    lines += [f"outdated still, made by {version}: {_describe(model, of)}" for version, of in found.others.items()]
    return "\n".join([*lines, "reload the definitions for it to take effect"])


def _newest_version(project: Project, asset: str, present: str, made: Mapping[str, Made]) -> str:
    """The version by which the partition was made that is newest of the outdated."""
    outdated = [one for one in made.values() if one.code not in (None, present)]
    if not outdated:
        raise NotDeclaredError(f"no partition of {asset} is outdated by its code; there is nothing to declare")
    # What was made by a version that counts as another one by now stays outdated.
    newest = {one.id: code for one in outdated if (code := one.code) and _counts_as_itself(project, asset, code)}
    if not newest:
        raise NotDeclaredError(
            f"what is outdated of {asset} was made by versions that count as another one by {HARMLESS_FILE}; "
            "materialize it by hand"
        )
    return newest[max(newest)]


def _counts_as_itself(project: Project, asset: str, version: str) -> bool:
    return effective_version(project.root / HARMLESS_FILE, asset, version) == version


def _by_version(made: Mapping[str, Made], before: str, present: str) -> Partitions:
    by_code: dict[str, list[str]] = {}
    for partition, one in sorted(made.items()):
        if one.code is not None:
            by_code.setdefault(one.code, []).append(partition)
    mended, outdated = (tuple(by_code.pop(version, ())) for version in (before, present))
    return Partitions(mended, outdated, {version: tuple(of) for version, of in by_code.items()})


def _describe(model: Model, partitions: tuple[str, ...]) -> str:
    calendar = model.partitions
    spans = describe_spans(calendar, (calendar.index_of(one) for one in partitions if calendar.holds(one)))
    return f"{len(partitions)} partition{'s' if len(partitions) != 1 else ''}{f' ({spans})' if spans else ''}"
