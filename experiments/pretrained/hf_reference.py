"""Makes a Parakeet checkpoint of transformers with random weights, and what it computes.

    python experiments/pretrained/hf_reference.py ctc work/tiny.nemo --out work/parakeet

It runs where `nemo_reference.py` does (transformers 5.24.0), whose archive it takes the tokenizer
from, converted as transformers converts NeMo's. It writes the folder OUT and OUT.npz, with the
arrays that `nemo_reference.py` describes, and `text` with its `ids` by the tokenizer.
"""

import argparse
import os
import tarfile
import tempfile
from pathlib import Path

import numpy as np

os.environ.setdefault("HF_HUB_OFFLINE", "1")

KINDS = ("ctc", "rnnt", "tdt")
TEXT = "a cab  and it's zebra "
RATE = 16000
UNITS = 8  # of prediction and joint network


def tokenizer_of(archive: Path, kind: str):
    """The tokenizer of a NeMo archive as transformers has it: the pieces, then the blank."""
    from tokenizers import AddedToken
    from transformers import ParakeetTokenizer
    from transformers.convert_slow_tokenizer import ParakeetConverter

    with tarfile.open(archive) as tar, tempfile.TemporaryDirectory() as folder:
        member = next(m for m in tar if m.name.endswith("tokenizer.model"))
        tar.extract(member, folder)
        converted = ParakeetConverter(str(Path(folder) / member.name)).converted()
    tokenizer = ParakeetTokenizer(tokenizer_object=converted, clean_up_tokenization_spaces=False)
    blank = "<pad>" if kind == "ctc" else "<blank>"
    token = AddedToken(blank, normalized=False, special=True)
    tokenizer.add_tokens([token])
    unknown = AddedToken("<unk>", normalized=False, special=True)
    tokenizer.add_special_tokens({"pad_token": token, "unk_token": unknown})
    return tokenizer, tokenizer.convert_tokens_to_ids(blank)


def network(kind: str, blank: int, seed: int):
    """A tiny network with random weights, gains, biases and statistics."""
    import torch
    import transformers

    encoder = transformers.ParakeetEncoderConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        subsampling_conv_channels=8,
        attention_bias=kind == "ctc",
        convolution_bias=kind == "ctc",
        scale_input=kind == "ctc",
    )
    shape = {"vocab_size": blank + 1, "pad_token_id": blank, "encoder_config": encoder.to_dict()}
    if kind == "ctc":
        shape = transformers.ParakeetCTCConfig(**shape)
        model = transformers.ParakeetForCTC(shape)
    else:
        shape |= {"decoder_hidden_size": UNITS, "blank_token_id": blank}
        shape |= {"num_decoder_layers": 2}
        name = {"rnnt": "RNNT", "tdt": "TDT"}[kind]
        shape = getattr(transformers, f"Parakeet{name}Config")(**shape)
        model = getattr(transformers, f"ParakeetFor{name}")(shape)
    generator = torch.Generator().manual_seed(seed)

    def noise(values):
        return torch.randn(values.shape, generator=generator)

    with torch.no_grad():
        for name, values in model.named_parameters():
            if "norm" in name and name.endswith("weight"):
                values.copy_(1 + 0.2 * noise(values))
            elif name.endswith("bias") or "bias_" in name:
                values.copy_(0.2 * noise(values))
            elif values.ndim > 1:
                values.copy_(noise(values) / values[0].numel() ** 0.5)
        if kind != "ctc":  # as in NeMo, where nothing stands before the first label
            model.decoder.embedding.weight[blank] = 0.0
        for name, values in model.named_buffers():
            if name.endswith("running_mean"):
                values.copy_(0.2 * noise(values))
            elif name.endswith("running_var"):
                values.copy_(0.5 + torch.rand(values.shape, generator=generator))
    return model.eval()


def recordings(seconds: float, seed: int) -> list[np.ndarray]:
    """Two recordings of noise, of two lengths."""
    rng = np.random.default_rng(seed)
    counts = round(seconds * RATE), round(0.6 * seconds * RATE) + 57
    return [(3000 * rng.standard_normal(n).clip(-4, 4)).astype(np.int16) for n in counts]


def main() -> None:
    """Build, randomize, save, run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("archive", type=Path, help=".nemo, for its tokenizer")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    parser.add_argument("--seconds", type=float, default=0.9, help="of the longer recording")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    import torch
    from transformers import ParakeetFeatureExtractor, ParakeetProcessor

    tokenizer, blank = tokenizer_of(args.archive, args.kind)
    model = network(args.kind, blank, args.seed)
    extractor = ParakeetFeatureExtractor()
    model.save_pretrained(args.out)
    ParakeetProcessor(
        feature_extractor=extractor, tokenizer=tokenizer, decoder_type=args.kind
    ).save_pretrained(args.out)
    audio = recordings(args.seconds, args.seed)
    inputs = extractor(
        [row.astype(np.float32) / 32768 for row in audio], sampling_rate=RATE, return_tensors="pt"
    )
    samples = np.array([len(row) for row in audio])
    padded = np.zeros((2, samples.max()), np.int16)
    for row, values in zip(padded, audio, strict=True):
        row[: len(values)] = values
    found = {
        "text": np.array(TEXT),
        "ids": np.array(tokenizer(TEXT, add_special_tokens=False).input_ids),
        "audio": padded,
        "samples": samples,
        "features": inputs.input_features.numpy(),
        "lengths": inputs.attention_mask.sum(1).numpy(),
    }
    with torch.no_grad():
        if args.kind == "ctc":
            found["ctc"] = model(**inputs).logits.numpy()
        else:
            encoded = model.encoder(**inputs).last_hidden_state
            generator = torch.Generator().manual_seed(args.seed)
            labels = torch.randint(0, blank, (2, 4), generator=generator)
            before = torch.cat([torch.full((2, 1), blank), labels], dim=1)
            predicted = model.decoder(before)
            frames = model.encoder_projector(encoded)
            joint = model.joint.activation(frames[:, :, None] + predicted[:, None])
            found |= {"labels": labels.numpy(), "joint": model.joint.head(joint).numpy()}
    np.savez_compressed(args.out.with_name(args.out.name + ".npz"), **found)
    print(f"{args.out}: {sum(p.numel() for p in model.parameters()):,} parameters")


if __name__ == "__main__":
    main()
