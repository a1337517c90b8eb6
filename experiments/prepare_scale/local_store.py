"""An S3-compatible server on this machine, `moto`, and what a process needs to see it."""

import contextlib
import logging
import socket
from collections.abc import Iterator

BUCKET = "speech"


@contextlib.contextmanager
def local_store() -> Iterator[dict[str, str]]:
    """Serve an empty bucket. Yields the environment of a process that reads `s3://speech`."""
    import boto3
    from moto.server import ThreadedMotoServer

    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    server = ThreadedMotoServer(ip_address="localhost", port=port, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line for each request
    server.start()
    variables = {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": "us-east-1",
        "S3_ENDPOINT": f"http://localhost:{port}",
        "S3_USE_HTTPS": "0",
        "S3_VERIFY_SSL": "0",
    }
    try:
        client = boto3.client(
            "s3",
            endpoint_url=variables["S3_ENDPOINT"],
            region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )
        client.create_bucket(Bucket=BUCKET)
        yield variables
    finally:
        server.stop()
