"""The error of a specification that cannot be accepted."""


class SpecError(ValueError):
    """A specification holds a value that cannot be accepted.

    Attributes: `key` (dotted, as in the YAML file), `value` (as given), `expected` (what would be right).
    """

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(f"{key}: {value!r} is not accepted; {expected}")
        self.key = key
        self.value = value
        self.expected = expected
