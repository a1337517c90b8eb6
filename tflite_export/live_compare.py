"""Is a live `.tflite` the Keras model? Both passes of recordings, and every quantized product."""

import itertools
from typing import Any

from asr_qat.audio.decode import read_audio
from asr_qat.corpora.utterance import Utterance
from asr_qat.decoding.keras_decoder import TransducerDecoder
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.passes import CASCADE, CAUSAL
from asr_qat.progress import progress
from tflite_export.live_evaluate import FIRST, SECOND, StreamedRun
from tflite_export.product_equality import product_errors
from tflite_export.recogniser import TFLiteRecogniser

ENCODERS = {FIRST: CAUSAL, SECOND: CASCADE}
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
    heard = [
        device.features(read_audio(item.audio_path, device.metadata.front_end.sample_rate))
        for item in items
    ]
    found: dict[str, Any] = {}
    for name, encoder in ENCODERS.items():
        decoder = TransducerDecoder(recogniser.model, encoder)
        different = []
        pairs = zip(items, heard, result.hypotheses[name], strict=True)
        for item, features, text in progress(pairs, f"Keras, {name} pass", len(items), quiet=quiet):
            keras = ""
            if len(features):  # not shorter than one window of the front end
                (encoded,) = decoder.encode(features[None], [len(features)])
                keras = device.metadata.tokenizer.decode(decoder.recognise(encoded).tokens)
            if keras != text:
                row = {"id": item.id, "reference": item.text, "keras": keras, "tflite": text}
                different.append(row)
        same = 1 - len(different) / len(items)
        found[name] = {"identical_hypotheses": same, "different": different}
    chosen = list(itertools.islice(filter(len, heard), PRODUCT_UTTERANCES))
    read = progress(chosen, "products", len(chosen), quiet=quiet)
    return {**found, "products": product_errors(device.path, recogniser, read)}
