"""The error of a specification that cannot be accepted."""

import re

#: Of a value that is shown.
_LENGTH = 200
_URL = re.compile(r"://[^/\s]*@")


class SpecError(ValueError):
    """A specification holds a value that cannot be accepted.

    Attributes: `key` (dotted, as in the YAML file), `value` (as given), `expected` (what would be right).
    """

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(f"{key}: {_shown(value)} is not accepted; {expected}")
        self.key = key
        self.value = value
        self.expected = expected


def _shown(value: object) -> str:
    text = repr(value)
    if _URL.search(text):
        return "'(not shown, as it may hold a password)'"
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}…"
