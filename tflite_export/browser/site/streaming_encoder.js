/** @typedef {Object<string, Float32Array>} State all that a pass remembers, by name */

/**
 * An encoder in two passes over the same frames, as `tflite_export.runtime.live.litert_encoder`.
 * Neither pass changes a state that it got.
 */
export class StreamingEncoder {
  /**
   * @param {import("./signatures.js").Signatures} signatures of a live file
   * @param {object} live the fields of `LiveFormat`
   * @param {number} melBins features of a frame
   */
  static async load(signatures, live, melBins) {
    const tables = await signatures.run("positions", { one: new Float32Array([1]) });
    const encoder = new StreamingEncoder(signatures, live, melBins, tables);
    await encoder.#warmUp();
    return encoder;
  }

  constructor(signatures, live, melBins, tables) {
    this.signatures = signatures;
    this.live = live;
    this.melBins = melBins;
    this.subsampling = live.features;
    this.frameMs = live.frame_ms;
    this.stepFrames = live.chunks;
    this.lookAhead = live.first_delay;
    this.delay = live.second_delay - live.first_delay;
    this.tables = {};
    for (const [pass, own] of Object.entries(live.positions)) {
      this.tables[pass] = Object.fromEntries(Object.keys(own).map((name) => [name, tables[name]]));
    }
  }

  /** The first pass before any frame. */
  firstState() {
    return this.#zeros("causal");
  }

  /** The second pass before any frame. */
  secondState() {
    return this.#zeros("cascade");
  }

  /**
   * The first pass over C frames more.
   * @param {Float32Array} features normalised, `[C * subsampling, mel_bins]`
   * @param {number} valid feature frames of them, from the first one on, that are audio
   * @param {State} state what the call before returned
   * @returns {Promise<{rows: Float32Array[], hidden: Float32Array[], state: State}>} for the joint
   *     network, `[C, joint]`; for the second pass, `[C, channels]`; the state after it
   */
  async first(features, valid, state) {
    const length = features.length / this.melBins;
    const count = length / this.subsampling;
    const inputs = { features, valid: mask(length, valid) };
    const { found, after } = await this.#run("causal", count, state, inputs);
    return { rows: rowsOf(found.encoded, count), hidden: rowsOf(found.frames, count), state: after };
  }

  /**
   * The second pass over C frames more.
   * @param {Float32Array} hidden `[C, channels]`
   * @param {number} count C
   * @param {number} valid frames of them, from the first one on, that the utterance has
   * @param {State} state what the call before returned
   * @returns {Promise<{rows: Float32Array[], state: State}>}
   */
  async second(hidden, count, valid, state) {
    const inputs = { frames: hidden, valid: mask(count, valid) };
    const { found, after } = await this.#run("cascade", count, state, inputs);
    return { rows: rowsOf(found.encoded, count), state: after };
  }

  /** The fewest steps that make up `frames`, the longest ones first. */
  split(frames) {
    const steps = [];
    for (const size of this.stepFrames.toReversed()) {
      for (; frames >= size; frames -= size) steps.push(size);
    }
    return steps;
  }

  /** Run every signature once: the first run of each packs its weights. */
  async #warmUp() {
    for (const count of this.stepFrames) {
      const features = new Float32Array(count * this.subsampling * this.melBins);
      const { hidden } = await this.first(features, 0, this.firstState());
      await this.second(new Float32Array(count * hidden[0].length), count, 0, this.secondState());
    }
  }

  async #run(pass, count, state, inputs) {
    const all = { ...inputs, ...this.tables[pass], ...state };
    const found = await this.signatures.run(`${pass}_${count}`, all);
    const after = Object.fromEntries(Object.keys(state).map((name) => [name, found[name]]));
    return { found, after };
  }

  #zeros(pass) {
    const shapes = Object.entries(this.live.states[pass]);
    const size = (shape) => shape.reduce((product, length) => product * length, 1);
    return Object.fromEntries(shapes.map(([name, shape]) => [name, new Float32Array(size(shape))]));
  }
}

/** 1 for the first `valid` ones, then 0. */
function mask(length, valid) {
  return new Float32Array(length).fill(1, 0, valid);
}

/** The `count` rows of an array. */
function rowsOf(values, count) {
  const width = values.length / count;
  return Array.from({ length: count }, (_, i) => values.subarray(i * width, (i + 1) * width));
}
