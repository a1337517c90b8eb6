"""What a file may ask for at most: far above all that was published, far below what does harm.

Bounds of a single part stand beside it, in `asr_qat.models.encoder_config` for instance.
"""

from asr_qat.errors import require

MOST_RATE = 768_000  # samples per second, of the fastest converters
MOST_MEL_BINS = 1024
MOST_WINDOW = 1 << 16  # samples
LEAST_LOG_FLOOR, MOST_LOG_FLOOR = 1e-30, 1.0  # of energies of samples from -1 to 1
# Of natural logarithms of energies: their mean is within tens, their deviation some units.
MOST_MEAN = 1e6
LEAST_STD, MOST_STD = 1e-5, 1e6  # files hold five decimals
MOST_SEED = (1 << 31) - 1
MOST_STEPS = 10**9  # of a training


def require_within(name: str, value: float, least: float, most: float) -> None:
    """Raise `UserError`, which `name` begins, unless `value` is from `least` to `most`."""
    require(value >= least, f"{name}: {value} is less than {least}")
    require(value <= most, f"{name}: {value} is more than {most:,}")
