"""Train a small Conformer on CMU AN4 with NeMo: the checkpoints of `tests/data/nemo`.

Runs in NeMo's environment, on a CPU:

    pip install torch==2.13.0 "nemo_toolkit[asr]==3.0.0"
    python experiments/pretrained/nemo_train.py conformer_ctc --an4 an4 --out work/nemo_ctc

`--an4` is the unpacked `an4_sphere.tar.gz`. A first stage on other speech, whose manifest
`--first-stage` names, gives the network what 50 minutes of spelled letters cannot. A stage goes on
from the last checkpoint in its folder.

The loss of a transducer is slow on a CPU. A hybrid starts from the encoder and the CTC head of a
CTC model, `fastconformer_ctc`, that `--init` names.
"""

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import lightning.pytorch as lightning
import nemo.collections.asr as nemo_asr
import sentencepiece
import soundfile
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from omegaconf import OmegaConf, open_dict

SAMPLE_RATE = 16000
VOCABULARY = 128
SEED = 0
PEAK, WARM_UP = 2e-3, 300  # learning rate, steps

# Small enough to be kept in a repository: about a million parameters.
ENCODER = {
    "_target_": "nemo.collections.asr.modules.ConformerEncoder",
    "feat_in": 80,
    "feat_out": -1,
    "n_layers": 6,
    "d_model": 80,
    "subsampling": "striding",
    "subsampling_factor": 4,
    "subsampling_conv_channels": 40,
    "ff_expansion_factor": 4,
    "self_attention_model": "rel_pos",
    "n_heads": 4,
    # Attention over the whole utterance learns the transcripts of an hour of speech by heart.
    "att_context_size": [16, 16],
    "xscaling": True,
    "untie_biases": True,
    "pos_emb_max_len": 5000,
    "conv_kernel_size": 15,
    "conv_norm_type": "batch_norm",
    "dropout": 0.1,
    "dropout_emb": 0.0,
    "dropout_att": 0.1,
}
FAST_ENCODER = {
    **ENCODER,
    "subsampling": "dw_striding",
    "subsampling_factor": 8,
    "subsampling_conv_channels": 64,
    "causal_downsampling": False,
    "att_context_size": [8, 8],
    "xscaling": False,
    "conv_kernel_size": 9,
}
PREPROCESSOR = {
    "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
    "sample_rate": SAMPLE_RATE,
    "normalize": "per_feature",
    "window_size": 0.025,
    "window_stride": 0.01,
    "window": "hann",
    "features": 80,
    "n_fft": 512,
    "frame_splicing": 1,
    "dither": 1e-5,
    "pad_to": 0,
}
SPEC_AUGMENT = {
    "_target_": "nemo.collections.asr.modules.SpectrogramAugmentation",
    "freq_masks": 2,
    "time_masks": 5,
    "freq_width": 27,
    "time_width": 0.05,
}
CTC_DECODER: dict[str, Any] = {
    "_target_": "nemo.collections.asr.modules.ConvASRDecoder",
    "feat_in": None,
    "num_classes": -1,
    "vocabulary": [],
}
TRANSDUCER = {
    "model_defaults": {"enc_hidden": 80, "pred_hidden": 80, "joint_hidden": 80},
    "decoder": {
        "_target_": "nemo.collections.asr.modules.RNNTDecoder",
        "normalization_mode": None,
        "random_state_sampling": False,
        "blank_as_pad": True,
        "prednet": {"pred_hidden": 80, "pred_rnn_layers": 1, "t_max": None, "dropout": 0.2},
    },
    "joint": {
        "_target_": "nemo.collections.asr.modules.RNNTJoint",
        "log_softmax": None,
        "preserve_memory": False,
        "fuse_loss_wer": False,
        "jointnet": {"joint_hidden": 80, "activation": "relu", "dropout": 0.2},
    },
    "decoding": {"strategy": "greedy_batch", "greedy": {"max_symbols": 10}},
    "loss": {
        "loss_name": "default",
        "warprnnt_numba_kwargs": {"fastemit_lambda": 0.0, "clamp": -1.0},
    },
    "aux_ctc": {
        "ctc_loss_weight": 0.3,
        "use_cer": False,
        "ctc_reduction": "mean_batch",
        "decoder": CTC_DECODER,
        "decoding": {"strategy": "greedy"},
    },
}
MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "conformer_ctc": (
        nemo_asr.models.EncDecCTCModelBPE,
        {"encoder": ENCODER, "decoder": CTC_DECODER, "ctc_reduction": "mean_batch"},
    ),
    "fastconformer_ctc": (
        nemo_asr.models.EncDecCTCModelBPE,
        {"encoder": FAST_ENCODER, "decoder": CTC_DECODER, "ctc_reduction": "mean_batch"},
    ),
    "fastconformer_hybrid": (
        nemo_asr.models.EncDecHybridRNNTCTCBPEModel,
        {"encoder": FAST_ENCODER, **TRANSDUCER},
    ),
}


def an4_manifest(an4: Path, split: str, out: Path) -> Path:
    """Write a NeMo manifest and the audio as WAV of a split, `train` or `test`."""
    path = out / f"an4_{split}.jsonl"
    lines = []
    for line in (an4 / f"etc/an4_{split}.transcription").read_text().strip().split("\n"):
        match = re.fullmatch(r"(?:<s> )?(.*?)(?: </s>)? \((\S+)\)", line.strip())
        if match is None:
            raise SystemExit(f"{an4}: unexpected transcription {line!r}")
        text, name = match.groups()
        (source,) = (an4 / "wav").rglob(f"{name}.sph")
        target = out / f"wav/{name}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        audio, rate = soundfile.read(source, dtype="int16")
        soundfile.write(target, audio, rate)
        seconds = len(audio) / rate
        entry = {"audio_filepath": str(target.resolve()), "duration": seconds}
        lines.append(json.dumps({**entry, "text": text.lower()}))
    path.write_text("\n".join(lines) + "\n")
    return path


def train_tokenizer(manifest: Path, folder: Path) -> None:
    """A vocabulary of the transcripts, where NeMo looks for it."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = [json.loads(line)["text"] for line in manifest.read_text().strip().split("\n")]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=VOCABULARY,
        model_type="bpe",
        character_coverage=1.0,
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    pieces = [processor.id_to_piece(index) for index in range(processor.get_piece_size())]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")


def build(kind: str, tokenizer: Path):
    """A new network."""
    cls, parts = MODELS[kind]
    config = {
        "sample_rate": SAMPLE_RATE,
        "log_prediction": False,
        "compute_eval_loss": False,
        "skip_nan_grad": False,
        "tokenizer": {"dir": str(tokenizer), "type": "bpe"},
        "preprocessor": PREPROCESSOR,
        "spec_augment": SPEC_AUGMENT,
        **parts,
    }
    return cls(cfg=OmegaConf.create(config))


def take_over(model, path: Path) -> None:
    """Give a hybrid the encoder and the CTC head of a CTC model with the same tokenizer."""
    trained = nemo_asr.models.ASRModel.restore_from(str(path), map_location="cpu")
    model.encoder.load_state_dict(trained.encoder.state_dict())
    model.ctc_decoder.load_state_dict(trained.decoder.state_dict())


def fit(model, manifest: Path, steps: int, batch: int, folder: Path) -> None:
    """One stage: `steps` batches of a manifest."""
    model.setup_training_data(
        {
            "manifest_filepath": str(manifest),
            "sample_rate": SAMPLE_RATE,
            "batch_size": batch,
            "shuffle": True,
            "num_workers": 0,
            "max_duration": 16.7,
            "min_duration": 0.1,
        }
    )
    schedule = {
        "name": "CosineAnnealing",
        "warmup_steps": min(WARM_UP, steps // 5),
        "min_lr": 1e-5,
        "max_steps": steps,
    }
    optimizer = {"name": "adamw", "lr": PEAK, "betas": [0.9, 0.98], "weight_decay": 1e-3}
    with open_dict(model.cfg):  # the trainer has the model make its optimizer from there
        model.cfg.optim = {**optimizer, "sched": schedule}
    save = ModelCheckpoint(dirpath=folder, every_n_train_steps=100, save_top_k=1, save_last=True)
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_steps=steps,
        gradient_clip_val=1.0,
        callbacks=[save],
        logger=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
    )
    model.set_trainer(trainer)
    before = folder / "last.ckpt"
    trainer.fit(model, ckpt_path=before if before.exists() else None)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=MODELS)
    parser.add_argument("--an4", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first-stage", type=Path, metavar="MANIFEST")
    parser.add_argument("--init", type=Path, metavar="NEMO", help="of a hybrid: a CTC model")
    parser.add_argument("--first-steps", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    lightning.seed_everything(SEED)
    args.out.mkdir(parents=True, exist_ok=True)
    manifest = an4_manifest(args.an4, "train", args.out)
    an4_manifest(args.an4, "test", args.out)
    train_tokenizer(args.first_stage or manifest, args.out / "tokenizer")
    model = build(args.kind, args.out / "tokenizer")
    if args.init:
        take_over(model, args.init)
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    if args.first_stage:
        fit(model, args.first_stage, args.first_steps, args.batch, args.out / "first")
    fit(model, manifest, args.steps, args.batch, args.out / "second")
    model.save_to(str(args.out / f"{args.kind}.nemo"))


if __name__ == "__main__":
    main()
