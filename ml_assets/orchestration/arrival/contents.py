"""What the files of event partitions hold, looked into once for each fingerprint, and remembered.

What was seen is kept beside Dagster's events, as what a run begins with is (see `facts`): of each partition what it
holds, of each log which partitions do not count, and why. Where an instance keeps no notes, the process remembers.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import dagster as dg

from ml_assets.data.logs.event_files import EventFolder
from ml_assets.domain.agreement import Agreement, Misfits
from ml_assets.domain.contents import Alike, Column, Contents, Seen, Wanted
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.restatement import EventVersion
from ml_assets.orchestration.arrival.sources import Answer
from ml_assets.orchestration.recorded.memo import Memo, keeps_notes
from ml_assets.paths import AnyPath

#: Values that are asked for, or written, in one query.
_AT_ONCE = 1000
#: The partitions of a table have the columns of all of it.
_TABLE = ""
#: In an object store one listing tells of all partitions, however many they are.
_FEW = 20


class Looked(NamedTuple):
    """What was seen of the event partitions that have arrived, and those for which there was no time, by log."""

    seen: Seen
    unseen: Mapping[str, frozenset[str]]


def look_into(
    instance: dg.DagsterInstance,
    logs: Iterable[EventLog],
    root: AnyPath,
    asked: Mapping[str, Answer],
    *,
    recorded: Mapping[str, Mapping[str, EventVersion]],
    memo: Memo,
    seconds: float | None = None,
) -> Looked:
    """Look into what has arrived and is not known yet, and remember it.

    Args: `asked`: what the sources answered, by log; `recorded`: what counts already, whose turn comes last;
    `seconds`: that it may take, however much there is; None: as long as it takes.
    """
    until = None if seconds is None else time.monotonic() + seconds
    in_files = [log for log in logs if log.table is None]
    wanted = {log.key: _not_known(memo, log.key, asked[log.key].arrived) for log in in_files}
    there = _recall(instance, memo, wanted)
    wanted = {log.key: _not_known(memo, log.key, asked[log.key].arrived) for log in in_files}
    news = {(log, one): of[one] for log, of in wanted.items() for one in of}
    in_order = sorted(news, key=lambda item: (counts(recorded, item[0], item[1], news[item]), item[1]))
    found = _read(in_files, root, {item: news[item] for item in in_order}, memo, until) if news else {}
    _remember(instance, memo, {item: one for item, one in found.items() if not one.unreadable}, there)
    seen = {}
    for log in logs:
        answer = asked[log.key]
        if log.table is not None:
            of = dict.fromkeys(answer.arrived, _of_table(instance, log, answer, memo)) if answer.arrived else {}
        else:
            known = memo.contents.get(log.key, {})
            of = {
                one: contents
                for one in answer.arrived
                if (contents := found.get((log.key, one), known.get(one))) is not None
                and contents.fingerprint == answer.arrived[one]
            }
        seen[log.key] = of | {one: Contents("", problem=why) for one, why in answer.problems.items()}
    unseen = {log: frozenset(one for one in of if (log, one) not in found) for log, of in wanted.items()}
    return Looked(seen, unseen)


def counts(recorded: Mapping[str, Mapping[str, EventVersion]], log: str, partition: str, fingerprint: str) -> bool:
    """Whether a partition is recorded as it is now."""
    version = recorded.get(log, {}).get(partition)
    return version is not None and version.present == fingerprint


def problems_of(log: EventLog, seen: Seen) -> Mapping[str, str]:
    """The event partitions that count for nobody who reads their log, with the reason."""
    return Agreement(Wanted.of_log(log.key, log.columns), seen).problems.get(log.key, {})


def remember_problems(instance: dg.DagsterInstance, logs: Iterable[EventLog], problems: Misfits) -> None:
    """Keep which event partitions do not count, and why, for those who do not ask the sources."""
    if not keeps_notes(instance):
        return
    wanted = {_problems_key(log.key): json.dumps(problems.get(log.key, {}), ensure_ascii=False) for log in logs}
    known = _values(instance, wanted)
    changed = {key: value for key, value in wanted.items() if known.get(key, "{}") != value}
    _write(instance, changed, known)


def remembered(instance: dg.DagsterInstance, logs: Iterable[EventLog], recorded: Mapping[str, Collection[str]]) -> Seen:
    """What was seen by those who asked the sources. Args: `recorded`: the event partitions that count, by log."""
    if not keeps_notes(instance):
        return {}
    logs, memo = list(logs), Memo()
    _recall(instance, memo, {log.key: [_TABLE] if log.table else recorded.get(log.key, ()) for log in logs})
    notes = _values(instance, [_problems_key(log.key) for log in logs])
    found: dict[str, dict[str, Contents]] = {}
    for log in logs:
        of = memo.contents.get(log.key, {})
        if log.table is not None:
            of = dict.fromkeys(recorded.get(log.key, ()), of[_TABLE]) if _TABLE in of else {}
        problems = json.loads(notes.get(_problems_key(log.key), "{}"))
        # As `Agreement` says it, which names the log once more.
        said = {one: Contents("", problem=why.removeprefix(f"{log.key} ")) for one, why in problems.items()}
        found[log.key] = of | said
    return found


def _not_known(memo: Memo, log: str, arrived: Mapping[str, str]) -> dict[str, str]:
    known = memo.contents.get(log, {})
    return {
        one: fingerprint
        for one, fingerprint in arrived.items()
        if (contents := known.get(one)) is None or contents.fingerprint != fingerprint
    }


def _of_table(instance: dg.DagsterInstance, log: EventLog, answer: Answer, memo: Memo) -> Contents:
    # Loads Ibis, which a service without a table does not pay for.
    from ml_assets.data.logs.event_tables import columns_of

    # A table may change where its rows do.
    columns = memo.same(("columns", log.key), (log, answer.arrived), partial(columns_of, log))
    contents = Contents("", alike=(Alike(columns, log.place, 1),))
    if memo.contents.get(log.key, {}).get(_TABLE) != contents:
        _remember(instance, memo, {(log.key, _TABLE): contents}, _recall(instance, memo, {log.key: [_TABLE]}))
    return contents


def _read(
    logs: Sequence[EventLog],
    root: AnyPath,
    wanted: Mapping[tuple[str, str], str],
    memo: Memo,
    until: float | None,
) -> dict[tuple[str, str], Contents]:
    """What is seen of those event partitions, the first ones first, for which there is time."""
    # It loads pyarrow: a look that finds something new pays for that, not the definitions.
    from ml_assets.data.footers import contents_of, read_footers

    memo.footers = {key: of for key, of in memo.footers.items() if wanted.get(key[:2]) == key[2]}
    known, number = {log.key: log for log in logs}, Counter(log for log, _ in wanted)
    folders: dict[str, EventFolder] = {}
    files: dict[tuple[str, str], list[AnyPath]] = {}
    for log, one in wanted:
        if until is not None and time.monotonic() > until:
            break
        if log not in folders:
            folders[log] = EventFolder(root, known[log], whole=number[log] > _FEW)
        files[log, one] = folders[log].data_files(one)
    before = {item: memo.footers.pop((*item, wanted[item]), {}) for item in files}
    footers = {file: footer for of in before.values() for file, footer in of.items()}
    footers.update(read_footers((file for of in files.values() for file in of if file not in footers), until=until))
    found = {}
    for item, of in files.items():
        there = {file: footers[file] for file in of if file in footers}
        if len(there) == len(of):
            found[item] = _with_shared(memo, contents_of(wanted[item], of, there))
        elif there:
            memo.footers[*item, wanted[item]] = there
    return found


def _with_shared(memo: Memo, contents: Contents) -> Contents:
    """The same, with columns that are one object for all partitions that have such."""
    shared = (memo.columns.setdefault(_digest(alike.columns), alike.columns) for alike in contents.alike)
    alike = tuple(one._replace(columns=columns) for one, columns in zip(contents.alike, shared, strict=True))
    return contents._replace(alike=alike)


def _digest(columns: Mapping[str, Column]) -> str:
    return hashlib.blake2b(_as_text(columns).encode(), digest_size=8).hexdigest()


def _as_text(columns: Mapping[str, Column]) -> str:
    return json.dumps([[name, *column] for name, column in columns.items()], ensure_ascii=False)


def _recall(instance: dg.DagsterInstance, memo: Memo, wanted: Mapping[str, Collection[str]]) -> set[str]:
    """Fill the memo with what is remembered of some event partitions. Returns: the keys of their notes."""
    if not keeps_notes(instance):
        return set()
    keys = {_key(log, one): (log, one) for log, of in wanted.items() for one in of}
    notes = {key: json.loads(text) for key, text in _values(instance, keys).items()}
    digests = {digest for _, _, alike in notes.values() for digest, _, _ in alike}
    columns = _values(instance, [_columns_key(one) for one in digests if one not in memo.columns])
    for key, text in columns.items():
        memo.columns[key.rpartition("/")[2]] = {name: Column(*of) for name, *of in json.loads(text)}
    for key, (fingerprint, rows, alike) in notes.items():
        log, one = keys[key]
        if all(digest in memo.columns for digest, _, _ in alike):
            groups = tuple(Alike(memo.columns[digest], file, number) for digest, file, number in alike)
            memo.contents.setdefault(log, {})[one] = Contents(fingerprint, rows, groups)
    return set(notes)


def _remember(
    instance: dg.DagsterInstance, memo: Memo, found: Mapping[tuple[str, str], Contents], there: Collection[str]
) -> None:
    """Args: `there`: the keys of notes that there are."""
    for (log, one), contents in found.items():
        memo.contents.setdefault(log, {})[one] = contents
    if not found or not keeps_notes(instance):
        return
    columns = {id(alike.columns): alike.columns for contents in found.values() for alike in contents.alike}
    digests = {which: _digest(of) for which, of in columns.items()}
    texts = {_columns_key(digests[which]): _as_text(of) for which, of in columns.items()}
    _write(instance, texts, _values(instance, texts))
    notes = {}
    for (log, one), contents in found.items():
        alike = [[digests[id(of.columns)], of.file, of.number] for of in contents.alike]
        notes[_key(log, one)] = json.dumps([contents.fingerprint, contents.rows, alike], ensure_ascii=False)
    _write(instance, notes, there)


def _values(instance: dg.DagsterInstance, keys: Iterable[str]) -> dict[str, str]:
    keys, found = list(keys), dict[str, str]()
    for start in range(0, len(keys), _AT_ONCE):
        found.update(instance.daemon_cursor_storage.get_cursor_values(set(keys[start : start + _AT_ONCE])))
    return found


def _write(instance: dg.DagsterInstance, values: Mapping[str, str], there: Collection[Any]) -> None:
    """Args: `there`: the keys that have a value already: SQLite takes no new ones together with these."""
    for keys in ([key for key in values if key in there], [key for key in values if key not in there]):
        for start in range(0, len(keys), _AT_ONCE):
            some = {key: values[key] for key in keys[start : start + _AT_ONCE]}
            instance.daemon_cursor_storage.set_cursor_values(some)


def _key(log: str, partition: str) -> str:
    return f"ml_assets/files/{log}/{partition}"


def _columns_key(digest: str) -> str:
    return f"ml_assets/columns/{digest}"


def _problems_key(log: str) -> str:
    return f"ml_assets/problems/{log}"
