"""Downloads that resume where they were cut off and are checked before they count."""

import fcntl
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from asr_qat.errors import UserError
from asr_qat.progress import progress_bar

TIMEOUT_S = 30.0  # without a byte
CHUNK_BYTES = 1 << 18


class Unreachable(UserError):
    """The server cannot be reached, or the connection broke."""


def download(url: str, path: Path, checksum: str, quiet: bool = False) -> Path:
    """Fetch `url` to `path`, unless it is there.

    What has arrived is kept in `path` + `.part`; the next call goes on from there. `path`
    itself appears only when the checksum is right. Into one folder one process fetches at a
    time, and others wait for it.

    Args:
        url: http or https address.
        path: the file to write.
        checksum: `sha256:HEX` or `md5:HEX`.
        quiet: show no progress.

    Returns:
        `path`.

    Raises:
        Unreachable: no connection, a refusal, or a connection cut short.
        UserError: the whole file arrived and is not the one that the checksum names.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # until it is closed
        if not path.exists():
            _fetch_checked(url, path, checksum, quiet)
    finally:
        os.close(folder)
    return path


def _fetch_checked(url: str, path: Path, checksum: str, quiet: bool) -> None:
    part = path.with_name(path.name + ".part")
    _fetch(url, part, quiet)
    algorithm, wanted = checksum.split(":")
    with part.open("rb") as file:
        digest = hashlib.new(algorithm)
        while block := file.read(1 << 20):
            digest.update(block)
    actual = digest.hexdigest()
    if actual != wanted:
        part.unlink()
        raise UserError(
            f"{url}: downloaded file has {algorithm} {actual}, expected {wanted}: try again, "
            "or fetch it yourself and name its folder with --data"
        )
    part.replace(path)


def _fetch(url: str, part: Path, quiet: bool) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            if response.status != http.HTTPStatus.PARTIAL_CONTENT:
                have = 0  # the server sends all of it again
            length = response.headers.get("Content-Length")
            total = have + int(length) if length else None
            bar = progress_bar(part.stem, total=total, unit="B", quiet=quiet)
            bar.update(have)
            with part.open("r+b" if have else "wb") as file:
                file.seek(have)
                try:
                    while chunk := response.read(CHUNK_BYTES):
                        file.write(chunk)
                        bar.update(len(chunk))
                finally:
                    bar.close()
                arrived = file.tell()
                file.flush()
                os.fsync(file.fileno())
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # nothing is left to fetch: the checksum decides
        raise Unreachable(f"{url}: the server answers {error.code} {error.reason}") from None
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        ConnectionError,
        TimeoutError,
    ) as error:
        reason = getattr(error, "reason", None) or error
        raise Unreachable(f"{url}: cannot be downloaded ({reason}): try again to resume") from None
    if total is not None and arrived < total:
        raise Unreachable(
            f"{url}: connection cut after {arrived} of {total} bytes: try again to resume"
        )
