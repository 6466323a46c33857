"""What is recorded as made, and is not in the store any more, in words."""

_WORDS = "recorded, but lost from the store: "


def describe_lost(what: str) -> str:
    """What has become of a partition. Args: `what`: the file that is lost."""
    return f"{_WORDS}{what}"


def without_lost(why: str) -> str:
    """A reason without the name of the file that is lost."""
    before, lost, _ = why.partition(_WORDS)
    return f"{before}{lost}"
