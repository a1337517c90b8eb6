"""Runs a `.tflite`, one call at a time; `onnx_peer.py run` does the same with ONNX Runtime.

`python -m experiments.pretrained_scale.litert_run FILE` loads the file, with `--threads` (1), and
answers on standard output, one line of JSON each: first `load_ms`, the time of loading,
`first_ms`, that until after the first run, `anonymous_mb` and `peak_mb` of memory then; after that,
for each line that it reads, `cpu_ms` and `wall_ms` of one more run. A run encodes as long an
utterance as there is a signature for, of noise.
"""

import argparse
import json
import sys
import time

import numpy as np

from tflite_export.commands.arguments import add_widen
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.fresh_process import ANONYMOUS, PEAK, memory_mb


def main() -> None:
    """Load, run, answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--weight-cache", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    add_widen(parser)
    args = parser.parse_args()
    before = memory_mb(ANONYMOUS)
    started = time.perf_counter()
    device = TFLiteRecogniser(args.file, args.threads, args.weight_cache, widen=args.widen)
    loaded = time.perf_counter()
    shape = device.lengths[-1], device.metadata.front_end.mel_bins
    features = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    device.encode(features)
    _answer(
        load_ms=1000 * (loaded - started),
        first_ms=1000 * (time.perf_counter() - started),
        anonymous_mb=memory_mb(ANONYMOUS) - before,
        peak_mb=memory_mb(PEAK),
    )
    for _ in sys.stdin:
        started, cpu = time.perf_counter(), time.process_time()
        device.encode(features)
        _answer(
            cpu_ms=1000 * (time.process_time() - cpu),
            wall_ms=1000 * (time.perf_counter() - started),
        )


def _answer(**values: float) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main()
