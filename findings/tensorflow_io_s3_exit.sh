#!/usr/bin/env bash
# A process that has used an s3:// path ends in an abort. tensorflow-io 0.37.1, TensorFlow 2.17.1,
# Python 3.11, x86-64; an S3 server, moto 5, on this machine. Seen:
#
#   read back b'hello'
#   pure virtual method called
#   terminate called without an active exception
#   exit code 134
#   without a scheme in S3_ENDPOINT, S3_USE_HTTPS=0: UnknownError, SSL connect error
#
# All work is done: a destructor of the AWS library logs after its logger has gone
# (github.com/tensorflow/io/issues/2039; its mend, #2120, is in no release). And an endpoint is
# taken for https where it does not begin with http://, whatever S3_USE_HTTPS says, after two
# minutes of trying again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
	tensorflow==2.17.1 tensorflow-io==0.37.1 'moto[server]>=5,<6'
cat >"$folder/serve.py" <<'PYTHON'
import os
import subprocess
import sys

import boto3
from moto.server import ThreadedMotoServer

PORT = 5599
os.environ.update(
    AWS_ACCESS_KEY_ID="any", AWS_SECRET_ACCESS_KEY="any", AWS_REGION="us-east-1", S3_USE_HTTPS="0",
    S3_VERIFY_SSL="0", TF_CPP_MIN_LOG_LEVEL="3",
)
server = ThreadedMotoServer(port=PORT, verbose=False)
server.start()
where = {"endpoint_url": f"http://localhost:{PORT}", "region_name": "us-east-1"}
boto3.client("s3", **where).create_bucket(Bucket="speech")
PROGRAM = """
import tensorflow as tf
import tensorflow_io
try:
    with tf.io.gfile.GFile("s3://speech/x", "wb") as file:
        file.write(b"hello")
    print("read back", tf.io.gfile.GFile("s3://speech/x", "rb").read(), flush=True)
except tf.errors.OpError as error:
    print(type(error).__name__, error.message, flush=True)
"""
for endpoint in (f"http://localhost:{PORT}", f"localhost:{PORT}"):
    os.environ["S3_ENDPOINT"] = endpoint
    done = subprocess.run([sys.executable, "-c", PROGRAM])
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode
    print(f"S3_ENDPOINT={endpoint}: exit code {code}")
server.stop()
PYTHON
"$folder/venv/bin/python" "$folder/serve.py" 2>&1 | grep -v ' HTTP/1.1" \|code 400'
