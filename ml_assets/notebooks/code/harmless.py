"""Changes of code that a person declared harmless, on record in the project: `notebooks/harmless.yaml`.

A version that came about by a harmless change counts as the one of before, in all that is recorded and compared.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ml_assets.domain.errors import SpecError
from ml_assets.notebooks.code.source import FileState, state_of
from ml_assets.whole_files import write_whole

HARMLESS_FILE = Path("notebooks", "harmless.yaml")
_KEYS = ("asset", "from", "to", "reason")
_ENTRY = "{asset: ads/cvr/model, from: <version>, to: <version>, reason: <why it changes no result>}"
_HEADER = "# Changes of code that change no result: to each asset, version `to` counts as version `from`.\n"


class HarmlessChange(NamedTuple):
    """One entry of the file: the change of an asset from the version `before` to `after`."""

    asset: str
    before: str
    after: str
    reason: str


def effective_version(file: Path, asset: str, version: str) -> str:
    """The version that a version counts as: the oldest one that it came from by harmless changes.

    Args: `file`: the record, which need not be there.
    Raises: SpecError when the file cannot be accepted.
    """
    state = state_of(file)
    return _oldest(_read(file, state), asset, version) if state else version


def add_harmless(root: Path, change: HarmlessChange) -> str:
    """Append a change to the file, and leave what it holds as it is.

    Returns: what was written.
    Raises: SpecError when the file, or the change beside the others, cannot be accepted.
    """
    file = root / HARMLESS_FILE
    text = file.read_text(encoding="utf-8") if file.exists() else _HEADER
    before = _parse(text)
    values = dict(zip(_KEYS, change, strict=True))
    entry: str = yaml.safe_dump([values], sort_keys=False, allow_unicode=True, width=1_000_000)
    indent = " " * _column(text)
    written = "".join(f"{indent}{line}" for line in entry.splitlines(keepends=True))
    text += ("\n" if text and not text.endswith("\n") else "") + written
    try:
        complete = _parse(text)
    except SpecError as error:
        if error.key.startswith(f"{HARMLESS_FILE.as_posix()}: entry"):
            raise
        complete = {}
    if complete != before | {(change.asset, change.after): change}:
        raise SpecError(HARMLESS_FILE.as_posix(), text, "one entry to a line that begins with `- `, and nothing after")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, text)
    return written


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML's own takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        given: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in given:
                words = f"the key {key.value!r} is given twice, as {given[key.value]!r} and as {value.value!r}"
                raise yaml.constructor.ConstructorError(None, None, words, key.start_mark)
            given[key.value] = value.value
        return super().construct_mapping(node, deep)


#: The change that led to a version of an asset.
_Changes = dict[tuple[str, str], HarmlessChange]


def _oldest(changes: _Changes, asset: str, version: str) -> str:
    while change := changes.get((asset, version)):
        version = change.before
    return version


@lru_cache(maxsize=16)
def _read(file: Path, state: FileState) -> _Changes:  # noqa: ARG001  (a file of another state is read again)
    name = HARMLESS_FILE.as_posix() if file.parts[-2:] == HARMLESS_FILE.parts else str(file)
    try:
        return _parse(file.read_text(encoding="utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(name, str(error), f"YAML, a list of entries {_ENTRY}") from None


def _parse(text: str, name: str = HARMLESS_FILE.as_posix()) -> _Changes:
    try:
        entries = yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise SpecError(name, problem, f"YAML, a list of entries {_ENTRY}") from None
    if not isinstance(entries, list | None):
        raise SpecError(name, entries, f"a list of entries {_ENTRY}")
    changes: dict[tuple[str, str], HarmlessChange] = {}
    for number, entry in enumerate(entries or (), start=1):
        place = f"{name}: entry {number}"
        change = _change(entry, place)
        led = changes.setdefault((change.asset, change.after), change)
        if led is not change:
            raise SpecError(f"{place}.to", change.after, f"{change.asset} came to it from {led.before} already")
        if _comes_back(changes, change):
            raise SpecError(
                f"{place}.from", change.before, f"another version: {change.asset} came to this one from {change.after}"
            )
    return changes


def _change(entry: Any, place: str) -> HarmlessChange:
    if not isinstance(entry, dict):
        raise SpecError(place, entry, f"write {_ENTRY}")
    for key in entry:
        if key not in _KEYS:
            raise SpecError(f"{place}.{key}", entry[key], f"there is no such key; there are {', '.join(_KEYS)}")
    for key in _KEYS:
        value = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            right = "write a version in quotes" if key in ("from", "to") else f"write {_ENTRY}"
            raise SpecError(f"{place}.{key}", value, f"a text that is not empty; {right}")
    return HarmlessChange(*(entry[key] for key in _KEYS))


def _comes_back(changes: _Changes, change: HarmlessChange) -> bool:
    """Whether a change leads from its own version; the others do not."""
    version = change.before
    while version != change.after:
        earlier = changes.get((change.asset, version))
        if earlier is None:
            return False
        version = earlier.before
    return True


def _column(text: str) -> int:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return node.start_mark.column if isinstance(node, yaml.SequenceNode) else 0
