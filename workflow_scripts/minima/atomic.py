"""Files that a reader sees whole or not at all."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path, nbytes: int = 0) -> Iterator[Path]:
    """`replacing` gives a temporary path beside `path`, where the body writes a file of about `nbytes`; it is
    renamed to `path` at the end. A failure leaves the old file, if any, and no temporary one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not `tempfile`: its files are private to the user, and results are often shared by a group.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # netCDF says no more than "HDF error"
        if shutil.disk_usage(path.parent).free < nbytes:
            raise OSError(errno.ENOSPC, "no space is left on the disk to write", str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(text: str, path: str | Path) -> None:
    """`write_text` writes a whole file."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
