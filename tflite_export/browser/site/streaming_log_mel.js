/**
 * The log-mel front end of audio that arrives in pieces: features in blocks of a fixed number of
 * frames, the same however it is cut. As `asr_qat.audio.streaming_log_mel`.
 */
export class StreamingLogMel {
  /**
   * @param {import("./front_end.js").FrontEnd} frontEnd one that needs no whole recording
   * @param {number} block feature frames that come out together
   */
  constructor(frontEnd, block) {
    const { hop_length, frame_length } = frontEnd.config;
    this.frontEnd = frontEnd;
    this.step = block * hop_length;
    this.needed = this.step - hop_length + frame_length;
    this.#begin();
  }

  #begin() {
    this.pending = new Float32Array(0);
    this.level = 0;
    this.gap = 0; // samples to come that no window sees, where windows do not overlap
  }

  /**
   * @param {Float32Array} audio `[samples]` in [-1, 1)
   * @returns {Float32Array} whole blocks, `[frames, mel_bins]`
   */
  accept(audio) {
    const samples = joined([this.pending, audio.subarray(this.gap)]);
    this.gap -= Math.min(this.gap, audio.length);
    const blocks = Math.max(0, 1 + Math.floor((samples.length - this.needed) / this.step));
    const found = Array.from({ length: blocks }, (_, i) =>
      this.#block(samples.subarray(i * this.step, i * this.step + this.needed)),
    );
    this.pending = samples.slice(blocks * this.step);
    this.gap += Math.max(0, blocks * this.step - samples.length);
    return joined(found);
  }

  /** The frames of the last, incomplete block, `[frames, mel_bins]`; a new stream begins. */
  flush() {
    const last = this.#block(this.pending);
    this.#begin();
    return last;
  }

  #block(samples) {
    const { features, level } = this.frontEnd.logMelAfter(samples, this.level);
    this.level = level;
    return features;
  }
}

/** Arrays one after the other. */
export function joined(arrays) {
  const whole = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    whole.set(array, at);
    at += array.length;
  }
  return whole;
}
