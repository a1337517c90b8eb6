"""Makes `tests/data/nemo_transducers.npz`: random transducers of NeMo, and what it does with them.

    python tests/make_nemo_transducers.py    # in an environment with nemo_toolkit[asr]==3.0.0

Networks of one and two LSTMs, with durations (TDT) and without, with the weights by NeMo's own
names; their joint logits, greedy and beam search; losses of random logits with their gradients.
"""

from pathlib import Path

import numpy as np
import torch
from nemo.collections.asr.losses.rnnt_pytorch import TDTLossPytorch
from nemo.collections.asr.modules.rnnt import RNNTDecoder, RNNTJoint
from nemo.collections.asr.parts.submodules.rnnt_greedy_decoding import (
    GreedyBatchedRNNTInfer,
    GreedyBatchedTDTInfer,
)
from nemo.collections.asr.parts.submodules.tdt_beam_decoding import BeamTDTInfer

VOCABULARY, ENCODER, PREDICTION, JOINT = 5, 4, 6, 8
DURATIONS = [0, 1, 2, 4]
LENGTHS = [11, 7, 1, 9]
LABELS = [3, 0, 0, 4, 1]
CAPS = (1, 2, 10)  # labels of one frame, at most
BEAM = 4
SEEDS = range(4)
NETWORKS = {  # LSTMs, activation of the joint network, durations
    "rnnt_1": (1, "tanh", []),
    "rnnt_2": (2, "relu", []),
    "tdt_1": (1, "relu", DURATIONS),
    "tdt_2": (2, "tanh", DURATIONS),
}
LOSSES = {"even": 0.0, "sigma": 0.05}


def networks(layers, activation, durations):
    """Decoder and joint network, with weights large enough that they emit something."""
    prednet = {"pred_hidden": PREDICTION, "pred_rnn_layers": layers, "t_max": None, "dropout": 0.1}
    decoder = RNNTDecoder(prednet, VOCABULARY, blank_as_pad=True)
    jointnet = {
        "encoder_hidden": ENCODER, "pred_hidden": PREDICTION, "joint_hidden": JOINT,
        "activation": activation, "dropout": 0.1,
    }  # fmt: skip
    joint = RNNTJoint(jointnet, VOCABULARY, num_extra_outputs=len(durations))
    with torch.no_grad():
        for parameter in [*decoder.parameters(), *joint.parameters()]:
            parameter.normal_(0.0, 0.8)
        decoder.prediction["embed"].weight[VOCABULARY] = 0.0  # of the blank, as NeMo makes it
        if durations:  # NeMo's beam search of a TDT has no cap: it must leave a frame by itself
            joint.joint_net[-1].bias[VOCABULARY + 1] -= 3.0
    return decoder.eval(), joint.eval()


def ragged(rows):
    """Rows of tokens as one array, padded with -1."""
    rows = [list(map(int, row)) for row in rows]
    found = np.full((len(rows), max(map(len, rows), default=0)), -1, np.int32)
    for row, tokens in zip(found, rows, strict=True):
        row[: len(tokens)] = tokens
    return found


def searches(decoder, joint, durations, encoded, lengths):
    """Greedy tokens by cap, and the best of a beam."""
    found = {}
    for cap in CAPS:
        kind = GreedyBatchedTDTInfer if durations else GreedyBatchedRNNTInfer
        more = {"durations": durations} if durations else {}
        search = kind(
            decoder,
            joint,
            VOCABULARY,
            max_symbols_per_step=cap,
            use_cuda_graph_decoder=False,
            **more,
        )
        (hypotheses,) = search(encoder_output=encoded, encoded_lengths=lengths)
        found[f"greedy_{cap}"] = ragged(h.y_sequence for h in hypotheses)
    if durations:
        search = BeamTDTInfer(
            decoder, joint, durations, BEAM, score_norm=False, return_best_hypothesis=False
        )
        (lists,) = search(encoder_output=encoded, encoded_lengths=lengths)
        best = [nbest.n_best_hypotheses[0] for nbest in lists]
        found["beam_tokens"] = ragged(h.y_sequence for h in best)
        found["beam_scores"] = np.array([float(h.score) for h in best], np.float32)
    return found


def network_case(seed, layers, activation, durations):
    """Weights, inputs and everything that NeMo makes of them."""
    torch.manual_seed(seed)
    decoder, joint = networks(layers, activation, durations)
    encoded = 1.5 * torch.randn(len(LENGTHS), ENCODER, max(LENGTHS))
    lengths = torch.tensor(LENGTHS)
    predicted, _, _ = decoder(targets=torch.tensor([LABELS]), target_length=torch.tensor([5]))
    joint.log_softmax = False
    logits = joint.joint(encoded[:1].transpose(1, 2), predicted.transpose(1, 2))
    weights = {
        **{f"decoder.{name}": value.numpy() for name, value in decoder.state_dict().items()},
        **{f"joint.{name}": value.numpy() for name, value in joint.state_dict().items()},
    }
    return {
        **weights,
        "activation": np.array(activation),
        "encoded": encoded.transpose(1, 2).numpy(),
        "logits": logits.numpy(),
        **searches(decoder, joint, durations, encoded, lengths),
    }


def loss_case(sigma):
    """Random logits, NeMo's losses of them and their gradient."""
    torch.manual_seed(7)
    logits = torch.randn(3, 8, 5, VOCABULARY + 1 + len(DURATIONS), requires_grad=True)
    labels = torch.randint(0, VOCABULARY, (3, 4))
    frames, counts = torch.tensor([8, 5, 3]), torch.tensor([4, 2, 0])
    loss = TDTLossPytorch(VOCABULARY, DURATIONS, reduction="none", sigma=sigma)
    losses = loss(acts=logits, labels=labels, act_lens=frames, label_lens=counts)
    losses.sum().backward()
    return {
        "logits": logits.detach().numpy(),
        "labels": labels.numpy(),
        "frames": frames.numpy(),
        "counts": counts.numpy(),
        "losses": losses.detach().numpy(),
        "gradient": logits.grad.numpy(),
    }


def main():
    """Write the file."""
    torch.Tensor.cuda = lambda self: self  # NeMo's reference loss asks for a graphics card
    content = {}
    for name, shape in NETWORKS.items():
        for seed in SEEDS:
            with torch.no_grad():
                case = network_case(seed, *shape)
            content |= {f"{name}/{seed}/{key}": value for key, value in case.items()}
    for name, sigma in LOSSES.items():
        content |= {f"loss/{name}/{key}": value for key, value in loss_case(sigma).items()}
    constants = {"durations": DURATIONS, "lengths": LENGTHS, "labels": LABELS}
    content |= {key: np.array(value, np.int32) for key, value in constants.items()}
    np.savez_compressed(Path(__file__).parent / "data/nemo_transducers.npz", **content)


if __name__ == "__main__":
    main()
