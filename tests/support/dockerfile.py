"""A Dockerfile's own steps, run in a folder in place of an image: paths below /opt and /tmp go there."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

#: These need root, and a machine of their own.
_FOR_ROOT = ("apt-get", "useradd")


@dataclass(frozen=True)
class Instruction:
    """One instruction: `name`, such as RUN, and the rest."""

    name: str
    rest: str


def instructions(path: Path) -> list[Instruction]:
    """The instructions of a Dockerfile, in order."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [Instruction(name, rest.strip()) for name, rest in pairs]


@dataclass
class Image:
    """What a Dockerfile makes in `root`, as the user `uid`, by the base image's `python`."""

    root: Path
    context: Path
    python: Path
    uid: int | None
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    entry_point: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def build(self, path: Path, **arguments: str) -> None:
        """Run the steps, with build arguments."""
        for made in ("base", "opt", "tmp", "opt/dagster/home"):
            (self.root / made).mkdir(parents=True, exist_ok=True)
        # The base image has its interpreter by this name.
        (self.root / "base" / "python").symlink_to(self.python)
        self._give_away(self.root)
        for instruction in instructions(path):
            self._take(instruction, arguments)

    def _take(self, instruction: Instruction, arguments: dict[str, str]) -> None:
        name, rest = instruction.name, instruction.rest
        if name == "FROM":
            self.environment = {"PATH": f"{self.root / 'base'}:/usr/bin:/bin"}
        elif name == "ARG":
            key, _, default = rest.partition("=")
            self.environment[key] = arguments.get(key, default.strip('"'))
        elif name == "ENV":
            pairs = dict(re.findall(r"(\w+)=(\S+)", rest))
            self.environment.update(
                {key: self.here(value.replace("$PATH", self.environment["PATH"])) for key, value in pairs.items()}
            )
        elif name == "WORKDIR":
            self.folder = self.here(rest)
            Path(self.folder).mkdir(parents=True, exist_ok=True)
            self._give_away(Path(self.folder))
        elif name == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            self._copy(sources, target)
        elif name == "RUN":
            self._run(rest)
        elif name == "ENTRYPOINT":
            self.entry_point = json.loads(rest)
        elif name == "CMD":
            self.command = [*self.entry_point, *json.loads(rest)]
        elif name == "HEALTHCHECK":
            self.health = json.loads(rest[rest.index("[") :])

    def here(self, text: str) -> str:
        """A text with the image's paths as they are on this machine."""
        return re.sub(r"(?<![\w/.-])/(opt|tmp)\b", rf"{self.root}/\1", text)

    def started(self, command: list[str], **environment: str) -> subprocess.Popen[str]:
        """Start a command as the image's user does."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**self.given, **self.environment, **environment},
            user=self.uid,
            group=self.uid,
            extra_groups=None if self.uid is None else [],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def given(self) -> dict[str, str]:
        """How this machine reaches the package index."""
        names = ("PIP_", "UV_", "SSL_", "REQUESTS_", "HTTP_", "HTTPS_", "NO_PROXY", "http_", "https_", "no_proxy")
        return {name: value for name, value in os.environ.items() if name.startswith(names)}

    def _run(self, command: str) -> None:
        if any(word in command for word in _FOR_ROOT):
            self.skipped.append(command)
            return
        process = self.started(["/bin/sh", "-c", self.here(command)])
        output, _ = process.communicate(timeout=900)
        if process.returncode:
            raise AssertionError(f"RUN {command} ended with {process.returncode}:\n{output[-4000:]}")

    def _copy(self, sources: list[str], target: str) -> None:
        for source in sources:
            made = Path(self.folder) / target / (Path(source).name if target.endswith("/") else "")
            made.parent.mkdir(parents=True, exist_ok=True)
            if (self.context / source).is_dir():
                shutil.copytree(self.context / source, made, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(self.context / source, made)
        self._give_away(Path(self.folder))

    def _give_away(self, folder: Path) -> None:
        if self.uid is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self.uid, self.uid, follow_symlinks=False)

    def make_read_only(self) -> None:
        """Take away the right to add files, but below /tmp and DAGSTER_HOME."""
        self._let(0o555)

    def make_writable(self) -> None:
        """Give it back, so that all can be removed."""
        self._let(0o755)

    def _let(self, mode: int) -> None:
        kept = self.environment.get("DAGSTER_HOME")
        for folder, _, _ in os.walk(self.root / "opt"):
            if folder != kept:
                Path(folder).chmod(mode)
