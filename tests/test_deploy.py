"""What is in `deploy/`: the image's steps run as a script, the other files read as they are."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from asr_qat import cli as asr_qat_cli
from tests.server_fixtures import running
from tests.training_fixtures import REPOSITORY
from tflite_export import cli

pytest_plugins = ["tests.live_file"]
DEPLOY = REPOSITORY / "deploy"


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, in order."""
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    return [tuple(line.split(" ", 1)) for line in lines if line and not line.startswith("#")]


def argument(name: str) -> list[str]:
    """Words of an instruction in its exec form."""
    (found,) = [json.loads(rest) for kind, rest in instructions() if kind == name]
    return found


def health_check() -> str:
    """The command of the image's health check."""
    (found,) = [rest for kind, rest in instructions() if kind == "HEALTHCHECK"]
    return shlex.join(json.loads(found.removeprefix("CMD ")))


def test_the_health_check_asks_the_server():
    with running() as (address, _):
        port = address.split(":")[2].split("/")[0]
        for path, code in (("/healthz", 0), ("/none", 1)):
            words = shlex.split(health_check().replace("8765", port).replace("/healthz", path))
            done = subprocess.run([sys.executable, *words[1:]], capture_output=True)
            assert done.returncode == code


def test_the_image_starts_the_server():
    words = [*argument("ENTRYPOINT")[1:], *argument("CMD")]
    args = cli.build_parser().parse_args(words)
    assert (args.model, args.host, args.port) == ("/model.tflite", "0.0.0.0", 8765)


def test_the_compose_example():
    (service,) = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values()
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    args = cli.build_parser().parse_args(["serve", *service["command"]])
    assert args.max_per_address == args.max_streams == 32
    assert service["stop_grace_period"] == f"{args.drain_seconds + 10:.0f}s"
    assert service["healthcheck"]["test"][-1] == shlex.split(health_check())[-1]
    (volume,) = service["volumes"]
    assert args.model in volume
    assert service["ports"] == [f"{args.port}:{args.port}"]


def test_the_unit_of_systemd():
    text = (DEPLOY / "asr-qat.service").read_text()
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    program, *words = shlex.split(line)
    assert Path(program).name == "tflite-export"
    args = cli.build_parser().parse_args(words)
    assert f"http://127.0.0.1:{args.port}/healthz" in text
    (stop,) = re.findall(r"^TimeoutStopSec=(.*)$", text, re.MULTILINE)
    assert float(stop) > args.drain_seconds
    if shutil.which("systemd-analyze"):
        command = ["systemd-analyze", "verify", "--man=no", str(DEPLOY / "asr-qat.service")]
        said = subprocess.run(command, capture_output=True, text=True).stderr
        assert "Unknown" not in said


@pytest.mark.parametrize("name", ["prepare.sbatch", "prepare-job.yaml"])
def test_arrays_of_machines(name):
    text = (DEPLOY / name).read_text()
    if name.endswith(".yaml"):
        job = yaml.safe_load(text)["spec"]
        assert job["completionMode"] == "Indexed"
        ((text,),) = [c["args"] for c in job["template"]["spec"]["containers"]]
        assert f'"$JOB_COMPLETION_INDEX/{job["completions"]}"' in text
    command = text[text.index("asr-qat") :].replace("\\\n", " ")
    command = re.sub(r"\$SLURM_CPUS_PER_TASK", "16", command)
    command = re.sub(r"\$\w+/(\$\w+|\d+)", "3/32", command)
    args = asr_qat_cli.build_parser().parse_args(shlex.split(command)[1:])
    assert (args.shard.index, args.shard.of, args.workers) == (3, 32, 16)


@pytest.mark.long
def test_the_steps_of_the_image_serve_a_model(live_file, tmp_path):
    """In an environment of its own; `/source` and `/wheels` lie in a folder."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    variables = {**os.environ, "PATH": f"{tmp_path / 'venv/bin'}:{os.environ['PATH']}"}
    variables.pop("PYTHONPATH", None)
    kept = (REPOSITORY / ".dockerignore").read_text().split("\n!")[1:]
    for kind, rest in instructions():
        if (kind, rest) == ("COPY", ". /source"):
            (tmp_path / "source").mkdir()
            for name in map(str.strip, kept):
                copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
                copy(REPOSITORY / name, tmp_path / "source" / name)
        if kind == "RUN":
            command = re.sub(r"/(source|wheels)\b", rf"{tmp_path}/\1", rest)
            subprocess.run(["sh", "-euc", command], env=variables, check=True, cwd=tmp_path)
    python = tmp_path / "venv/bin/python"
    assert subprocess.run([python, "-c", "import tensorflow"], capture_output=True).returncode
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    program, *words = argument("ENTRYPOINT")
    command = [tmp_path / "venv/bin" / program, *words, live_file, "--port", str(port)]
    server = subprocess.Popen(command, env=variables, cwd=tmp_path)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                page = urllib.request.urlopen(f"http://localhost:{port}/", timeout=5).read()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < end
                time.sleep(0.2)
        assert b"<html" in page.lower()
    finally:
        server.terminate()
        assert server.wait(30) == 0


@pytest.mark.long
def test_distributions_are_sound(tmp_path):
    pytest.importorskip("build", reason="needs the extra cluster-tests")
    pytest.importorskip("twine", reason="needs the extra cluster-tests")
    build = [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True)
    made = sorted(tmp_path.iterdir())
    assert sorted(path.suffix for path in made) == [".gz", ".whl"]
    check = [sys.executable, "-m", "twine", "check", "--strict", *map(str, made)]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
