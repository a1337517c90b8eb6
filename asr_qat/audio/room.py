"""How speech sounds in a room: impulse responses of boxes by the image method, in numpy.

Allen and Berkley, "Image method for efficiently simulating small-room acoustics", Journal of the
Acoustical Society of America 65(4), 1979: a wall is a mirror, so that the sound of a source comes
from all its mirror images, each weaker by its distance and by the walls in between.
"""

import math

import numpy as np

SOUND_M_S = 343.0  # speed of sound, m/s, at 20 degrees Celsius
DECAY_DB = 60.0  # within the reverberation time RT60
HIGH_PASS_HZ = 100.0
FITTED_DB = (-5.0, -25.0)  # part of the decay that is measured: T20 of ISO 3382-1


def impulse_response(
    size: np.ndarray,
    source: np.ndarray,
    microphone: np.ndarray,
    reflection: float,
    seconds: float,
    sample_rate: int,
) -> np.ndarray:
    """The response of a box to an impulse, each image at the sample that is nearest in time.

    Args:
        size: metres, `[3]`.
        source: place of the source, metres, `[3]`.
        microphone: place of the microphone, metres, `[3]`.
        reflection: amplitude that each wall reflects, from 0 to below 1.
        seconds: of the response.
        sample_rate: samples per second.

    Returns:
        float64 `[samples]`; sound over one metre has the amplitude 1.
    """
    reach = SOUND_M_S * seconds
    samples = round(seconds * sample_rate)
    # An image's coordinates, and its reflections, along each axis; all combinations are images.
    (x, x_walls), (y, y_walls), (z, z_walls) = (
        _images(*axis, reach) for axis in zip(size, source, microphone, strict=True)
    )
    squares, walls = np.add.outer(y, z).ravel(), np.add.outer(y_walls, z_walls).ravel()
    order = np.argsort(squares)
    squares, walls = squares[order], walls[order]
    amplitudes = reflection ** np.arange(x_walls.max() + walls.max() + 1.0)
    response = np.zeros(samples)
    for square, wall in zip(x, x_walls, strict=True):
        near = np.searchsorted(squares, reach**2 - square)
        distances = np.sqrt(square + squares[:near])
        heard = amplitudes[wall + walls[:near]] / distances
        places = np.rint(distances / SOUND_M_S * sample_rate).astype(int)
        response += np.bincount(places, heard, samples + 1)[:samples]
    return response


def _images(
    size: float, source: float, microphone: float, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Along one axis: squared distances of the images, and the walls that each is behind."""
    most = math.ceil(reach / (2 * size)) + 1
    rooms = np.arange(-most, most + 1)
    places = 2 * size * rooms - microphone
    distances = np.concatenate([places + source, places - source])
    walls = np.concatenate([2 * np.abs(rooms), np.abs(rooms) + np.abs(rooms - 1)])
    near = np.abs(distances) < reach
    return distances[near] ** 2, walls[near]


def high_passed(response: np.ndarray, sample_rate: int) -> np.ndarray:
    """Without what is below `HIGH_PASS_HZ`, by the filter of Allen and Berkley's appendix.

    All images are positive: together they would push the air one way, which no sound does.
    """
    radians = 2 * np.pi * HIGH_PASS_HZ / sample_rate
    pole = np.exp(-radians)
    length = 2 * len(response)  # the filter rings on after the end, not into the beginning
    delay = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    above = 1 - (1 + pole) * delay + pole * delay**2
    below = 1 - 2 * pole * np.cos(radians) * delay + pole**2 * delay**2
    return np.fft.irfft(np.fft.rfft(response, length) * above / below, length)[: len(response)]


def reverberation_time(response: np.ndarray, sample_rate: int) -> float:
    """Seconds in which the sound falls by 60 dB: backward integration (Schroeder, 1965).

    A line is fitted to the part of the decay between the levels `FITTED_DB`.
    """
    energy = np.cumsum(response[::-1] ** 2)[::-1]
    level_db = 10 * np.log10(np.maximum(energy / energy[0], 1e-30))
    first, last = (int(np.argmax(level_db <= level)) for level in FITTED_DB)
    slope, _ = np.polyfit(np.arange(first, last) / sample_rate, level_db[first:last], 1)
    return -DECAY_DB / float(slope)


def room_response(rng: np.random.Generator, rt60_s: float, sample_rate: int) -> np.ndarray:
    """A room of random size with a random speaker and microphone, which reverberates so long.

    Sound decays more slowly in a box than by Eyring's formula, which is for sound that comes from
    everywhere. So the absorption is taken from the formula, and corrected by what was measured.

    Args:
        rng: what is drawn from.
        rt60_s: reverberation time, s.
        sample_rate: samples per second.

    Returns:
        float32 `[samples]`, of `rt60_s`. It begins with the direct sound, whose amplitude is 1.
    """
    size = rng.uniform([3.0, 3.0, 2.5], [8.0, 8.0, 3.5])
    source, microphone = (rng.uniform(0.5, size - 0.5) for _ in range(2))
    delay_s = float(np.linalg.norm(source - microphone)) / SOUND_M_S
    surface = 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    exponent = 4 * np.log(10 ** (DECAY_DB / 10)) / SOUND_M_S * np.prod(size) / (surface * rt60_s)
    for _ in range(2):
        reflection = float(np.exp(-exponent / 2))  # of the amplitude; its square is of the energy
        seconds = rt60_s + delay_s
        response = impulse_response(size, source, microphone, reflection, seconds, sample_rate)
        response = high_passed(response, sample_rate)
        exponent *= reverberation_time(response, sample_rate) / rt60_s
    response = response[round(delay_s * sample_rate) :][: round(rt60_s * sample_rate)]
    return (response / response[0]).astype(np.float32)


def room_responses(
    count: int, rt60_s: tuple[float, float], sample_rate: int, seed: int
) -> np.ndarray:
    """Responses of random rooms, float32 `[count, samples]`, with zeros after shorter ones.

    Args:
        count: how many.
        rt60_s: lowest and highest reverberation time, s; each between them is as likely.
        sample_rate: samples per second.
        seed: of all that is drawn.
    """
    rng = np.random.default_rng(seed)
    found = [room_response(rng, rng.uniform(*rt60_s), sample_rate) for _ in range(count)]
    longest = max(map(len, found))
    return np.stack([np.pad(response, (0, longest - len(response))) for response in found])
