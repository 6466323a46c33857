"""Paths of files on this machine, or below a URL that fsspec reaches, such as `s3://bucket/team`.

What is local stays pathlib's; the rest is universal_pathlib's, which has the same methods. Light: the sensor imports
this, and fsspec is loaded for URLs alone.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import PlainSerializer, PlainValidator
from upath import UPath

AnyPath: TypeAlias = Path | UPath

#: Schemes of Hadoop's own stores, in which a file is seen while it is written, and is renamed at once.
RENAMING = frozenset({"hdfs", "viewfs"})
#: What reaches them, and the extra that has its package.
_CLIENTS = {"s3": ("s3", "s3fs"), "hdfs": ("hdfs", "hdfs-native"), "viewfs": ("hdfs", "hdfs-native")}


class AwayError(OSError):
    """A store that does not answer, or takes and gives nothing for now: nothing is known of what it holds."""


def outage_in(text: str) -> AwayError | None:
    """The outage that is told of in what others raise, such as DuckDB, which keep of an error its text alone."""
    _, told, words = text.partition(f"{AwayError.__name__}: ")
    return AwayError(words.partition("\n")[0]) if told else None


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
    scheme = "s3" if scheme == "s3a" else scheme
    if scheme in _CLIENTS:
        extra, package = _CLIENTS[scheme]
        try:
            importlib.import_module(f"ml_assets.{extra}")
        except ModuleNotFoundError as error:
            raise ImportError(f"{error}: {scheme}:// is reached by the package {package}, the extra {extra}") from None
    # Whatever option it is given, the client of Hadoop's stores takes for one of theirs. It remembers no listing.
    options = {} if scheme in RENAMING else {"use_listings_cache": False}
    return UPath(f"{scheme}://{rest}", protocol=None, **options)


#: A path as a field of a model that is written down in JSON.
PathField = Annotated[Any, PlainValidator(path_of), PlainSerializer(str)]


def name_below(root: AnyPath, partition: str) -> str:
    """The name of a partition's folder. Elsewhere than on this machine hours are escaped: HDFS allows no colon."""
    return partition if isinstance(root, Path) else partition.replace(":", "%3A")


class OutsideError(ValueError):
    """A name that would lead out of the folder that it is said to be in. The message names both."""


def check_inside(folder: AnyPath, name: str) -> None:
    """Refuse what is not a name of a file below a folder: a store takes any text for one, `../../etc/cron.d/x`, too.

    Raises: OutsideError.
    """
    if ".." in (parts := name.split("/")) or "\0" in name or list(Path(name).parts) != parts:
        raise OutsideError(f"{folder}: {name!r} is no name of a file in this folder, and might lead out of it")


def listed_below(folder: UPath) -> dict[str, Mapping[str, Any]]:
    """What a store tells of all files below a folder, by their names there, such as `trees/1.txt`.

    Raises: OutsideError for a name that leads out of it.
    """
    found = folder.fs.find(folder.path, detail=True)
    below = {name.removeprefix(f"{folder.path.rstrip('/')}/"): entry for name, entry in found.items()}
    for name in below:
        check_inside(folder, name)
    return below


def local_copy(folder: AnyPath, into: Path) -> Path:
    """A folder on this machine with the files of `folder`: itself where it is here, else `into`, which is made.

    Raises: OutsideError, before anything is written.
    """
    if isinstance(folder, Path):
        return folder
    here = {f"{folder.path.rstrip('/')}/{name}": into / name for name in listed_below(folder)}
    for path in here.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    folder.fs.get(list(here), [str(path) for path in here.values()])
    return into
