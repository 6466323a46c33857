"""Whether a SQL query is one that reads, told without knowing its dialect: its strings and comments say nothing."""

import re

from ml_assets.domain.errors import SpecError

_STRING = r"'(?:[^']|'')*'"
#: Of some databases, and of PostgreSQL's E'…'.
_STRING_WITH_ESCAPES = r"'(?:[^'\\]|''|\\.)*'"
_OTHERS = r'"(?:[^"]|"")*"|`[^`]*`|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/'
_OPEN = re.compile(r"['\"`]|/\*")
_READS = re.compile(r"[(\s]*(select|with|values)\b", re.IGNORECASE)
_WRITES = re.compile(r"[()]\s*(insert|update|delete|merge)\b|\binto\b", re.IGNORECASE)


def check_query(key: str, query: str) -> None:
    """Refuse what is not one statement that reads.

    Raises: SpecError.
    """
    whys = [_why_not(query, string) for string in (_STRING, _STRING_WITH_ESCAPES)]
    if all(whys):
        raise SpecError(key, query, whys[0])


def _why_not(query: str, string: str) -> str:
    """What would be right instead; empty where it is."""
    bare = re.sub(f"(?s:{string}|{_OTHERS})", " _ ", query)
    bare = re.sub(r"^[\s_]+|[\s_]+$", "", bare).removesuffix(";")
    if not bare.strip():
        return "a query that gives one instant"
    if ";" in bare:
        return "one statement; a semicolon may end it"
    if _OPEN.search(bare):
        return "a query whose quotes and comments are closed"
    if not _READS.match(bare) or _WRITES.search(bare):
        return "a query that only reads: SELECT …, or WITH … SELECT …"
    return ""
