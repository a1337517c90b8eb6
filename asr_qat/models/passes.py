"""The two passes of a live model: that of its causal encoder, and that behind the cascade."""

from typing import Literal

Pass = Literal["causal", "cascade"]
CAUSAL: Pass = "causal"
CASCADE: Pass = "cascade"
PASSES: tuple[Pass, ...] = (CAUSAL, CASCADE)

# The layers that each pass has of its own behind its encoder.
JOINT_LAYERS = {CAUSAL: "joint_encoder", CASCADE: "joint_cascade"}
CTC_HEADS = {CAUSAL: "ctc_output", CASCADE: "ctc_cascade"}  # of the training alone
