"""What a notebook takes from this package, as its code version sees it, so that an upgrade is seen.

A module of ours that is imported by name counts with all of ours that it imports in turn, and so does `Step`, which
every notebook is given. A change of a release that alters no result stands in the package's own `harmless.yaml`, in the
form of a project's: it makes nothing outdated. Light: the code location imports this.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from ml_assets.domain.versions import digest
from ml_assets.notebooks.code.harmless import effective_version
from ml_assets.notebooks.code.source import PACKAGE, Modules

_STEP = f"{PACKAGE}.notebooks.step"
_FOLDER = Path(__file__).parents[2]
_HARMLESS = _FOLDER / "harmless.yaml"


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of our modules among some dotted names, and of `Step`.

    Raises: SpecError when the package's record of harmless changes cannot be accepted.
    """
    modules = Modules([os.fspath(_FOLDER.parent)])

    def counts(name: str) -> bool:
        # The first module of each of our packages says what belongs there, and no more.
        module = modules.find(name) if name.startswith(f"{PACKAGE}.") else None
        return module is not None and not module.folders

    return {
        name: effective_version(_HARMLESS, name, digest(modules.closure([name], counts)))
        for name in sorted({_STEP, *filter(counts, names)})
    }
