"""What a person does about an error of the file system."""

import errno
import os
import pwd
from pathlib import Path

from ml_assets import variables

_ROOM = "make room on the disk of {home}, or of {temporary}"
_RIGHTS = "give user {user} the right to it, or run this as its owner"
_REMEDIES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "raise the limit of `ulimit -f`",
    errno.EIO: f"look at the disk, its limits and its space: {_ROOM}",
    errno.EROFS: "mount it for writing, or name another place",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.ENOTDIR: "a part of the path is a file",
    errno.ENAMETOOLONG: "name a shorter path",
    errno.ELOOP: "mend the link",
    errno.ESTALE: "mount it anew",
    errno.EMFILE: "raise the limit of `ulimit -n`",
    errno.ENFILE: "end other programs, or raise the limit of open files",
}


def remedy_of(number: int | None, home: Path | None = None) -> str | None:
    """What helps, by the number of the error; None of one that comes of no fault of files, disks or rights.

    Args: `home`: the folder that is worked on, if any.
    """
    if number not in _REMEDIES:
        return None
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        # A container's user may have no name.
        user = str(os.geteuid())
    temporary = variables.get("TMPDIR") or "/tmp"  # noqa: S108
    return _REMEDIES[number].format(user=user, home=home or "the project", temporary=temporary)


def described(error: OSError, home: Path | None = None) -> str:
    """What an error says, of which file, and what helps."""
    file = f" ({error.filename})" if error.filename is not None else ""
    remedy = remedy_of(error.errno, home)
    return f"{error.strerror}{file}{f'; {remedy}' if remedy else ''}"
