"""Finding data files: where they are expected, else downloaded where an address is known."""

import hashlib
import shutil
from pathlib import Path

from minima.atomic import replacing
from minima.data.pool import DataError

TIMEOUT = 60  # seconds without a byte


def fetch(path: Path, source: str, sha256: str | None = None, address: str | None = None) -> str:
    """Make sure that `path` is there and is what it should be; return its sha256.

    A file that is missing is downloaded from `address`. A file that is there is never replaced, even
    where it is wrong: it belongs to the user.
    """
    if not path.is_file():
        if address is None:
            raise DataError(
                f"{source}: there is no file {path}. Put it there, or correct its name in the recipe."
            )
        _download(path, source, sha256, address)
    found = _sha256(path)
    if sha256 is not None and found != sha256:
        mend = (
            f"Delete it to download it again from {address}." if address else "Replace it, or correct sha256."
        )
        raise DataError(
            f"{source}: {path} is damaged or another version (sha256 {found}, expected {sha256}). {mend}"
        )
    return found


def _download(path: Path, source: str, sha256: str | None, address: str) -> None:
    import http.client  # with what reads addresses, a tenth of what the plan takes to start
    import urllib.request

    try:
        with replacing(path) as temporary:
            with urllib.request.urlopen(address, timeout=TIMEOUT) as response, temporary.open("wb") as file:
                shutil.copyfileobj(response, file)
            if sha256 is not None and (found := _sha256(temporary)) != sha256:
                raise DataError(
                    f"{source}: what {address} sent is damaged or another version "
                    f"(sha256 {found}, expected {sha256}). Try again, or put the right file at {path}."
                )
    except (OSError, http.client.HTTPException) as error:  # URLError and timeouts are OSErrors
        raise DataError(
            f"{source}: there is no file {path} and downloading it from {address} failed ({error}). "
            "Get it by hand and put it there, or point data_dir at a folder that has it."
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
