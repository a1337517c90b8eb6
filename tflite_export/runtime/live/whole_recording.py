"""A recording that is there as a whole, recognised by a live model."""

from asr_qat.arrays import Array
from asr_qat.audio.front_end import log_mel, normalize
from asr_qat.decoding.transducer_incremental import begin_search
from tflite_export.runtime.live.encoder import split_steps
from tflite_export.runtime.live.endpoint import WHOLE_RECORDING
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.utterance import Utterance


def recognise(model: LiveModel, audio: Array) -> Utterance:
    """Both passes over one utterance, float32 `[samples]` in [-1, 1)."""
    mels = log_mel(audio, model.front_end)
    return recognise_features(model, normalize(mels, model.front_end, model.mean, model.std))


def recognise_features(model: LiveModel, features: Array) -> Utterance:
    """Both passes over the normalised features of one utterance, `[frames, mel_bins]`."""
    utterance = Utterance(model.encoder, model.steps, begin_search(model.steps), WHOLE_RECORDING)
    size = model.encoder.subsampling
    for frames in split_steps(len(features) // size, model.encoder.step_frames):
        utterance.step(features[: frames * size])
        features = features[frames * size :]
    utterance.finish(features)
    return utterance


def transcribe(model: LiveModel, audio: Array) -> str:
    """The text of the second pass."""
    return model.tokenizer.decode(recognise(model, audio).second.tokens)
