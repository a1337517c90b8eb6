"""One shard of a prepared folder: recordings checked, encoded and written as TFRecord."""

import dataclasses
import errno
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
import tensorflow as tf

from asr_qat import files
from asr_qat.audio.front_end import FrontEndConfig, log_mel, subsampled_length
from asr_qat.audio.inside import address
from asr_qat.corpora.file_facts import FileFacts
from asr_qat.corpora.prepared import UNREADABLE
from asr_qat.corpora.utterance import Utterance
from asr_qat.counted import counted
from asr_qat.errors import UserError
from asr_qat.text.labels import frames_needed
from asr_qat.text.normalizers import PLAIN, training_normalizer
from asr_qat.text.symbols import dropped_symbols
from asr_qat.text.tokenizer import Tokenizer

MIN_SECONDS = 0.1  # shorter recordings hold no word
LEAST_HALVINGS = 2  # of the time axis by any encoder: what is too short then is so for all
MOST_HALVINGS = 3  # by one with `subsampling_factor: 8`
CHECKSUM_BYTES = 16  # of samples
SILENCE_DB = -66.0  # of full scale: no frame of speech is so quiet, however far the microphone


class Skipped(Exception):
    """An utterance that cannot be used: `reason` groups, `detail` explains."""

    def __init__(self, reason: str, detail: str) -> None:
        """Take the `reason` that utterances are counted by and what is wrong with this one."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclasses.dataclass(frozen=True)
class ShardWriter:
    """Writes shards of one split.

    Attributes:
        tokenizer: makes the labels.
        front_end: of the features whose sums are reported.
        features: report feature sums.
        check_labels: skip utterances with too few frames for their CTC labels, with characters
            that the vocabulary lacks, or of silence. For train only: a hard utterance is no
            reason to leave it out of a score.
        normalizer: name of that of the texts, see `asr_qat.text.normalizers`.
    """

    tokenizer: Tokenizer
    front_end: FrontEndConfig
    features: bool
    check_labels: bool
    normalizer: str = PLAIN

    def write(self, path: Path, utterances: Sequence[Utterance]) -> Iterator[dict]:
        """Write the usable ones of `utterances` to the TFRecord file `path`.

        Yields one record for each utterance as it is done: its line of the split's
        `.jsonl`, with the `checksum` of its samples, `features` sums, `dropped_symbols` if its
        text lost some, and `dense` if it has too few frames for its labels in an encoder that
        subsamples by 8; or `{"id", "reason", "detail"}` if it is skipped. In the end
        `{"file"}`, the `FileFacts` of the shard.

        Raises:
            OSError: the file cannot be written.
        """
        try:
            with files.replacing(path) as temporary:
                with tf.io.TFRecordWriter(str(temporary)) as writer:
                    for utterance in utterances:
                        try:
                            example, record = self._example(utterance)
                        except Skipped as skipped:
                            yield {
                                "id": utterance.id,
                                "reason": skipped.reason,
                                "detail": skipped.detail,
                            }
                            continue
                        writer.write(example.SerializeToString())
                        yield record
                facts = FileFacts.of(temporary)
        except tf.errors.OpError as error:
            raise OSError(errno.EIO, error.message, str(path)) from None
        yield {"file": dataclasses.asdict(facts)}

    def _example(self, utterance: Utterance) -> tuple[tf.train.Example, dict]:
        text = self._text(utterance)
        unknown = self.tokenizer.unknown_characters(text)
        if unknown and self.check_labels:
            detail = f"{utterance.audio_path}: {' '.join(sorted(unknown))} not in the vocabulary"
            raise Skipped("characters outside the vocabulary", detail)
        tokens = self.tokenizer.encode("".join(c for c in text if c not in unknown))
        pcm = self._read(utterance)
        self._check_length(utterance, len(pcm), tokens)
        self._check_silence(utterance, pcm, text)
        record = {
            "id": utterance.id,
            "audio_filepath": address(utterance.audio_path),
            "duration": len(pcm) / self.front_end.sample_rate,
            "text": text,
            "speaker": utterance.speaker,
            "checksum": hashlib.blake2b(pcm.tobytes(), digest_size=CHECKSUM_BYTES).hexdigest(),
        }
        if dropped := dropped_symbols(utterance.text, text):
            record["dropped_symbols"] = dropped
        if utterance.segment:
            record["offset"] = utterance.offset
        if self.check_labels and self._frames(len(pcm), MOST_HALVINGS) < frames_needed(tokens):
            record["dense"] = True
        if self.features:
            features = log_mel(pcm.astype(np.float32) / 32768, self.front_end).astype(np.float64)
            record["features"] = {
                "frames": len(features),
                "sum": features.sum(axis=0),
                "squares": np.square(features).sum(axis=0),
            }
        return _example(utterance.id, text, tokens, pcm, self.front_end.sample_rate), record

    def _text(self, utterance: Utterance) -> str:
        text = training_normalizer(self.normalizer)(utterance.text)
        if text:
            return text
        where, given = utterance.audio_path, utterance.text
        if any(map(str.isalnum, given)):
            detail = f"{where}: normaliser {self.normalizer} leaves nothing of {given!r}"
            raise Skipped("no words after normalising", detail)
        raise Skipped("no transcript", f"{where}: no transcript")

    def _read(self, utterance: Utterance) -> np.ndarray:
        """The recording as int16 `[samples]`: what the shard holds and training hears."""
        try:
            audio = utterance.read(self.front_end.sample_rate)
        except UserError as error:
            raise Skipped(UNREADABLE, str(error)) from None
        return np.clip(np.rint(audio * 32768), -32768, 32767).astype(np.int16)

    def _check_length(self, utterance: Utterance, samples: int, tokens: list[int]) -> None:
        where = utterance.audio_path
        seconds = samples / self.front_end.sample_rate
        if seconds < MIN_SECONDS:
            raise Skipped("too short", f"{where}: {seconds:.3f} s is under {MIN_SECONDS} s")
        needed = frames_needed(tokens)
        frames = self._frames(samples, LEAST_HALVINGS)
        if self.check_labels and frames < needed:
            detail = f"{where}: {counted(frames, 'frame')} of {seconds:.2f} s for {needed} labels"
            raise Skipped("too short for its labels", detail)

    def _check_silence(self, utterance: Utterance, pcm: np.ndarray, text: str) -> None:
        """A model that is trained on words which nobody says learns to make words up."""
        if self.check_labels and _loudest_db(pcm, self.front_end.frame_length) < SILENCE_DB:
            words = counted(len(text.split()), "word")
            raise Skipped("silence", f"{utterance.audio_path}: {words}, but nothing is heard")

    def _frames(self, samples: int, halvings: int) -> int:
        return subsampled_length(self.front_end.frames(samples), halvings)


def _loudest_db(pcm: np.ndarray, frame: int) -> float:
    """Level of the loudest frame, without its offset, in dB of full scale."""
    frames = pcm[: len(pcm) // frame * frame].reshape(-1, frame).astype(np.float32) / 32768
    return 20 * np.log10(frames.std(axis=1).max(initial=0.0) + 1e-10)


def _example(
    utterance_id: str, text: str, tokens: list[int], pcm: np.ndarray, sample_rate: int
) -> tf.train.Example:
    flac = io.BytesIO()
    soundfile.write(flac, pcm, sample_rate, format="FLAC", subtype="PCM_16")

    def of_bytes(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def of_ints(values: Sequence[int]) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    feature = {
        "id": of_bytes(utterance_id.encode(errors="backslashreplace")),
        "audio": of_bytes(flac.getvalue()),
        "samples": of_ints([len(pcm)]),
        "text": of_bytes(text.encode()),
        "tokens": of_ints(tokens),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature))
