"""Makes a `tokenizer.json` as transformers makes it of NeMo's tokenizers, and its ids of texts.

    python experiments/pretrained/tokenizer_reference.py --out work/tokenizer

It runs where `nemo_reference.py` does. A SentencePiece model of pairs is trained on a few lines,
with a rule of its own for characters, symbols that are never cut, and bytes for unknown characters.
It writes OUT.json, `tokenizer.json` with one more key: `texts`, each with the `ids` and the `text`
that Hugging Face's tokenizer makes of it, and SentencePiece's own ids as `sentencepiece`.
"""

import argparse
import json
import tempfile
from pathlib import Path

LINES = (
    "the quick brown fox jumps over the lazy dog",
    "she sells sea shells by the sea shore and the shells she sells are sea shells",
    "how much wood would a woodchuck chuck if a woodchuck could chuck wood",
    "caf\u00e9 na\u00efve <|laugh|> it's the other one",
)
TEXTS = (
    *LINES,
    "  two  spaces and \u4e2d\u6587 and caf\u00e9 ",
    "<|laugh|>shells, woodshed",
    "THE xyz",
)


def main() -> None:
    """Train, convert, encode."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="path without ending")
    args = parser.parse_args()

    import sentencepiece
    from tokenizers import AddedToken
    from transformers import ParakeetTokenizer
    from transformers.convert_slow_tokenizer import ParakeetConverter

    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.tsv"
        rules.write_text("E9\t65\nEF\t69\n")  # e and i without marks
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(LINES * 4),
            model_prefix=f"{folder}/tokenizer",
            vocab_size=330,
            model_type="bpe",
            normalization_rule_tsv=str(rules),
            byte_fallback=True,
            user_defined_symbols=["<|laugh|>"],
            bos_id=-1,
            eos_id=-1,
            hard_vocab_limit=False,
        )
        model = f"{folder}/tokenizer.model"
        original = sentencepiece.SentencePieceProcessor(model_file=model)
        tokenizer = ParakeetTokenizer(
            tokenizer_object=ParakeetConverter(model).converted(),
            clean_up_tokenization_spaces=False,
        )
        pad, unknown = (AddedToken(t, normalized=False, special=True) for t in ("<pad>", "<unk>"))
        tokenizer.add_tokens([pad])
        tokenizer.add_special_tokens({"pad_token": pad, "unk_token": unknown})
        tokenizer.save_pretrained(folder)
        content = json.loads((Path(folder) / "tokenizer.json").read_text(encoding="utf-8"))
    content["texts"] = []
    for text in TEXTS:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        content["texts"].append(
            {
                "given": text,
                "ids": ids,
                "text": tokenizer.decode(ids, group_tokens=False),
                "sentencepiece": original.encode(text),
            }
        )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    path = args.out.with_name(args.out.name + ".json")
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
