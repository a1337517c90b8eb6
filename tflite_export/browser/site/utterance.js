import { joined } from "./streaming_log_mel.js";
import { advanceSearch } from "./transducer_search.js";

const SAME_FRAMES = 5; // between the frames of a label in the two passes, at most

/**
 * One utterance in both passes: takes features frame by frame, and knows the labels of the first
 * and the second pass. As `tflite_export.runtime.live.utterance`.
 */
export class Utterance {
  #firstState;
  #secondState;
  #firstLag;
  #secondLag;
  #noHidden = null; // a row of zeros for the second pass

  /**
   * @param {import("./streaming_encoder.js").StreamingEncoder} encoder
   * @param {import("./transducer_steps.js").TransducerSteps} steps
   * @param {import("./transducer_search.js").SearchState} start the search before the first frame
   * @param {import("./endpoint.js").Endpoint} endpoint when the utterance ends
   */
  constructor(encoder, steps, start, endpoint) {
    this.encoder = encoder;
    this.steps = steps;
    this.endpoint = endpoint;
    this.#firstState = encoder.firstState();
    this.#secondState = encoder.secondState();
    this.#firstLag = encoder.lookAhead;
    this.#secondLag = encoder.delay;
    this.first = start;
    this.second = start;
    this.frames = 0;
    this.ended = false;
  }

  /** Labels of the second pass, then those of the first that it may still find. */
  get emissions() {
    const found = this.second.emissions;
    const last = found.at(-1);
    const reached = this.second.frames - SAME_FRAMES;
    const since = last ? Math.max(reached, last.frame + 1) : reached;
    let awaited = this.first.emissions.filter((emission) => emission.frame >= since);
    if (last && awaited.length && awaited[0].token === last.token) {
      if (awaited[0].frame - last.frame <= SAME_FRAMES) awaited = awaited.slice(1);
    }
    return [...found, ...awaited];
  }

  /**
   * Both passes over C frames, C one of the encoder's steps.
   * @param {Float32Array} features `[C * subsampling, mel_bins]`
   * @returns {Promise<number>} frames taken: less than C if the utterance ended before
   */
  async step(features) {
    const { encoder } = this;
    const width = encoder.subsampling * encoder.melBins; // of a frame
    const frames = features.length / width;
    const before = [this.#firstState, this.#firstLag];
    const { rows, hidden } = await this.#runFirst(features, frames * encoder.subsampling);
    const heldBack = frames - rows.length;
    let taken = 0;
    while (taken < frames && !this.ended) {
      const at = taken - heldBack;
      this.first = await advanceSearch(this.steps, this.first, at < 0 ? [] : [rows[at]]);
      taken++;
      this.ended = this.#ends();
    }
    if (taken < frames && encoder.lookAhead) {
      // What the first pass holds back is to be that of the frames taken.
      [this.#firstState, this.#firstLag] = before;
      for (let i = 0; i < taken; i++) {
        const frame = features.subarray(i * width, (i + 1) * width);
        await this.#runFirst(frame, encoder.subsampling);
      }
    }
    this.frames += taken;
    await this.#runSecond(hidden.slice(0, Math.max(0, taken - heldBack)));
    return taken;
  }

  /** The end: `rest` are the last feature frames `[< subsampling, mel_bins]`, maybe none. */
  async finish(rest) {
    const { melBins, subsampling } = this.encoder;
    if (rest.length) {
      this.frames++;
      const frame = new Float32Array(subsampling * melBins);
      frame.set(rest);
      await this.#feed(frame, rest.length / melBins);
    }
    for (const size of this.#due(this.first, this.#firstLag)) {
      await this.#feed(new Float32Array(size * subsampling * melBins), 0);
    }
    for (const size of this.#due(this.second, this.#secondLag)) {
      await this.#secondStep(Array(size).fill(this.#noHidden), 0);
    }
  }

  /** Steps that bring the rows that a pass still holds back, after `lag` empty ones. */
  #due(search, lag) {
    const rows = this.frames - search.frames;
    return this.encoder.split(rows ? rows + lag : 0);
  }

  #ends() {
    const { emissions, frames } = this.first;
    const labels = emissions.length ? emissions : this.#secondLabels();
    return this.endpoint.reached(frames, labels, this.encoder.frameMs);
  }

  /** Those that the second pass has found by now however the audio was cut. */
  #secondLabels() {
    const lag = this.encoder.delay + Math.max(...this.encoder.stepFrames);
    return this.second.emissions.filter(({ frame }) => frame < this.first.frames - lag);
  }

  async #feed(features, valid) {
    const { rows, hidden } = await this.#runFirst(features, valid);
    this.first = await advanceSearch(this.steps, this.first, rows);
    await this.#runSecond(hidden);
  }

  /** Rows for the search and for the second pass, without those about nothing. */
  async #runFirst(features, valid) {
    const { rows, hidden, state } = await this.encoder.first(features, valid, this.#firstState);
    this.#firstState = state;
    const drop = Math.min(this.#firstLag, rows.length);
    this.#firstLag -= drop;
    this.#noHidden ??= new Float32Array(hidden[0].length);
    return { rows: rows.slice(drop), hidden: hidden.slice(drop) };
  }

  async #runSecond(hidden) {
    let at = 0;
    for (const size of this.encoder.split(hidden.length)) {
      await this.#secondStep(hidden.slice(at, at + size), size);
      at += size;
    }
  }

  async #secondStep(hidden, valid) {
    const frames = joined(hidden);
    const found = await this.encoder.second(frames, hidden.length, valid, this.#secondState);
    this.#secondState = found.state;
    const drop = Math.min(this.#secondLag, found.rows.length);
    this.#secondLag -= drop;
    this.second = await advanceSearch(this.steps, this.second, found.rows.slice(drop));
  }
}
