import { StreamingLogMel } from "./streaming_log_mel.js";
import { beginSearch } from "./transducer_search.js";
import { Utterance } from "./utterance.js";
import { wordsOf } from "./words.js";

/**
 * The words of one utterance as known now; it replaces all earlier ones of that utterance. As
 * `tflite_export.runtime.live.events`.
 * @typedef {object} Transcript
 * @property {"partial" | "corrected" | "final"} type
 * @property {number} utterance its number, from 0
 * @property {import("./words.js").Word[]} words all of them
 * @property {number} stable words, from the first one on, that will not change any more
 */

/**
 * One stream of audio and the utterances in it, as `tflite_export.runtime.live.session`. Calls
 * follow each other: the next one when the one before has answered.
 */
export class Session {
  #frontEnd;
  #start;
  #offset = 0; // frames of the stream before the utterance at hand
  #number = 0;
  #shown; // words,
  #emitted; // their labels,
  #corrected; // and those of the second pass among them

  /**
   * @param {import("./live_model.js").LiveModel} model
   * @param {import("./endpoint.js").Endpoint} endpoint when an utterance ends
   */
  static async begin(model, endpoint) {
    return new Session(model, endpoint, await beginSearch(model.steps));
  }

  constructor(model, endpoint, start) {
    this.model = model;
    this.endpoint = endpoint;
    this.#frontEnd = new StreamingLogMel(model.frontEnd, model.encoder.subsampling);
    this.#start = start;
    this.ended = null; // the utterance before the one at hand
    this.#begin();
  }

  /**
   * Take the next audio.
   * @param {Float32Array} audio samples at the model's rate, in [-1, 1)
   * @returns {Promise<Transcript[]>} what is new
   */
  async accept(audio) {
    const { frontEnd, encoder } = this.model;
    let features = frontEnd.normalize(this.#frontEnd.accept(audio));
    const width = encoder.subsampling * encoder.melBins; // of a frame
    const events = [];
    while (features.length) {
      const [size] = encoder.split(features.length / width);
      const taken = await this.utterance.step(features.subarray(0, size * width));
      features = features.subarray(taken * width);
      events.push(...(this.utterance.ended ? await this.#finish(new Float32Array(0)) : this.#changes()));
    }
    return events;
  }

  /** The stream is over: the last words. */
  async finish() {
    return this.#finish(this.model.frontEnd.normalize(this.#frontEnd.flush()));
  }

  #changes() {
    const { emissions, second } = this.utterance;
    const corrected = second.emissions.length;
    if (sameLabels(emissions, this.#emitted) && corrected === this.#corrected) return []; // as mostly
    this.#emitted = emissions;
    const words = this.#group(emissions, false);
    if (sameWords(words, this.#shown) && corrected === this.#corrected) return [];
    const type = corrected > this.#corrected ? "corrected" : "partial";
    this.#shown = words;
    this.#corrected = corrected;
    const stable = Math.max(0, this.#group(second.emissions, false).length - 1);
    return [{ type, utterance: this.#number, words, stable }];
  }

  async #finish(rest) {
    await this.utterance.finish(rest);
    const words = this.#group(this.utterance.second.emissions, true);
    const events = [];
    if (words.length || this.#shown.length) {
      events.push({ type: "final", utterance: this.#number++, words, stable: words.length });
    }
    this.#offset += this.utterance.frames;
    this.ended = this.utterance;
    this.#begin();
    return events;
  }

  #begin() {
    const { encoder, steps } = this.model;
    this.utterance = new Utterance(encoder, steps, this.#start, this.endpoint);
    this.#shown = [];
    this.#emitted = [];
    this.#corrected = 0;
  }

  #group(emissions, ended) {
    const { labelBytes, encoder } = this.model;
    return wordsOf(emissions, labelBytes, encoder.frameMs, this.#offset, ended);
  }
}

function sameLabels(some, others) {
  const same = ({ token, frame }, i) => token === others[i].token && frame === others[i].frame;
  return some.length === others.length && some.every(same);
}

function sameWords(some, others) {
  const same = (word, i) => word.text === others[i].text && word.end_s === others[i].end_s;
  return some.length === others.length && some.every(same);
}
