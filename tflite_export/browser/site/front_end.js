import { hannWindow, melFilters } from "./mel_filters.js";
import { PowerSpectrum } from "./power_spectrum.js";

const MIN_DEVIATION = 1e-5; // added to the deviation of one utterance's features
const LEVEL_DECAY_DB = 1; // a second, of the running level after the loudest frame
const MIN_LEVEL = 1e-10; // energy of a frame: far below the noise of 16 bits

/**
 * The log-mel front end, as `asr_qat.audio.front_end` defines it. Features are rows of `mel_bins`
 * values, one after the other.
 */
export class FrontEnd {
  /**
   * @param {object} config the fields of `FrontEndConfig`, with the lengths that follow from them
   * @param {number[]} mean `[mel_bins]` that is subtracted from the features
   * @param {number[]} std `[mel_bins]` that they are divided by
   */
  constructor(config, mean, std) {
    this.config = config;
    this.bins = config.mel_bins;
    this.mean = Float32Array.from(mean);
    this.std = Float32Array.from(std);
    this.window = hannWindow(config);
    this.filters = melFilters(config);
    this.spectrum = new PowerSpectrum(config.fft_length);
    this.decay = 10 ** (((-LEVEL_DECAY_DB / 10) * config.hop_ms) / 1000);
  }

  /** Feature frames of so many samples. */
  frames(samples) {
    const { centred, hop_length, frame_length } = this.config;
    if (centred) return Math.floor(samples / hop_length);
    return Math.max(0, 1 + Math.floor((samples - frame_length) / hop_length));
  }

  /**
   * Natural logarithm of mel power energies.
   * @param {Float32Array} audio `[samples]` in [-1, 1)
   * @param {number} level the running level before it, 0 at the beginning of a recording
   * @returns {{features: Float32Array, level: number}} `[frames, mel_bins]`, and the level after it
   */
  logMelAfter(audio, level) {
    const { bins, config } = this;
    const features = new Float32Array(this.frames(audio.length) * bins);
    const heard = this.#padded(this.#emphasised(audio));
    const frame = new Float32Array(config.frame_length);
    const power = new Float32Array(config.fft_length / 2 + 1);
    for (let i = 0; i * bins < features.length; i++) {
      this.#weight(heard, i * config.hop_length, frame);
      this.spectrum.write(frame, power);
      const row = features.subarray(i * bins, (i + 1) * bins);
      this.filters.forEach((filter, bin) => (row[bin] = energy(power, filter)));
      if (config.level === "running") {
        const loudness = row.reduce((sum, value) => sum + value, 0);
        level = Math.max(loudness, level * this.decay, MIN_LEVEL);
        row.forEach((value, bin) => (row[bin] = value / level));
      }
      row.forEach((value, bin) => (row[bin] = Math.log(Math.fround(value + config.log_floor))));
    }
    return { features, level };
  }

  /** Features at zero mean and unit deviation, of the corpus or of themselves; in their place. */
  normalize(features) {
    const { mean, std } = this.config.normalization === "utterance" ? this.#own(features) : this;
    for (let i = 0; i < features.length; i++) {
      const bin = i % this.bins;
      features[i] = Math.fround(features[i] - mean[bin]) / std[bin];
    }
    return features;
  }

  /** Mean and deviation of these features. */
  #own(features) {
    const { bins } = this;
    const count = features.length / bins;
    const mean = new Float64Array(bins);
    const std = new Float64Array(bins);
    features.forEach((value, i) => (mean[i % bins] += value / count));
    features.forEach((value, i) => (std[i % bins] += (value - mean[i % bins]) ** 2));
    std.forEach((sum, bin) => (std[bin] = Math.sqrt(sum / Math.max(1, count - 1)) + MIN_DEVIATION));
    return { mean, std };
  }

  #emphasised(audio) {
    const share = Math.fround(this.config.preemphasis);
    if (!share) return audio;
    return audio.map((sample, i) => sample - Math.fround(share * (i ? audio[i - 1] : 0)));
  }

  /** The zeros that the first and the last window of a centred front end see. */
  #padded(audio) {
    const { centred, padding } = this.config;
    if (!centred) return audio;
    const padded = new Float32Array(audio.length + 2 * padding);
    padded.set(audio, padding);
    return padded;
  }

  /** One window of the audio, weighted, into `frame`. */
  #weight(audio, start, frame) {
    let mean = 0;
    if (this.config.remove_offset) {
      for (let n = 0; n < frame.length; n++) mean += audio[start + n] / frame.length;
    }
    for (let n = 0; n < frame.length; n++) {
      frame[n] = Math.fround(audio[start + n] - mean) * this.window[n];
    }
  }
}

function energy(power, { first, weights }) {
  let sum = 0;
  for (let k = 0; k < weights.length; k++) sum += power[first + k] * weights[k];
  return sum;
}
