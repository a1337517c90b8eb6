"""Runs a model in OpenVINO, one call at a time, as `onnx_peer.py run` does in ONNX Runtime.

    python experiments/peers/openvino_peer.py MODEL.onnx --frames 1000 --threads 1

It needs `pip install openvino` and numpy, not this package. MODEL is an `.onnx` file of NeMo's
exporter or a `.tflite`. The answers on standard output are those of `onnx_peer.py`.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import openvino


def main() -> None:
    """Load, run, answer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    before = memory_mb("RssAnon")
    started = time.perf_counter()
    options = {
        "INFERENCE_NUM_THREADS": args.threads,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = openvino.Core().compile_model(args.model, "CPU", options)
    given = [noise(port, args.frames) for port in compiled.inputs]
    request = compiled.create_infer_request()
    request.infer(given)
    answer(
        first_ms=1000 * (time.perf_counter() - started),
        anonymous_mb=memory_mb("RssAnon") - before,
        peak_mb=memory_mb("VmHWM"),
    )
    for _ in sys.stdin:
        started, cpu = time.perf_counter(), time.process_time()
        request.infer(given)
        answer(
            cpu_ms=1000 * (time.process_time() - cpu),
            wall_ms=1000 * (time.perf_counter() - started),
        )


def noise(port, frames: int) -> np.ndarray:
    """Features for an input of floats, their number for one of integers."""
    shape = [frames if size.is_dynamic else size.get_length() for size in port.partial_shape]
    if port.element_type.to_dtype() != np.float32:
        return np.array([frames], port.element_type.to_dtype())
    shape[0] = 1
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def answer(**values: float) -> None:
    """One line of JSON."""
    print(json.dumps(values), flush=True)


def memory_mb(entry: str) -> float:
    """An entry of this process's status, in MB (2^20): see proc(5)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith(f"{entry}:")]
    return int(value) / 1024


if __name__ == "__main__":
    main()
