"""An S3-compatible server on this machine, `moto`, and what a process needs to see it."""

import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any

BUCKET = "speech"


@contextlib.contextmanager
def local_store() -> Iterator[dict[str, str]]:
    """Serve an empty bucket. Yields the environment of a process that reads `s3://speech`."""
    from moto.server import ThreadedMotoServer

    port = free_port()
    server = ThreadedMotoServer(ip_address="localhost", port=port, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each request
    server.start()
    variables = environment(port)
    try:
        client(variables).create_bucket(Bucket=BUCKET)
        yield variables
    finally:
        server.stop()


def free_port() -> int:
    """A port of this machine that nothing listens to."""
    with socket.create_server(("localhost", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def environment(port: int) -> dict[str, str]:
    """What TensorFlow's file system of `s3://` needs to find a server on this machine."""
    return {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": "us-east-1",
        "S3_ENDPOINT": f"http://localhost:{port}",
        "S3_USE_HTTPS": "0",
        "S3_VERIFY_SSL": "0",
    }


def client(variables: dict[str, str]) -> Any:
    """A client of boto3 for the server of an environment."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=variables["S3_ENDPOINT"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
