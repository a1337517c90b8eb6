"""Exports a NeMo checkpoint to ONNX, quantizes it, and runs it, one call at a time.

    python experiments/pretrained_scale/onnx_peer.py export MODEL.nemo FOLDER
    python experiments/pretrained_scale/onnx_peer.py quantize FOLDER int8
    python experiments/pretrained_scale/onnx_peer.py run FOLDER/int8.onnx --frames 1000

It runs in an environment of its own (`pip install torch==2.13.0 "nemo_toolkit[asr]==3.0.0"
onnxruntime==1.32.0`), which has neither TensorFlow nor this package.

`export` writes FOLDER/float.onnx with NeMo's own exporter: the encoder, of a CTC model with its
head. `quantize` writes FOLDER/int8.onnx, whose MatMuls are dynamically quantized, or
FOLDER/int4.onnx or int2.onnx: MatMuls of such weights in blocks of 32, and 8-bit activations.

`run` loads a model with `--threads` (1) and answers on standard output, one line of JSON each:
first `first_ms`, the time from before loading until after the first run, `anonymous_mb` and
`peak_mb` of memory then; after that, for each line that it reads, `cpu_ms` and `wall_ms` of one
more run.

`profile` prints one JSON list of what the operators of a run take: `operator`, `count`, `ms`.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

BITS = {"int4": 4, "int2": 2}
BLOCK = 32  # weights of a scale
ACCURACY_LEVEL = 4  # int8 activations
PROFILED = 5  # runs


def export(archive: Path, folder: Path) -> None:
    """NeMo's export of the part that an utterance goes through as a whole."""
    import onnx
    import torch
    from nemo.collections.asr.models import ASRModel

    model = ASRModel.restore_from(str(archive), map_location="cpu").eval()
    folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        model.export(str(folder / "exported.onnx"), check_trace=False)
    del model
    encoders = sorted(folder.glob("encoder-*.onnx"))
    (written,) = encoders or [folder / "exported.onnx"]
    graph = onnx.load(str(written))
    for file in folder.iterdir():
        file.unlink()
    save(graph, folder / "float.onnx")


def quantize(folder: Path, kind: str) -> None:
    """The export with other weights of MatMul."""
    source, output = folder / "float.onnx", folder / f"{kind}.onnx"
    if kind == "int8":
        from onnxruntime.quantization import quantize_dynamic

        quantize_dynamic(source, output, ["MatMul"], use_external_data_format=True)
        return
    import onnx
    from onnxruntime.quantization import matmul_nbits_quantizer as blocks

    config = blocks.DefaultWeightOnlyQuantConfig(
        block_size=BLOCK,
        is_symmetric=True,
        accuracy_level=ACCURACY_LEVEL,
        bits=BITS[kind],
    )
    quantizer = blocks.MatMulNBitsQuantizer(onnx.load(str(source)), algo_config=config)
    quantizer.process()
    save(quantizer.model.model, output)


def save(model, path: Path) -> None:
    """Write a model and its weights, which may have more than 2 GB."""
    import onnx

    onnx.save(
        model,
        str(path),
        save_as_external_data=True,
        location=f"{path.name}.data",
        all_tensors_to_one_file=True,
    )


def run(path: Path, frames: int, threads: int) -> None:
    """Load, run, answer."""
    before = memory_mb("RssAnon")
    started = time.perf_counter()
    session, given = loaded(path, frames, threads)
    session.run(None, given)
    answer(
        first_ms=1000 * (time.perf_counter() - started),
        anonymous_mb=memory_mb("RssAnon") - before,
        peak_mb=memory_mb("VmHWM"),
    )
    for _ in sys.stdin:
        started, cpu = time.perf_counter(), time.process_time()
        session.run(None, given)
        answer(
            cpu_ms=1000 * (time.process_time() - cpu),
            wall_ms=1000 * (time.perf_counter() - started),
        )


def profile(path: Path, frames: int) -> None:
    """Run under ONNX Runtime's profiler: the second half of the runs, so that all is warm."""
    with tempfile.TemporaryDirectory() as folder:
        session, given = loaded(path, frames, 1, str(Path(folder) / "profile"))
        for _ in range(2 * PROFILED):
            session.run(None, given)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    taken = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            taken[event["args"]["op_name"]].append(event["dur"] / 1000)
    rows = [
        {
            "operator": name,
            "count": len(found) // (2 * PROFILED),
            "ms": sum(found[len(found) // 2 :]) / PROFILED,
        }
        for name, found in taken.items()
    ]
    print(json.dumps(rows))


def loaded(path: Path, frames: int, threads: int, profile_to: str = ""):
    """A session, and noise for its inputs."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    if profile_to:
        options.enable_profiling, options.profile_file_prefix = True, profile_to
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    features, length = session.get_inputs()
    values = np.random.default_rng(0).standard_normal((1, features.shape[1], frames))
    return session, {
        features.name: values.astype(np.float32),
        length.name: np.array([frames], np.int64),
    }


def answer(**values: float) -> None:
    """One line of JSON."""
    print(json.dumps(values), flush=True)


def memory_mb(entry: str) -> float:
    """An entry of this process's status, in MB (2^20): see proc(5)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith(f"{entry}:")]
    return int(value) / 1024


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    each = commands.add_parser("export")
    each.add_argument("archive", type=Path)
    each.add_argument("folder", type=Path)
    each = commands.add_parser("quantize")
    each.add_argument("folder", type=Path)
    each.add_argument("kind", choices=("int8", *BITS))
    for name in ("run", "profile"):
        each = commands.add_parser(name)
        each.add_argument("model", type=Path)
        each.add_argument("--frames", type=int, required=True)
        each.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    if args.command == "export":
        export(args.archive, args.folder)
    elif args.command == "quantize":
        quantize(args.folder, args.kind)
    elif args.command == "run":
        run(args.model, args.frames, args.threads)
    else:
        profile(args.model, args.frames)


if __name__ == "__main__":
    main()
