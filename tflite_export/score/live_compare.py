"""Is a live `.tflite` the Keras model? Both passes of recordings, and every quantized product."""

import itertools

from asr_qat.corpora.utterance import Utterance
from asr_qat.models.layer_names import PASSES
from asr_qat.models.model_directory import Recogniser
from asr_qat.progress import progress
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.compare import keras_recognitions
from tflite_export.score.live_evaluate import StreamedRun
from tflite_export.score.live_rows import PassAgreement, StreamedComparison
from tflite_export.score.product_equality import product_errors
from tflite_export.score.rows import DifferentText

PRODUCT_UTTERANCES = 4


def compare_streamed(
    recogniser: Recogniser,
    device: TFLiteRecogniser,
    items: list[Utterance],
    result: StreamedRun,
    quiet: bool = False,
) -> StreamedComparison:
    """Compare what was streamed with what Keras finds in the whole utterances.

    Args:
        recogniser: the Keras model of the file.
        device: the file.
        items: recordings.
        result: what the file found in them.
        quiet: no progress.

    Returns:
        The comparison; its products are those of the first `PRODUCT_UTTERANCES` recordings.
    """
    tokenizer = device.metadata.tokenizer
    found: dict[str, PassAgreement] = {}
    for name in PASSES:
        decoder = recogniser.decoder(name)
        expected = keras_recognitions(recogniser, device, items, quiet=quiet, decoder=decoder)
        different = []
        for item, keras, text in zip(items, expected, result.hypotheses[name], strict=True):
            keras_text = tokenizer.decode(keras.tokens)
            if keras_text != text:
                different.append(
                    DifferentText(id=item.id, reference=item.text, keras=keras_text, tflite=text)
                )
        same = 1 - len(different) / len(items)
        found[name] = PassAgreement(identical_hypotheses=same, different=tuple(different))
    rate = device.metadata.front_end.sample_rate
    heard = (device.features(item.read(rate)) for item in items)
    chosen = list(itertools.islice(filter(len, heard), PRODUCT_UTTERANCES))
    read = progress(chosen, "products", len(chosen), quiet=quiet)
    products = product_errors(device.path, recogniser, read)
    return StreamedComparison(**found, products=tuple(products))
