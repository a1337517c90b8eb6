"""Mixed precisions by name.

| name        | feed-forward | attention | convolution module, subsampling | output layer | rest |
|-------------|--------------|-----------|---------------------------------|--------------|------|
| `mixed_4_8` | w4a8         | w8a8      | w8a8                            | w8a8         | w8a8 |
| `two_bit`   | w2a8         | w2a8      | w4a8                            | w8a8         | w4a8 |

The rest are the prediction and joint networks of a transducer. Convolutions that are no dense
products, norms and biases stay float. `mixed_4_8` is after the large-scale system of Ding et al.
(2022), 4-bit and 8-bit weights and about a fifth of float32; which layers had which width there
is not known. `two_bit` is after Rybakov et al. (2023, arXiv 2305.16619), with three levels.
"""

from asr_qat.errors import UserError
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.quantize.precision import FLOAT, parse

MIXED_4_8 = QuantizationConfig("w8a8", overrides={"_ffn[12]_": "w4a8"})
TWO_BIT = QuantizationConfig(
    "w4a8", overrides={"_(ffn[12]|attention)_": "w2a8", "^(ctc_output|joint_output)$": "w8a8"}
)

POLICIES: dict[str, QuantizationConfig] = {"mixed_4_8": MIXED_4_8, "two_bit": TWO_BIT}


def named(name: str) -> QuantizationConfig | None:
    """The policy or the precision of every layer called `name`, None for `float`.

    Raises:
        UserError: neither a policy nor a precision.
    """
    if name in POLICIES:
        return POLICIES[name]
    try:
        parse(name)
    except UserError as error:
        raise UserError(", ".join([str(error), *POLICIES])) from None
    return None if name == FLOAT else QuantizationConfig(name)


def name_of(quantization: QuantizationConfig | None) -> str:
    """The name of the policy with the same precisions, else that of most layers."""
    if quantization is None:
        return FLOAT
    for name, policy in POLICIES.items():
        if (policy.precision, policy.overrides) == (quantization.precision, quantization.overrides):
            return name
    return quantization.precision
