"""Mixed precisions by name.

| name          | feed-forward | attention | convolution module, subsampling | output layer | rest |
|---------------|--------------|-----------|---------------------------------|--------------|------|
| `mixed_4_8`   | w4a8         | w8a8      | w8a8                            | w8a8         | w8a8 |
| `two_bit`     | w2a8         | w2a8      | w4a8                            | w8a8         | w4a8 |
| `two_bit_all` | w2a8         | w2a8      | w2a8                            | w8a8         | w2a8 |
| `ternary`     | learned w2a8 | the same  | the same, depthwise ones w8     | the same     | same |

The rest are the prediction and joint networks of a transducer. A full convolution of the
subsampling has 8-bit weights; its first convolution, norms and biases stay float, and depthwise
convolutions but for `ternary`: there they are held in 8 bits, and LiteRT makes floats of them when
the file is loaded, which saves bytes and no time.
`mixed_4_8` is after the large-scale system of Ding et al. (2022), 4-bit and 8-bit weights and about
a fifth of float32; which layers had which width there is not known. `two_bit` is after Rybakov et
al. (2023, arXiv 2305.16619), with three levels. `two_bit_all` is what the L transducer needs to be
more than 14 times smaller than its float32 file as a whole: its embedding, LSTM, joint network and
pointwise convolutions are a fifth of the weights. The output layer stays at 8 bits, which costs
0.5 MB of the 33.

Other mixtures are overrides of a `QuantizationConfig`. The first and last of six blocks at 8 bits:
`{precision: w4a8, overrides: {"^block_0[05]_": w8a8}}`. `asr-qat assign` finds them by itself.
"""

import dataclasses

from asr_qat.errors import UserError
from asr_qat.quantize.precision import parse


@dataclasses.dataclass(frozen=True)
class Policy:
    """Precisions by layer.

    Attributes:
        precision: of every layer that no pattern matches.
        overrides: precision by regular expression on the layer's name.
    """

    precision: str
    overrides: dict[str, str]


POLICIES: dict[str, Policy] = {
    "mixed_4_8": Policy("w8a8", {"_ffn[12]_": "w4a8"}),
    "two_bit": Policy(
        "w4a8", {"_(ffn[12]|attention)_": "w2a8", "^(ctc_output|joint_output)$": "w8a8"}
    ),
    "two_bit_all": Policy("w2a8", {"^(ctc_output|joint_output)$": "w8a8"}),
    "ternary": Policy("w2a8-learned", {"_depthwise(_\\d+)?$": "w8"}),
}


def policy(name: str) -> Policy:
    """The policy called `name`, or one precision for all layers.

    Raises:
        UserError: neither a policy nor a precision.
    """
    if name in POLICIES:
        return POLICIES[name]
    try:
        parse(name)
    except UserError as error:
        raise UserError(", ".join([str(error), *POLICIES])) from None
    return Policy(name, {})
