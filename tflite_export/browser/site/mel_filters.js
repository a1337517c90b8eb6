// The window and the mel filters of a front end, as `asr_qat.audio.mel_filters` makes them.

/**
 * Hann window.
 * @param {object} config the front end
 * @returns {Float32Array} `[frame_length]`
 */
export function hannWindow(config) {
  const last = config.frame_length - (config.window === "symmetric" ? 1 : 0);
  const value = (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / last);
  return Float32Array.from({ length: config.frame_length }, value);
}

/**
 * Triangular filters: those of the HTK scale are triangles in mel, of height 1; those of Slaney's
 * Auditory Toolbox triangles in Hz, of area 1.
 * @param {object} config the front end
 * @returns {{first: number, weights: Float32Array}[]} of each filter its weights, from bin `first`
 *     of the spectrum on
 */
export function melFilters(config) {
  const count = config.fft_length / 2 + 1;
  const htk = config.mel_scale === "htk";
  const bins = spaced(0, config.sample_rate / 2, count).map(htk ? htkMel : (hz) => hz);
  const edges = htk
    ? spaced(htkMel(config.low_hz), htkMel(config.high_hz), config.mel_bins + 2)
    : spaced(slaneyMel(config.low_hz), slaneyMel(config.high_hz), config.mel_bins + 2).map(slaneyHz);
  return Array.from({ length: config.mel_bins }, (_, i) => {
    const [lower, centre, upper] = edges.slice(i, i + 3);
    const height = htk ? 1 : 2 / (upper - lower);
    const weights = Float32Array.from(bins, (bin) => {
      const rising = (bin - lower) / (centre - lower);
      const falling = (upper - bin) / (upper - centre);
      return Math.max(0, Math.min(rising, falling)) * height;
    });
    weights[0] = 0; // the constant offset of the recording carries no speech
    return withoutZeros(weights);
  });
}

/** `count` values from `low` to `high`, at equal distances. */
function spaced(low, high, count) {
  const step = (high - low) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? high : low + i * step));
}

function withoutZeros(weights) {
  const first = Math.max(0, weights.findIndex((weight) => weight > 0));
  const end = weights.findLastIndex((weight) => weight > 0) + 1;
  return { first, weights: weights.slice(first, end) };
}

const htkMel = (hz) => 1127 * Math.log1p(hz / 700);

// Slaney's scale: 3 mel in 200 Hz up to 1 kHz, above it 27 mel in each factor of 6.4.
const KNEE_HZ = 1000;
const KNEE_MEL = 15;
const HZ_PER_MEL = 200 / 3;
const LOG_STEP = Math.log(6.4) / 27;

const slaneyMel = (hz) =>
  hz < KNEE_HZ ? hz / HZ_PER_MEL : KNEE_MEL + Math.log(hz / KNEE_HZ) / LOG_STEP;

const slaneyHz = (mel) =>
  mel < KNEE_MEL ? mel * HZ_PER_MEL : KNEE_HZ * Math.exp(LOG_STEP * (mel - KNEE_MEL));
