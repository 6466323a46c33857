"""Kernels of notebooks that we run: they end at once, and are forked from a process that has imported what they need.

A Jupyter kernel provisioner, chosen by the runner for the notebooks that it runs. Each kernel is a process of its own,
as a cold one is: with its own working folder, environment, session and random numbers.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from ml_assets import variables
from ml_assets.temporary import TemporaryFolder
from ml_assets.warm.host import PARENT_PID
from ml_assets.warm.process import HostGoneError, Process

PROVISIONER = "ml-assets-warm"
#: The module that a kernel is: as Jupyter starts it, and the same that ends at once.
THEIRS, OURS = "ipykernel_launcher", "ml_assets.notebooks.kernels.kernel"
#: Bytes of the path of a folder with sockets: theirs has at most 107, on macOS 103.
_LONGEST_FOLDER = 90


class WarmProvisioner(LocalProvisioner):
    """Forks the kernels of this interpreter from the warm process; starts those of others as ever."""

    #: The address of the warm process; None where kernels are started cold.
    address: Path | None = None

    _folder: TemporaryFolder | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Give the kernel a folder of its own, for the sockets that it is talked to by and its temporary files.

        A free port may be taken before it is bound.
        """
        if self._folder is None:
            self._folder = TemporaryFolder()
        path = self._folder.path
        if self.parent is not None:
            self.parent.connection_file = f"{path}/connection.json"
            if len(os.fsencode(path)) <= _LONGEST_FOLDER:
                self.parent.transport, self.parent.ip = "ipc", f"{path}/socket"
        launch = await super().pre_launch(**kwargs)
        # What a kernel that is killed leaves there goes with the folder.
        return {**launch, "env": {**launch["env"], "TMPDIR": str(path)}}

    async def cleanup(self, restart: bool = False) -> None:
        """Remove what the kernel leaves behind."""
        await super().cleanup(restart)
        if self._folder is not None and not restart:
            self._folder.remove()

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel."""
        is_ours = cmd[:3] == [sys.executable, "-m", THEIRS]
        if is_ours:
            cmd = [*cmd[:2], OURS, *cmd[3:]]
        if self.address is None or not is_ours:
            return await super().launch_kernel(cmd, **kwargs)
        # What a cold kernel reads from its environment was read when the warm process imported it.
        arguments = [*cmd[2:], f"--IPKernelApp.parent_handle={PARENT_PID}", "--matplotlib=inline"]
        env = kwargs.get("env") or variables.inherited()
        try:
            process = Process(self.address, arguments, cwd=kwargs.get("cwd"), env=env, stdin=subprocess.DEVNULL)
        except HostGoneError:
            return await super().launch_kernel(cmd, **kwargs)
        # It has what this class asks of a Popen.
        self.process = cast("subprocess.Popen[bytes]", process)
        self.pid = self.pgid = process.pid
        return self.connection_info


@contextmanager
def warm_kernels(address: Path | None) -> Iterator[None]:
    """Let the kernels that this process starts meanwhile be forked by a warm process; None: start them cold."""
    factory = KernelProvisionerFactory.instance()
    before = factory.default_provisioner_name, WarmProvisioner.address
    factory.default_provisioner_name, WarmProvisioner.address = PROVISIONER, address
    try:
        yield
    finally:
        factory.default_provisioner_name, WarmProvisioner.address = before
