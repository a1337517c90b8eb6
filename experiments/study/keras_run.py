"""The score of a Keras model whose arithmetic LiteRT does not have."""

import numpy as np

from asr_qat.audio.decode import read_audio
from asr_qat.audio.front_end import log_mel, normalize
from asr_qat.corpora.utterance import Utterance
from asr_qat.models.model_directory import Recogniser
from tflite_export.score.evaluate import Run


def keras_run(recogniser: Recogniser, items: list[Utterance]) -> Run:
    """Recognise every recording with the device's front end and search, but the Keras model.

    Its `seconds` are zero: how long Keras takes says nothing of a device.
    """
    decoder = recogniser.decoder()
    front_end = recogniser.config.front_end
    result = Run([], [], np.zeros(len(items)), np.zeros(len(items)))
    for i, item in enumerate(items):
        audio = read_audio(item.audio_path, front_end.sample_rate)
        features = normalize(log_mel(audio, front_end), recogniser.mean, recogniser.std)
        tokens = []
        if len(features):  # else shorter than one window of the front end
            (encoded,) = decoder.encode(features[None], [len(features)])
            tokens = decoder.recognise(encoded).tokens
        result.hypotheses.append(recogniser.tokenizer.decode(tokens))
        result.audio_seconds[i] = len(audio) / front_end.sample_rate
    return result
