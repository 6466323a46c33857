"""The kernel of a notebook that a run executes: ipykernel's own, which ends at once.

`python -m ml_assets.notebooks.kernels.kernel -f connection.json`, as `python -m ipykernel_launcher`.
"""

import sys
from pathlib import Path

if __name__ == "__main__" and Path(sys.path[0]) == Path.cwd():
    # As that one does: what lies beside a notebook is for its cells alone. They get it back.
    del sys.path[0]

from ipykernel.kernelapp import IPKernelApp
from typing_extensions import override

from ml_assets.interrupts import heed_interrupts
from ml_assets.notebooks.kernels.shell import prepare


class KernelApp(IPKernelApp):
    """Ends the control thread before the thread that it flushes by.

    When it has told the kernel to end, the control thread flushes what was printed, by the IOPub thread. Python's exit
    stops that one first: the control thread would wait for ten seconds, and its end is waited for. Clients wait three.
    """

    @override
    def initialize(self, argv: list[str] | None = None) -> None:
        super().initialize(argv)  # type: ignore[no-untyped-call]
        prepare(self.shell)

    @override
    def start(self) -> None:
        super().start()  # type: ignore[no-untyped-call]
        if self.control_thread:
            self.control_thread.stop()
            self.control_thread.join()


if __name__ == "__main__":
    heed_interrupts()
    KernelApp.launch_instance()
