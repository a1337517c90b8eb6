"""Runs `.tflite` files in one runtime, in a process of its own; needs numpy and that runtime.

    python experiments/runtimes/run_files.py ai-edge-litert interpreter FOLDER FILE.tflite...

Answers on standard output with a line of JSON for each file, in order: `file`, its name without the
suffix, and `error`, the last line of what was raised, or null. The output of its signature
`encode_N`, the one of the largest N, with N frames of the features in FILE.npy beside it, is
written to FOLDER/FILE.npy. A process that ends before the last file was killed by the next one.
"""

import json
import sys
from pathlib import Path

import numpy as np

ENCODE = "encode_"


def interpreted(interpreter_class, path, features):
    """The output of a file in an `Interpreter`."""
    interpreter = interpreter_class(model_path=str(path), num_threads=1)
    signatures = interpreter.get_signature_list()
    name = max(signatures, key=frames_of)
    runner = interpreter.get_signature_runner(name)
    (output,) = runner(**inputs_of(name, signatures[name]["inputs"], features)).values()
    return output


def compiled(path, features):
    """The output of a file in LiteRT's `CompiledModel`."""
    from ai_edge_litert.compiled_model import CompiledModel

    model = CompiledModel.from_file(str(path))
    signatures = model.get_signature_list()
    name = max(signatures, key=frames_of)
    index = list(signatures).index(name)
    given = {}
    for x, values in inputs_of(name, signatures[name]["inputs"], features).items():
        given[x] = model.create_input_buffer_by_name(name, x)
        given[x].write(values)
    (wanted,) = signatures[name]["outputs"]
    output = model.create_output_buffer_by_name(name, wanted)
    model.run_by_name(name, given, {wanted: output})
    size = model.get_output_buffer_requirements(index, 0)["buffer_size"]
    return output.read(size // np.float32().nbytes, np.float32)


def inputs_of(signature, names, features):
    """What a signature takes: as many frames as it is for, and how many these are."""
    frames = frames_of(signature)
    known = {"features": features[None, :frames], "lengths": np.array([frames], np.int32)}
    return {name: known[name] for name in names}


def frames_of(signature):
    """Feature frames of a signature, -1 of others than `encode_N`."""
    frames = signature[len(ENCODE) :]
    return int(frames) if signature.startswith(ENCODE) and frames.isdigit() else -1


def runner_of(package, interface):
    """What runs a file: a function of its path and the features."""
    if interface == "compiled":
        return compiled
    if package == "tensorflow":
        from tensorflow.lite.python.interpreter import Interpreter
    elif package == "tflite-runtime":
        from tflite_runtime.interpreter import Interpreter
    else:
        from ai_edge_litert.interpreter import Interpreter
    return lambda path, features: interpreted(Interpreter, path, features)


def main():
    """Entry point."""
    package, interface, folder, *paths = sys.argv[1:]
    run = runner_of(package, interface)
    for path in map(Path, paths):
        error = None
        try:
            output = run(path, np.load(path.with_suffix(".npy")))
            np.save(Path(folder) / f"{path.stem}.npy", np.ravel(output))
        except Exception as raised:  # whatever a runtime says of a file that it does not take
            said = str(raised).strip().splitlines() or [type(raised).__name__]
            error = said[-1]
        print(json.dumps({"file": path.stem, "error": error}), flush=True)


if __name__ == "__main__":
    main()
