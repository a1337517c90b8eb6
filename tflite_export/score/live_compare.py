"""Is a live `.tflite` the Keras model? Both passes of recordings, and every quantized product."""

import itertools
from typing import Any

from asr_qat.audio.decode import read_audio
from asr_qat.corpora.utterance import Utterance
from asr_qat.models.layer_names import PASSES
from asr_qat.models.model_directory import Recogniser
from asr_qat.progress import progress
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.compare import keras_recognitions
from tflite_export.score.live_evaluate import StreamedRun
from tflite_export.score.product_equality import product_errors

PRODUCT_UTTERANCES = 4


def compare_streamed(
    recogniser: Recogniser,
    device: TFLiteRecogniser,
    items: list[Utterance],
    result: StreamedRun,
    quiet: bool = False,
) -> dict[str, Any]:
    """Compare what was streamed with what Keras finds in the whole utterances.

    Args:
        recogniser: the Keras model of the file.
        device: the file.
        items: recordings.
        result: what the file found in them.
        quiet: no progress.

    Returns:
        For `first` and `second` the share of `identical_hypotheses`, and `different`, the others;
        `products`: see `product_errors`, on the first `PRODUCT_UTTERANCES` recordings.
    """
    tokenizer, found = device.metadata.tokenizer, dict[str, Any]()
    for name in PASSES:
        decoder = recogniser.decoder(name)
        expected = keras_recognitions(recogniser, device, items, quiet=quiet, decoder=decoder)
        different = []
        for item, keras, text in zip(items, expected, result.hypotheses[name], strict=True):
            keras_text = tokenizer.decode(keras.tokens)
            if keras_text != text:
                row = {"id": item.id, "reference": item.text, "keras": keras_text, "tflite": text}
                different.append(row)
        same = 1 - len(different) / len(items)
        found[name] = {"identical_hypotheses": same, "different": different}
    rate = device.metadata.front_end.sample_rate
    heard = (device.features(read_audio(item.audio_path, rate)) for item in items)
    chosen = list(itertools.islice(filter(len, heard), PRODUCT_UTTERANCES))
    read = progress(chosen, "products", len(chosen), quiet=quiet)
    return {**found, "products": product_errors(device.path, recogniser, read)}
