"""Quantize a float `.tflite` by a recipe of LiteRT's quantizer, in an environment of its own.

`python litert_recipe.py FLOAT RECIPE BITS INPUTS OUTPUT`, with INPUTS as numpy saves `features`
`[pieces, frames, mel_bins]` and `lengths` of the file's one signature. Some recipes of
litert-quantizer 0.11.0 need numpy 2, which TensorFlow 2.17 does not take.
"""

import sys
from pathlib import Path

import litert_quantizer
import numpy as np
from litert_quantizer.algorithm_manager import AlgorithmName
from litert_quantizer.qtyping import TFLOperationName


def main() -> None:
    """Entry point."""
    source, recipe, bits, inputs, output = sys.argv[1:]
    given = np.load(inputs)
    quantizer = litert_quantizer.Quantizer(bytearray(Path(source).read_bytes()))
    products, algorithm = TFLOperationName.FULLY_CONNECTED, AlgorithmName[recipe]
    quantizer.add_dynamic_config(".*", products, int(bits), algorithm_key=algorithm)
    found = None
    if quantizer.need_calibration:
        pieces = zip(given["features"], given["lengths"], strict=True)
        calls = [{"features": x[None], "lengths": np.array([n], np.int32)} for x, n in pieces]
        found = quantizer.calibrate({str(given["signature"]): calls})
    made = quantizer.quantize(found, enable_progress_bar=False, enable_progress_report=False)
    Path(output).write_bytes(made.quantized_model)


if __name__ == "__main__":
    main()
