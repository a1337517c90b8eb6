"""Word error rate of a Keras model."""

import contextlib
from collections.abc import Iterator

import jiwer
import numpy as np
import tensorflow as tf

from asr_qat.corpora.dataset import Pipeline
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.models.keras_decoder import Decoder
from asr_qat.text.normalizers import scoring_normalizer

# Feature frames, padding included, that the encoder takes at once: 480 s. A batch may be that of
# many accelerators, and is evaluated on one.
ENCODED_FRAMES = 48_000


@contextlib.contextmanager
def damaged_shards(folder: PreparedFolder, split: str) -> Iterator[None]:
    """Raise `UserError` naming the shard of `split` that TensorFlow finds damaged."""
    try:
        yield
    except tf.errors.DataLossError:
        raise folder.damaged(split) from None


class Evaluator:
    """Greedy WER of a model on one split; the graph is traced once.

    Args:
        decoder: of the model, such as `Recogniser.decoder` gives.
        pipeline: reads the utterances.
        split: name of the split.
    """

    def __init__(self, decoder: Decoder, pipeline: Pipeline, split: str):
        self._folder, self._split = pipeline.folder, split
        self._dataset = pipeline.evaluation(split)
        self._tokenizer = pipeline.folder.tokenizer
        self._references = [u["text"] for u in pipeline.folder.utterances(split)]
        self._decoder = decoder

    def hypotheses(self) -> list[str]:
        """Recognised text of every utterance, in the order of the manifest."""
        with damaged_shards(self._folder, self._split):
            return self._hypotheses()

    def _hypotheses(self) -> list[str]:
        texts = []
        for (features, lengths), _ in self._dataset:
            encoded = self._encode(features, lengths)
            for tokens in self._decoder.search(encoded, lengths.numpy()):
                texts.append(self._tokenizer.decode(tokens))
        return texts

    def _encode(self, features, lengths) -> np.ndarray:
        """What the search reads, a part of the rows at a time."""
        rows = max(1, ENCODED_FRAMES // features.shape[1])
        parts = [
            self._decoder.encode(features[i : i + rows], lengths[i : i + rows])
            for i in range(0, len(features), rows)
        ]
        return np.concatenate(parts)

    def wer(self) -> float:
        """Word error rate of the whole split, as a share, by the normaliser of the folder."""
        change = scoring_normalizer(self._folder.normalizer)
        return float(jiwer.wer(self._references, [change(text) for text in self.hypotheses()]))
