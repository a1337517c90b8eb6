"""`tokenizer.json` of Hugging Face tokenizers as a SentencePiece model.

What transformers made of a SentencePiece model becomes one again: the pieces with the ids of the
network's classes, the order of the merges as scores, the normaliser's tables. Where transformers
itself departs from SentencePiece, at symbols that are never cut and at pieces that are bytes, this
is SentencePiece again, with which the network was trained.
"""

import base64
import binascii
import dataclasses
from collections.abc import Iterable
from typing import Any

from asr_qat.errors import UserError, require
from asr_qat.pretrained.keys import ConfigKeys
from asr_qat.text.sentencepiece_model import Normalization, Piece, PieceType, bpe_model
from asr_qat.text.tokenizer import Tokenizer

SPACE = "▁"
BYTES = frozenset(f"<0x{value:02X}>" for value in range(256))
AddedTokens = dict[int, tuple[str, bool]]  # text, and whether it is special, by id


def sentencepiece_tokenizer(content: Any, where: str, classes: int, blank: int) -> Tokenizer:
    """The tokenizer of a network.

    Args:
        content: of `tokenizer.json`.
        where: it is, for messages.
        classes: of the network's output.
        blank: the one of them that is no piece.

    Returns:
        Pieces in the order of the classes, the blank left out.

    Raises:
        UserError: SentencePiece has nothing like it, named.
    """
    keys = ConfigKeys(content, where)
    keys.without_effect(["version", "truncation", "padding"])  # of batches
    for part in _parts(keys, "post_processor", "processors"):
        part.only("type", "TemplateProcessing")
        part.only("special_tokens", {})  # it adds nothing to a text
        part.without_effect(["single", "pair"])
        part.finish()
    normalization = Normalization()
    for part in _parts(keys, "normalizer", "normalizers"):
        normalization = _normalized(normalization, part)
    prefixes = {
        _metaspace(part)
        for name, several in (("pre_tokenizer", "pretokenizers"), ("decoder", "decoders"))
        for part in _parts(keys, name, several)
    }
    require(len(prefixes) == 1, f"{where}: pre_tokenizer and decoder are not one Metaspace")
    normalization = dataclasses.replace(normalization, dummy_prefix=prefixes.pop())
    added = _added_tokens(keys.take("added_tokens", [], list), where)
    pieces = _pieces(keys.section("model"), added, (i for i in range(classes) if i != blank))
    keys.finish()
    try:
        return Tokenizer.from_bytes(bpe_model(pieces, normalization))
    except UnicodeEncodeError as error:
        raise UserError(f"{where}: model: vocab: {error.object!r}: not text in Unicode") from None


def _parts(keys: ConfigKeys, name: str, several: str) -> list[ConfigKeys]:
    """A part of the pipeline, or the parts of a sequence; none where it is null."""
    part = keys.take(name, None)
    where = f"{keys.where}: {name}"
    if part is None:
        return []
    if not isinstance(part, dict) or part.get("type") != "Sequence":
        return [ConfigKeys(part, where)]
    sequence = ConfigKeys(part, where)
    sequence.only("type", "Sequence")
    parts = [ConfigKeys(item, where) for item in sequence.take(several, [], list)]
    sequence.finish()
    return parts


def _normalized(before: Normalization, part: ConfigKeys) -> Normalization:
    """With one more step, of those that transformers makes of SentencePiece's."""
    kind = part.take("type")
    if kind == "Precompiled":
        try:
            table = base64.b64decode(part.take("precompiled_charsmap"), validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise UserError(f"{part.where}: precompiled_charsmap: not base64") from None
        after = dataclasses.replace(before, character_map=table)
    elif kind == "Strip":
        part.only("strip_left", False, True)
        part.only("strip_right", True)
        after = dataclasses.replace(before, trim=True)
    elif kind == "Replace":
        part.only("pattern", {"Regex": " {2,}"})
        part.only("content", SPACE, " ")
        after = dataclasses.replace(before, trim=True)
    else:
        raise part.refusal("type", kind, "SentencePiece has no such normaliser")
    part.finish()
    return after


def _metaspace(part: ConfigKeys) -> bool:
    """Whether a space is put before the first word."""
    part.only("type", "Metaspace")
    part.only("replacement", SPACE)
    part.only("split", True, False)  # SentencePiece never joins pieces of two words: no effect
    part.without_effect(["add_prefix_space", "str_rep"])  # the older form of prepend_scheme
    scheme = part.only("prepend_scheme", "always", "first", "never")
    part.finish()
    return scheme != "never"


def _added_tokens(tokens: list, where: str) -> AddedTokens:
    """Text, and whether it is special, of the tokens beside the model's, by id."""
    added = {}
    for token in tokens:
        keys = ConfigKeys(token, f"{where}: added_tokens")
        index, text = keys.take("id", kind=int), keys.take("content", kind=str)
        added[index] = (text, keys.take("special", kind=bool))
    return added


def _pieces(keys: ConfigKeys, added: AddedTokens, ids: Iterable[int]) -> list[Piece]:
    """The pieces of a BPE model that have these ids."""
    keys.only("type", "BPE")
    keys.only("dropout", None)
    keys.only("continuing_subword_prefix", None, "")
    keys.only("end_of_word_suffix", None, "")
    keys.only("ignore_merges", False)
    keys.only("fuse_unk", True)  # neighbouring unknown characters are one id
    unknown = keys.take("unk_token", kind=str)
    fallback = keys.take("byte_fallback", False, bool)
    vocabulary = keys.take("vocab", kind=dict)
    for name, index in vocabulary.items():
        require(type(index) is int, f"{keys.where}: vocab: {name!r}: {index!r}: expected int")
    scores = _scores(vocabulary, keys.take("merges", kind=list), added, keys.where)
    keys.finish()
    names = {index: piece for piece, index in vocabulary.items()}
    names |= {index: text for index, (text, _) in added.items()}

    def piece(index: int) -> Piece:
        require(index in names, f"{keys.where}: vocab: no piece for class {index}")
        name, kind = names[index], PieceType.NORMAL
        if name == unknown:
            kind = PieceType.UNKNOWN
        elif index in added:
            kind = PieceType.CONTROL if added[index][1] else PieceType.USER_DEFINED
        elif fallback and name in BYTES:
            kind = PieceType.BYTE
        return Piece(name, scores.get(name, 0.0), kind)

    pieces = [piece(index) for index in ids]
    count = sum(piece.type is PieceType.UNKNOWN for piece in pieces)
    require(count == 1, f"{keys.where}: unk_token: {unknown!r} is no class of the network")
    return pieces


def _scores(
    vocabulary: dict[str, int], merges: list, added: AddedTokens, where: str
) -> dict[str, float]:
    """The score of each piece: the earlier it is merged, the higher.

    SentencePiece merges any two neighbours whose text is a piece, the piece of the highest score
    first. That is the same if the merges are all such pairs, those of one piece together.
    """
    scores: dict[str, float] = {}
    last, pairs = "", set()
    for merge in merges:
        pair = merge.split(" ") if isinstance(merge, str) else merge
        two = isinstance(pair, list) and [type(part) for part in pair] == [str, str]
        require(two, f"{where}: merges: {merge!r} is not a pair")
        piece = "".join(pair)
        require(
            piece == last or piece not in scores,
            f"{where}: merges: those of {piece!r} are not together, as SentencePiece has them",
        )
        if piece not in scores:
            scores[piece] = -float(len(scores))
        last = piece
        pairs.add(tuple(pair))
    apart = {text for text, _ in added.values()} | BYTES
    pieces = [piece for piece in vocabulary if piece not in apart]
    whole = set(pieces)
    for piece in pieces:
        for split in range(1, len(piece)):
            pair = piece[:split], piece[split:]
            if pair[0] in whole and pair[1] in whole and pair not in pairs:
                raise UserError(
                    f"{where}: merges: {' '.join(pair)!r} is missing: no SentencePiece vocabulary"
                )
    merged = len(scores)
    for position, piece in enumerate(piece for piece in pieces if piece not in scores):
        scores[piece] = -float(merged + position)
    return scores
