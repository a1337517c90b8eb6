"""Transducers of NeMo in numpy, with what NeMo itself computed, from `make_nemo_transducers.py`."""

import functools
from pathlib import Path

import numpy as np

PATH = Path(__file__).parent / "data/nemo_transducers.npz"


@functools.cache
def _content():
    with np.load(PATH) as file:
        return dict(file)


def nemo(name):
    """The arrays of one case, `tdt_2/0` or `loss/sigma` for instance."""
    begin = f"{name}/"
    return {k.removeprefix(begin): v for k, v in _content().items() if k.startswith(begin)}


def _names():
    keys = (key.split("/") for key in _content())
    return sorted({"/".join(key[:2]) for key in keys if len(key) == 3 and key[0] != "loss"})


NAMES = _names()  # of networks
DURATIONS = tuple(_content()["durations"].tolist())
LENGTHS, LABELS = _content()["lengths"], _content()["labels"]


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


class NeMoSteps:
    """The `TransducerSteps` of a network of NeMo, with its own weights."""

    def __init__(self, case):
        self._case = case
        self.layers = sum("weight_hh" in key for key in case)
        self.relu = "relu" in str(case["activation"])
        self.blank = case["decoder.prediction.embed.weight"].shape[0] - 1
        classes = case["joint.joint_net.2.bias"].shape[0]
        self.durations = DURATIONS if classes > self.blank + 1 else ()
        self.units = case["decoder.prediction.dec_rnn.lstm.weight_hh_l0"].shape[1]

    def encode(self, encoded):
        return self._dense("joint.enc", encoded)

    def initial_state(self, rows):
        return tuple(np.zeros((rows, self.units), np.float32) for _ in range(2 * self.layers))

    def predict(self, labels, state):
        x, after = self._case["decoder.prediction.embed.weight"][labels], []
        for layer in range(self.layers):
            output, cell = state[2 * layer : 2 * layer + 2]
            lstm = f"decoder.prediction.dec_rnn.lstm.{{}}_l{layer}"
            own = {
                part: self._case[lstm.format(part)]
                for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            gates = x @ own["weight_ih"].T + output @ own["weight_hh"].T
            entered, kept, new, shown = np.split(
                gates + own["bias_ih"] + own["bias_hh"], 4, axis=-1
            )
            cell = _sigmoid(kept) * cell + _sigmoid(entered) * np.tanh(new)
            x = _sigmoid(shown) * np.tanh(cell)
            after += [x, cell]
        return self._dense("joint.pred", x), tuple(after)

    def join(self, encoded, predicted):
        hidden = encoded + predicted
        hidden = np.maximum(hidden, 0) if self.relu else np.tanh(hidden)
        return self._dense("joint.joint_net.2", hidden)

    def _dense(self, name, x):
        return x @ self._case[f"{name}.weight"].T + self._case[f"{name}.bias"]
