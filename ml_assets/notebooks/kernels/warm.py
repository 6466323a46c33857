"""Where the warm process of runs and kernels comes from: inherited, or started, and replaced when code is edited."""

import atexit
import logging
from functools import cache
from pathlib import Path

from ml_assets import variables
from ml_assets.warm.host import ADDRESS_VARIABLE
from ml_assets.warm.process import Host, NotSafeError

#: What the warm process imports.
PRELOAD = ("ml_assets.notebooks.preloaded", "ml_assets.definitions")
#: Starting it costs what a cold kernel does.
_WORTH_A_HOST = 2
_LOG = logging.getLogger("ml_assets")


class WarmHosts:
    """The warm process of this one: started when it is first asked for, replaced when its sources have changed."""

    def __init__(self) -> None:
        self._host: Host | None = None
        self._retired: list[Host] = []
        self._refused = False

    def current(self) -> Host | None:
        """A warm process with the code as it is; None where forking is not safe, which is said once."""
        if self._host is not None and not (self._host.alive and self._host.is_current):
            self._host.retire()
            self._retired.append(self._host)
            self._host = None
        for host in [one for one in self._retired if not one.alive]:
            self._retired.remove(host)
            host.stop()
        if self._host is None and not self._refused:
            try:
                self._host = Host.start(PRELOAD)
                for name, why in self._host.skipped.items():
                    _LOG.warning(f"{name} is not imported before it is needed, which takes longer: {why}")
            except NotSafeError as error:
                self._refused = True
                _LOG.warning(f"Processes start cold, each with imports of its own: {error}")
        return self._host

    def address(self) -> Path | None:
        """Where processes are forked from: that which forked this one, or else its own; None where it is not safe."""
        inherited = variables.get(ADDRESS_VARIABLE)
        if inherited:
            return Path(inherited)
        host = self.current()
        return host.address if host else None

    def stop(self) -> None:
        """End it, with all that it has forked."""
        for host in (*self._retired, *([self._host] if self._host else [])):
            host.stop()
        self._host, self._retired = None, []


def kernels_of(notebooks: int, *, warm: bool = True) -> Path | None:
    """Where this process gets the kernels of some notebooks from; None: they start cold.

    A run that was forked itself takes them from the same warm process. Another starts one where that pays.
    Args: `warm`: False never asks for one.
    """
    if not warm or (notebooks < _WORTH_A_HOST and not variables.get(ADDRESS_VARIABLE)):
        return None
    return _own().address()


@cache
def _own() -> WarmHosts:
    hosts = WarmHosts()
    atexit.register(hosts.stop)
    return hosts
