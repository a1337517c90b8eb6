"""Makes a NeMo checkpoint with random weights, and what NeMo computes with it.

    python experiments/pretrained/nemo_reference.py hybrid tiny --out work/hybrid_tiny

It runs in an environment of its own (`pip install torch==2.13.0 "nemo_toolkit[asr]==3.0.0"`),
which has neither TensorFlow nor this package. It writes OUT.nemo and OUT.npz:

    audio     int16 `[2, samples]`, noise of two lengths, the shorter one padded with zeros
    samples   int64 `[2]`, lengths of the audio
    features  float32 `[2, time, mel_bins]`, what NeMo's preprocessor makes of the audio
    lengths   int64 `[2]`, feature frames
    frames    int64 `[2]`, encoded frames
    ctc       float32 `[2, frames, classes]`, logits of the CTC head, where there is one
    labels    int64 `[2, labels]`, and
    joint     float32 `[2, frames, 1 + labels, classes]`, logits of a transducer for them

Weights, gains, offsets and the statistics of batch normalisations are random, so that none of
them can be left out or mistaken for another unseen.
"""

import argparse
import gzip
import os
import tempfile
from pathlib import Path

import numpy as np

os.environ.setdefault("HF_HUB_OFFLINE", "1")

RATE = 16000
KINDS = ("ctc", "fastconformer-ctc", "local-ctc", "hybrid", "rnnt", "fastconformer-rnnt", "tdt")
# Blocks, channels, heads, channels of the subsampling, word pieces: of Conformer as in NeMo's
# recipes, of FastConformer and TDT as in the published networks.
SIZES = {
    "ctc": {
        "tiny": (2, 16, 2, 8, 30),
        "small": (16, 176, 4, 176, 1024),
        "medium": (18, 256, 4, 256, 1024),
        "large": (18, 512, 8, 512, 1024),
    },
    "fastconformer-ctc": {
        "tiny": (2, 16, 2, 8, 30),
        "large": (17, 512, 8, 256, 1024),
        "xlarge": (24, 1024, 8, 256, 1024),
        "xxlarge": (42, 1024, 8, 256, 1024),
    },
    "local-ctc": {"tiny": (2, 16, 2, 8, 30)},
    "hybrid": {"tiny": (1, 16, 2, 8, 30), "110m": (17, 512, 8, 256, 1024)},
    "rnnt": {"tiny": (1, 16, 2, 8, 30), "large": (17, 512, 8, 512, 1024)},
    "fastconformer-rnnt": {"tiny": (1, 16, 2, 8, 30), "large": (17, 512, 8, 256, 1024)},
    "tdt": {"tiny": (1, 16, 2, 8, 30), "0.6b": (24, 1024, 8, 256, 1024)},
}
DURATIONS = [0, 1, 2, 3, 4]


def configuration(kind: str, size: str, tokenizer: Path) -> dict:
    """NeMo's configuration of a network."""
    blocks, dim, heads, channels, _ = SIZES[kind][size]
    tiny = size == "tiny"
    fast = kind not in ("ctc", "rnnt")
    large_tdt = kind == "tdt"
    bins = 128 if large_tdt and not tiny else 80
    encoder = {
        "_target_": "nemo.collections.asr.modules.ConformerEncoder",
        "feat_in": bins,
        "feat_out": -1,
        "n_layers": blocks,
        "d_model": dim,
        "use_bias": not large_tdt,
        "subsampling": "dw_striding" if fast else "striding",
        "subsampling_factor": 8 if fast else 4,
        "subsampling_conv_channels": channels,
        "causal_downsampling": False,
        "ff_expansion_factor": 4,
        "self_attention_model": "rel_pos",
        "n_heads": heads,
        "att_context_size": [-1, -1],
        "att_context_style": "regular",
        "xscaling": not large_tdt,
        "untie_biases": True,
        "pos_emb_max_len": 5000,
        "conv_kernel_size": 9 if fast else 31,
        "conv_norm_type": "batch_norm",
        "conv_context_size": None,
        "dropout": 0.1,
        "dropout_pre_encoder": 0.1,
        "dropout_emb": 0.0,
        "dropout_att": 0.1,
        "stochastic_depth_drop_prob": 0.0,
        "stochastic_depth_mode": "linear",
        "stochastic_depth_start_layer": 1,
    }
    if kind == "local-ctc":
        encoder |= {
            "self_attention_model": "rel_pos_local_attn",
            "att_context_size": [3, 3],
            "global_tokens": 0,
            "global_tokens_spacing": 1,
            "global_attn_separate": False,
        }
    config: dict[str, object] = {
        "sample_rate": RATE,
        "log_prediction": False,
        "ctc_reduction": "mean_batch",
        "skip_nan_grad": False,
        "tokenizer": {"dir": str(tokenizer), "type": "bpe"},
        "preprocessor": {
            "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
            "sample_rate": RATE,
            "normalize": "per_feature",
            "window_size": 0.025,
            "window_stride": 0.01,
            "window": "hann",
            "features": bins,
            "n_fft": 512,
            "log": True,
            "frame_splicing": 1,
            "dither": 1e-5,
            "pad_to": 0,
            "pad_value": 0.0,
        },
        "spec_augment": {
            "_target_": "nemo.collections.asr.modules.SpectrogramAugmentation",
            "freq_masks": 2,
            "time_masks": 2,
            "freq_width": 27,
            "time_width": 0.05,
        },
        "encoder": encoder,
        "optim": {"name": "adamw", "lr": 1e-3},
    }
    ctc_head: dict[str, object] = {
        "_target_": "nemo.collections.asr.modules.ConvASRDecoder",
        "feat_in": None,
        "num_classes": -1,
        "vocabulary": [],
    }
    if kind.endswith("ctc"):
        return config | {"decoder": ctc_head}
    units = 8 if tiny else 640
    layers = 2 if large_tdt else 1
    durations = DURATIONS if kind in ("tdt", "hybrid") else []
    config |= {
        "compute_eval_loss": False,
        "model_defaults": {
            "enc_hidden": dim,
            "pred_hidden": units,
            "joint_hidden": units,
            **({"tdt_durations": durations, "num_tdt_durations": 5} if durations else {}),
        },
        "decoder": {
            "_target_": "nemo.collections.asr.modules.RNNTDecoder",
            "normalization_mode": None,
            "random_state_sampling": False,
            "blank_as_pad": True,
            "prednet": {
                "pred_hidden": units,
                "pred_rnn_layers": layers,
                "t_max": None,
                "dropout": 0.2,
            },
        },
        "joint": {
            "_target_": "nemo.collections.asr.modules.RNNTJoint",
            "log_softmax": None,
            "preserve_memory": False,
            "fuse_loss_wer": False,
            "jointnet": {"joint_hidden": units, "activation": "relu", "dropout": 0.2},
            **({"num_extra_outputs": len(durations)} if durations else {}),
        },
        "decoding": {"strategy": "greedy_batch", "greedy": {"max_symbols": 10}},
        "loss": {"loss_name": "default", "warprnnt_numba_kwargs": {"fastemit_lambda": 0.0}},
    }
    if durations:
        config["decoding"] = {
            "strategy": "greedy_batch",
            "model_type": "tdt",
            "durations": durations,
            "greedy": {"max_symbols": 10},
        }
        config["loss"] = {
            "loss_name": "tdt",
            "tdt_kwargs": {"durations": durations, "sigma": 0.02, "omega": 0.1},
        }
    if kind == "hybrid":
        config["aux_ctc"] = {"ctc_loss_weight": 0.3, "use_cer": False, "decoder": ctc_head}
    return config


def write_tokenizer(folder: Path, pieces: int) -> None:
    """A SentencePiece model of so many pieces: letters, then pairs of them, words and not."""
    from sentencepiece import sentencepiece_model_pb2 as proto

    letters = "abcdefghijklmnopqrstuvwxyz'"
    names = ["▁", *letters, *(f"▁{a}" for a in letters)]
    names += [start + a + b for a in letters for b in letters for start in ("▁", "")]
    model = proto.ModelProto()
    model.trainer_spec.model_type = proto.TrainerSpec.UNIGRAM
    model.trainer_spec.unk_id, model.trainer_spec.bos_id = 0, -1
    model.trainer_spec.eos_id, model.trainer_spec.pad_id = -1, -1
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    kind = proto.ModelProto.SentencePiece
    model.pieces.append(kind(piece="<unk>", score=0.0, type=kind.UNKNOWN))
    for index, name in enumerate(names[: pieces - 1]):
        model.pieces.append(kind(piece=name, score=-float(index), type=kind.NORMAL))
    assert len(model.pieces) == pieces
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    found = [piece.piece for piece in model.pieces]
    (folder / "vocab.txt").write_text("\n".join(found) + "\n", encoding="utf-8")


def randomize(model, seed: int) -> None:
    """Random gains, offsets, biases and statistics; weights stay as NeMo draws them."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def noise(values):
        return torch.randn(values.shape, generator=generator)

    with torch.no_grad():
        for name, values in model.named_parameters():
            if "norm" in name and name.endswith("weight"):
                values.copy_(1 + 0.2 * noise(values))
            elif name.endswith("bias") or "bias_" in name:
                values.copy_(0.2 * noise(values))
        for name, values in model.named_buffers():
            if name.endswith("running_mean"):
                values.copy_(0.2 * noise(values))
            elif name.endswith("running_var"):
                values.copy_(0.5 + torch.rand(values.shape, generator=generator))


def recordings(seconds: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two recordings of noise that swells and fades, and their lengths in samples."""
    rng = np.random.default_rng(seed)
    samples = np.array([round(seconds * RATE), round(0.6 * seconds * RATE) + 57])
    audio = np.zeros((2, samples[0]), np.int16)
    for row, count in zip(audio, samples, strict=True):
        loudness = 3000 * (1 + np.sin(np.arange(count) * 9 / RATE))
        row[:count] = loudness * rng.standard_normal(count).clip(-4, 4)
    return audio, samples


def outputs(model, kind: str, audio: np.ndarray, samples: np.ndarray, seed: int) -> dict:
    """What NeMo computes with the audio, see above."""
    import torch

    signal = torch.tensor(audio.astype(np.float32) / 32768)
    with torch.no_grad():
        features, lengths = model.preprocessor(input_signal=signal, length=torch.tensor(samples))
        encoded, frames = model.encoder(audio_signal=features, length=lengths)
        found = {
            "audio": audio,
            "samples": samples,
            "features": features.transpose(1, 2).numpy(),
            "lengths": lengths.numpy(),
            "frames": frames.numpy(),
        }
        head = model.decoder if kind.endswith("ctc") else getattr(model, "ctc_decoder", None)
        if head is not None:
            found["ctc"] = head.decoder_layers(encoded).transpose(1, 2).numpy()
        if not kind.endswith("ctc"):
            generator = torch.Generator().manual_seed(seed)
            count = model.tokenizer.tokenizer.get_piece_size()
            labels = torch.randint(0, count, (2, 4), generator=generator)
            predicted, _, _ = model.decoder(targets=labels, target_length=torch.tensor([4, 4]))
            model.joint.log_softmax = False
            joint = model.joint.joint(encoded.transpose(1, 2), predicted.transpose(1, 2))
            found |= {"labels": labels.numpy(), "joint": joint.numpy()}
    return found


def main() -> None:
    """Build, randomize, save, run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument(
        "size", help="tiny, or " + "; ".join(f"{k}: {', '.join(v)}" for k, v in SIZES.items())
    )
    parser.add_argument("--out", type=Path, required=True, help="path without ending")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the longer recording")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gzip", action="store_true", help="as older versions of NeMo wrote it")
    args = parser.parse_args()
    if args.size not in SIZES[args.kind]:
        parser.error(f"{args.kind} has the sizes {', '.join(SIZES[args.kind])}")

    import torch
    from nemo.collections.asr import models
    from omegaconf import OmegaConf

    target = {
        "ctc": models.EncDecCTCModelBPE,
        "hybrid": models.EncDecHybridRNNTCTCBPEModel,
    }.get(args.kind.rpartition("-")[2], models.EncDecRNNTBPEModel)
    torch.manual_seed(args.seed)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = Path(folder) / "tokenizer"
        write_tokenizer(tokenizer, SIZES[args.kind][args.size][-1])
        config = OmegaConf.create(configuration(args.kind, args.size, tokenizer))
        model = target(cfg=config).eval()
        randomize(model, args.seed + 1)
        archive = args.out.with_name(args.out.name + ".nemo")
        model.save_to(str(archive))
        if args.gzip:
            archive.write_bytes(gzip.compress(archive.read_bytes(), mtime=0))
        audio, samples = recordings(args.seconds, args.seed)
        found = outputs(model, args.kind, audio, samples, args.seed)
    np.savez_compressed(args.out.with_name(args.out.name + ".npz"), **found)
    count = sum(values.numel() for values in model.parameters())
    print(f"{args.out}: {count:,} parameters, features {found['features'].shape}")


if __name__ == "__main__":
    main()
