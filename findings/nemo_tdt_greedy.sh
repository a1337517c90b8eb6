#!/usr/bin/env bash
# Do the two greedy searches of NeMo's TDT models agree? nemo_toolkit 3.0.0, torch 2.13.0, CPU.
#
# Random networks, four utterances each; `max_symbols` labels at most from one frame. Seen: in how
# many of six networks the texts of `greedy` (GreedyTDTInfer) and of `greedy_batch`
# (GreedyBatchedTDTInfer, the default) differ
#
#   max_symbols   networks
#   1             5
#   2             1
#   10            0
#
# When the last label that a frame may have comes with a duration above 0, `greedy` goes on by the
# duration and then by one frame more (`if symbols_added == self.max_symbols: time_idx += 1`);
# `greedy_batch` by the duration alone. And `greedy` counts blanks of duration 0 as labels, where
# `greedy_batch` goes on by one frame at once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.13.0 "nemo_toolkit[asr]==3.0.0"
cat >"$folder/greedy.py" <<'PYTHON'
import torch
from nemo.collections.asr.modules.rnnt import RNNTDecoder, RNNTJoint
from nemo.collections.asr.parts.submodules.rnnt_greedy_decoding import (
    GreedyBatchedTDTInfer,
    GreedyTDTInfer,
)

VOCABULARY, DURATIONS, LENGTHS = 5, [0, 1, 2, 4], [11, 7, 1, 9]


def networks():
    prednet = {"pred_hidden": 6, "pred_rnn_layers": 1, "t_max": None, "dropout": 0.1}
    jointnet = {
        "encoder_hidden": 4, "pred_hidden": 6, "joint_hidden": 8, "activation": "relu",
        "dropout": 0.1,
    }
    decoder = RNNTDecoder(prednet, VOCABULARY, blank_as_pad=True)
    joint = RNNTJoint(jointnet, VOCABULARY, num_extra_outputs=len(DURATIONS))
    for parameter in [*decoder.parameters(), *joint.parameters()]:
        parameter.normal_(0.0, 0.8)
    decoder.prediction["embed"].weight[VOCABULARY] = 0.0
    return decoder.eval(), joint.eval()


def texts(kind, parts, encoded, cap, **more):
    search = kind(*parts, VOCABULARY, durations=DURATIONS, max_symbols_per_step=cap, **more)
    (found,) = search(encoder_output=encoded, encoded_lengths=torch.tensor(LENGTHS))
    return [list(map(int, hypothesis.y_sequence)) for hypothesis in found]


print("max_symbols   networks")
for cap in (1, 2, 10):
    differ = 0
    for seed in range(6):
        torch.manual_seed(seed)
        with torch.no_grad():
            parts, encoded = networks(), 1.5 * torch.randn(4, 4, max(LENGTHS))
        one = texts(GreedyTDTInfer, parts, encoded, cap)
        differ += one != texts(
            GreedyBatchedTDTInfer, parts, encoded, cap, use_cuda_graph_decoder=False
        )
    print(f"{cap:<13} {differ}")
PYTHON
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/greedy.py" 2>/dev/null
