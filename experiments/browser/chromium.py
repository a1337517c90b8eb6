"""Chromium without a screen, driven over its DevTools protocol."""

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from asr_qat.errors import UserError, require

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 120.0
# It asks nobody anything, and the microphone is a file.
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--remote-debugging-port=0",
)
NO_GPU = ("--disable-gpu",)
# WebGPU in software: what adapter there is on a machine without one.
SOFTWARE_GPU = (
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
)


class Tab:
    """A tab of the browser.

    Args:
        socket: to the browser.
    """

    def __init__(self, socket: ClientConnection):
        self._socket, self._number = socket, 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol. Raises `UserError` with what the browser objects."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(PATIENCE_S))
            if answer.get("id") == self._number:
                require("error" not in answer, f"{method}: {answer.get('error')}")
                result: dict[str, Any] = answer["result"]
                return result

    def run(self, script: str) -> Any:
        """The value of an expression, of a promise what it brings."""
        found = self.call(
            "Runtime.evaluate",
            expression=script,
            userGesture=True,
            returnByValue=True,
            awaitPromise=True,
        )
        details = found.get("exceptionDetails")
        if details is not None:
            said = details.get("exception", {}).get("description", details["text"])
            raise UserError(f"{script[:80]}: {said}")
        return found["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The value of an expression once it is true. Raises `UserError` if it stays false."""
        end = time.monotonic() + PATIENCE_S
        while not (found := self.run(script)):
            if time.monotonic() > end:
                raise UserError(f"{script} stays false: {self.run('document.body.innerText')}")
            time.sleep(0.2)
        return found

    def open(self, url: str) -> None:
        """Go to a page, until all of it is there."""
        self.call("Page.navigate", url=url)
        self.wait_for(f"location.href === '{url}' && document.readyState === 'complete'")


def chromium() -> str | None:
    """The program, None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def browser(
    folder: Path, recording: Path | None = None, gpu: Sequence[str] = NO_GPU
) -> Iterator[Tab]:
    """A tab of a browser of its own.

    Args:
        folder: for what the browser keeps.
        recording: WAV file that its microphone hears, again and again.
        gpu: options that say what it has: `NO_GPU` or `SOFTWARE_GPU`.
    """
    program = chromium()
    if program is None:
        raise UserError(f"no {NAMES[0]} on this machine: apt install chromium")
    command = [program, *OPTIONS, *gpu, f"--user-data-dir={folder}"]
    if recording is not None:
        command.append(f"--use-file-for-fake-audio-capture={recording}")
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen([*command, "about:blank"], stdout=log, stderr=log)
        try:
            with connect(
                _address(process, folder / "DevToolsActivePort"),
                proxy=None,
                max_size=None,
                open_timeout=PATIENCE_S,
                ping_interval=None,
            ) as socket:
                yield Tab(socket)
        finally:
            process.terminate()
            process.wait(30)


def _address(process: subprocess.Popen, port: Path) -> str:
    """Where the browser listens, as soon as it does."""
    end = time.monotonic() + PATIENCE_S
    while not (port.exists() and port.read_text().count("\n")):
        alive = process.poll() is None and time.monotonic() < end
        require(alive, f"{NAMES[0]} does not start: see {port.with_name('log')}")
        time.sleep(0.1)
    number, path = port.read_text().split("\n")[:2]
    return f"ws://127.0.0.1:{number}{path}"
