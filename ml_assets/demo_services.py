"""The services whose events the demo writes: where one has none yet, a person is told so."""

from pathlib import Path

#: The folder that this package lies in: that of the project with the demo's models, where it is a checkout.
CHECKOUT = Path(__file__).parents[1]
_OF_DEMO = frozenset({"ads", "fashion", "grocery"})


def how_to_get_events(project_root: Path, service: str) -> str:
    """What writes the events of a service, in words; empty where nobody knows."""
    return "`make demo` writes those of the demo" if project_root == CHECKOUT and service in _OF_DEMO else ""
