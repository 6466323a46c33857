"""Paths of files on this machine, or below a URL that fsspec reaches, such as `s3://bucket/team`.

What is local stays pathlib's; the rest is universal_pathlib's, which has the same methods. Light: the sensor imports
this, and fsspec is loaded for URLs alone.
"""

import importlib
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import PlainSerializer, PlainValidator
from upath import UPath

AnyPath: TypeAlias = Path | UPath

#: Schemes of Hadoop's own stores, in which a file is seen while it is written, and is renamed at once.
RENAMING = frozenset({"hdfs", "viewfs"})


class AwayError(OSError):
    """A store that does not answer, or takes and gives nothing for now: nothing is known of what it holds."""


def path_of(text: str | AnyPath) -> AnyPath:
    """The path that a text names: below a URL with a scheme, else on this machine.

    Raises: ValueError for a scheme that fsspec does not know; ImportError when the package that reaches it is missing.
    """
    if not isinstance(text, str):
        return text
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Path(text)
    if scheme == "file":
        return Path(rest)
    # One name for one store: DuckDB takes each file system once, by its first name.
    text = f"s3://{rest}" if scheme == "s3a" else text
    if scheme in RENAMING:
        # Whatever option it is given, its client takes for one of Hadoop's. It remembers no listing.
        try:
            importlib.import_module("ml_assets.hdfs")
        except ModuleNotFoundError as error:
            raise ImportError(f"{error}: {scheme}:// is reached by the package hdfs-native, the extra hdfs") from None
        return UPath(text, protocol=None)
    return UPath(text, protocol=None, use_listings_cache=False)


#: A path as a field of a model that is written down in JSON.
PathField = Annotated[Any, PlainValidator(path_of), PlainSerializer(str)]


def name_below(root: AnyPath, partition: str) -> str:
    """The name of a partition's folder. Elsewhere than on this machine hours are escaped: HDFS allows no colon."""
    return partition if isinstance(root, Path) else partition.replace(":", "%3A")


def local_copy(folder: AnyPath, into: Path) -> Path:
    """A folder on this machine with the files of `folder`: itself where it is here, else `into`, which is made."""
    if isinstance(folder, Path):
        return folder
    files = folder.fs.find(folder.path)
    here = [into / name.removeprefix(folder.path).lstrip("/") for name in files]
    for path in here:
        path.parent.mkdir(parents=True, exist_ok=True)
    folder.fs.get(files, [str(path) for path in here])
    return into
