"""Word pieces: text to label ids and back, through SentencePiece."""

import functools
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import sentencepiece

from asr_qat import files
from asr_qat.errors import UserError, require

MODEL_TYPES = ("char", "unigram", "bpe")
MOST_BYTES = 64 << 20
MOST_PIECES = 1 << 20
COMMON = 0.9995  # of the characters of texts have pieces of their own beside bytes
_TOO_SMALL = re.compile(r"required_chars\. \d+ vs (\d+)")  # in SentencePiece's error


class Tokenizer:
    """A SentencePiece vocabulary without sentence marks; id 0 is `<unk>`.

    The blank is the class after the last piece, so a model has `vocab_size + 1` outputs. Texts are
    normalised to upper case; a vocabulary of lower case, as other libraries make them, gets them in
    its own. Not so with `cased`: those texts have the case that they are to be recognised in.

    A vocabulary with byte fallback spells a character that no piece holds in the bytes of its
    UTF-8, `<0xE2>` and so on, each of which is a piece.
    """

    def __init__(self, proto: bytes, cased: bool = False) -> None:
        """Take the serialized SentencePiece model `proto` (see also `from_bytes`, `load`)."""
        self.proto = proto
        self.cased = cased
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=proto)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        model_type: str = "unigram",
        byte_fallback: bool = False,
    ) -> "Tokenizer":
        """Learn a vocabulary from normalised `texts`; the same texts give the same bytes.

        Args:
            texts: transcripts.
            vocab_size: most pieces wanted; fewer are made where the texts do not hold so many.
            model_type: `char`, `unigram` or `bpe`.
            byte_fallback: spell rare characters, those beyond `COMMON` of the texts, in bytes. The
                256 bytes count as pieces.

        Raises:
            UserError: no text, an unknown type, or a size too small for the characters.
        """
        if model_type not in MODEL_TYPES:
            raise UserError(f"model type {model_type!r}: choose one of {', '.join(MODEL_TYPES)}")
        texts = [text for text in texts if text]
        if not texts:
            raise UserError("no transcripts to train a tokenizer on")
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                model_type=model_type,
                vocab_size=vocab_size,
                character_coverage=COMMON if byte_fallback else 1.0,
                byte_fallback=byte_fallback,
                hard_vocab_limit=False,
                # Texts are normalised before; a rule here would only hide mistakes.
                normalization_rule_name="identity",
                # A leading space is a label that nobody speaks; words need it, letters do not.
                add_dummy_prefix=model_type != "char",
                max_sentence_length=1 << 16,
                unk_id=0,
                bos_id=-1,
                eos_id=-1,
                num_threads=1,
                minloglevel=2,
            )
        except RuntimeError as error:
            reason = str(error).rsplit("] ", 1)[-1].strip()
            if least := _TOO_SMALL.search(reason):
                bytes_too = "" if byte_fallback else ", or --byte-fallback"
                reason = f"it takes {least[1]} or more{bytes_too}"
            raise UserError(
                f"vocabulary size {vocab_size} ({model_type}) does not suit these texts: {reason}"
            ) from None
        return cls(model.getvalue())

    @classmethod
    def from_bytes(cls, proto: bytes) -> "Tokenizer":
        """A tokenizer from the bytes of a SentencePiece model file."""
        require(bool(proto), "empty")
        try:
            tokenizer = cls(proto)
            count = len(tokenizer.pieces())  # one that is no text is found here
        except (RuntimeError, UnicodeDecodeError):
            count = 0
        require(count > 0, "not a SentencePiece model, or only part of one")
        require(count <= MOST_PIECES, f"{count:,} pieces, more than {MOST_PIECES:,}")
        return tokenizer

    @classmethod
    def load(cls, path: str | Path) -> "Tokenizer":
        """Read a SentencePiece `.model` file. Raises `UserError` if there is none."""
        try:
            proto = files.read_bytes(path, MOST_BYTES)
        except FileNotFoundError:
            raise UserError(f"{path}: no such tokenizer file") from None
        try:
            return cls.from_bytes(proto)
        except UserError as error:
            raise UserError(f"{path}: {error}: train one with `asr-qat prepare`") from None

    def save(self, path: str | Path) -> None:
        """Write the SentencePiece `.model` file."""
        files.write_bytes(path, self.proto)

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256 of the model: tells one vocabulary from another."""
        return hashlib.sha256(self.proto).hexdigest()

    @property
    def vocab_size(self) -> int:
        """Number of pieces, without the blank."""
        return self._processor.get_piece_size()

    @property
    def blank(self) -> int:
        """The blank: the last class of a model."""
        return self.vocab_size

    def pieces(self) -> list[str]:
        """The pieces by id; `▁` is a space."""
        return [self._processor.id_to_piece(i) for i in range(self.vocab_size)]

    @functools.cached_property
    def lower_case(self) -> bool:
        """Whether most letters of the pieces are small, as in most published models."""
        ids, of = range(self.vocab_size), self._processor
        marks = (of.is_unknown, of.is_control, of.is_byte)  # written as <unk>, <s>, <0x0A>
        words = [of.id_to_piece(i) for i in ids if not any(is_mark(i) for is_mark in marks)]
        letters = "".join(words)
        return sum(map(str.islower, letters)) > sum(map(str.isupper, letters))

    @functools.cached_property
    def byte_fallback(self) -> bool:
        """Whether there are pieces for bytes: no character is unknown then."""
        return any(self._processor.is_byte(i) for i in range(self.vocab_size))

    def in_case(self, text: str) -> str:
        """Normalised `text` in the case of the pieces: its own if it is `cased`, else capitals."""
        return text.lower() if self.lower_case and not self.cased else text

    def with_case(self) -> "Tokenizer":
        """The same vocabulary for texts whose case is to be recognised."""
        return Tokenizer(self.proto, cased=True)

    def encode(self, text: str) -> list[int]:
        """Label ids of normalised `text`, whatever the case of the pieces.

        Raises:
            UserError: characters that no piece holds, which would become `<unk>`.
        """
        ids = self._processor.encode(self.in_case(text))
        if self._processor.unk_id() in ids:
            unknown = sorted(self.unknown_characters(text))
            raise UserError(
                f"characters {' '.join(unknown)} of {text!r} are not in the vocabulary: "
                "normalise the text or train a tokenizer on it"
            )
        return ids

    def unknown_characters(self, text: str) -> set[str]:
        """The characters of `text` that no piece holds."""
        unknown, encode = self._processor.unk_id(), self._processor.encode
        return {c for c in set(text) if not c.isspace() and unknown in encode(self.in_case(c))}

    def decode(self, ids: Sequence[int]) -> str:
        """The text of label `ids`, without spaces at its ends."""
        return self._processor.decode([int(i) for i in ids]).strip()

    def label_bytes(self) -> list[bytes]:
        """What each label adds to a text, in UTF-8: a space before a word is a space.

        Of a vocabulary with bytes for rare letters these are single bytes; marks such as `<s>` add
        nothing, and `<unk>` what SentencePiece writes for it.
        """
        return [self._bytes_of(i) for i in range(self.vocab_size)]

    def _bytes_of(self, label: int) -> bytes:
        of = self._processor
        if of.is_control(label):
            return b""
        if of.is_unknown(label):
            return " ⁇ ".encode()
        piece = of.id_to_piece(label)
        if of.is_byte(label):
            byte = int(piece[1:-1], 16)  # <0x0A>
            space = byte < 0x80 and chr(byte).isspace()  # above, one byte is no character
            return b" " if space else bytes([byte])
        return piece.replace("▁", " ").encode()
