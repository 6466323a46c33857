"""What a model's `config` may hold: values that reach a notebook's kernel as they were declared."""

from collections.abc import Mapping
from typing import Any

from ml_assets.domain.errors import SpecError

_PLAIN = (str, int, float, bool, type(None))


def check_config(config: object) -> None:
    """Refuse what no JSON carries as it is: keys that are no text, dates, tuples, numbers of NumPy, half characters.

    Raises: SpecError that names the key within `config`.
    """
    if not isinstance(config, Mapping):
        raise SpecError("config", config, "keys with values, which the notebooks read")
    _check("config", dict(config))


def _check(key: str, value: Any) -> None:
    if type(value) is dict:
        for name, one in value.items():
            if type(name) is not str:
                right = f'keys that are text: write "{name}" in quotes'
                raise SpecError(key, {name: one}, right)
            _check_text(key, name)
            _check(f"{key}.{name}", one)
    elif type(value) is list:
        for index, one in enumerate(value):
            _check(f"{key}.{index}", one)
    elif type(value) not in _PLAIN:
        right = f"a text, a number, true, false, null, a list, or keys with values; it is a {type(value).__name__}"
        raise SpecError(key, value, right)
    elif type(value) is str:
        _check_text(key, value)


def _check_text(key: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SpecError(key, text, "whole characters, not halves of surrogate pairs") from None
