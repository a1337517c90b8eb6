"""An S3-compatible server on this machine, and commands that see it."""

import os
import socket
import subprocess
import sys
import time

import pytest

from experiments.prepare_scale.local_store import BUCKET, client, environment, free_port
from tests.training_fixtures import REPOSITORY


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """The environment of a process that reads `s3://speech`, which a server here holds."""
    pytest.importorskip("moto", reason="needs the extra cluster-tests")
    pytest.importorskip("tensorflow_io", reason="needs the extra cloud")
    port = free_port()
    log = (tmp_path_factory.mktemp("store") / "log").open("w")
    words = [sys.executable, "-c", "import sys; from moto.server import main; main(sys.argv[1:])"]
    server = subprocess.Popen([*words, "-p", str(port)], stdout=log, stderr=log)
    variables = environment(port)
    _wait_for(port, server)
    own = client(variables)
    own.create_bucket(Bucket=BUCKET)
    yield variables, own
    server.terminate()
    server.wait()


def _wait_for(port: int, server: subprocess.Popen) -> None:
    end = time.monotonic() + 60
    while True:
        assert server.poll() is None and time.monotonic() < end
        try:
            socket.create_connection(("localhost", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)


def run(
    store, *words: str, program: str = "asr_qat.cli", **more: str
) -> subprocess.CompletedProcess:
    """The command `asr-qat`, or another one, with the store in reach."""
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY), **store[0], **more}
    variables["PYTHONPATH"] += os.pathsep + os.environ.get("PYTHONPATH", "")
    command = [sys.executable, "-m", program, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env=variables)


def names(store, folder: str) -> list[str]:
    """Of the files below `folder` of the bucket."""
    pages = store[1].get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{folder}/")
    found = [each["Key"] for page in pages for each in page.get("Contents", [])]
    return [name.removeprefix(f"{folder}/") for name in found]


def content(store, folder: str) -> dict[str, bytes]:
    """The files below `folder` of the bucket, which nobody writes."""
    return {
        name: store[1].get_object(Bucket=BUCKET, Key=f"{folder}/{name}")["Body"].read()
        for name in names(store, folder)
    }
