"""What is recognised of a split in training."""

import numpy as np

from asr_qat.corpora.data_config import DataConfig
from asr_qat.corpora.dataset import Pipeline
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.models.ctc import build_ctc
from asr_qat.models.keras_decoder import CTCDecoder
from asr_qat.training import word_error_rate
from asr_qat.training.word_error_rate import Evaluator
from tests.training_fixtures import ENCODER


def test_a_large_batch_is_encoded_in_parts(prepared_folder, monkeypatch):
    """That of many accelerators does not fit on the one that evaluates."""
    folder = PreparedFolder(prepared_folder)
    pipeline = Pipeline(folder, DataConfig(batch_size=5))
    evaluator = Evaluator(
        CTCDecoder(build_ctc(ENCODER, folder.tokenizer.vocab_size)), pipeline, "train"
    )
    (features, lengths), _ = next(iter(pipeline.evaluation("train")))
    whole, sizes = evaluator._encode(features, lengths), []

    class Counting:
        def encode(self, features, lengths, encode=evaluator._decoder.encode):
            sizes.append(len(lengths))
            return encode(features, lengths)

    evaluator._decoder = Counting()
    for frames, expected in ((10**6, [5]), (2 * features.shape[1], [2, 2, 1]), (1, [1] * 5)):
        monkeypatch.setattr(word_error_rate, "ENCODED_FRAMES", frames)
        parts = evaluator._encode(features, lengths)
        np.testing.assert_allclose(parts, whole, atol=1e-5)
        assert sizes == expected
        sizes.clear()
