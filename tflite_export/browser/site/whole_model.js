import { greedyCtc } from "./ctc_search.js";
import { FrontEnd } from "./front_end.js";
import { greedyTransducer } from "./transducer_search.js";
import { TransducerSteps } from "./transducer_steps.js";

const CONTEXT_S = 1; // of a window that its neighbours overlap, on either side

/** A recogniser of whole utterances, CTC or transducer, as `tflite_export.runtime.recogniser`. */
export class WholeModel {
  /**
   * @param {object} description what `tflite_export.browser.description` writes
   * @param {import("./signatures.js").Signatures} signatures of the file
   */
  constructor(description, signatures) {
    const { front_end, mean, std, labels, durations } = description;
    this.signatures = signatures;
    this.frontEnd = new FrontEnd(front_end, mean, std);
    this.labelBytes = labels.map((label) => Uint8Array.from(label));
    this.factor = description.subsampling_factor;
    const names = signatures.names();
    const lengths = names.map((name) => /^encode_([0-9]+)$/.exec(name)?.[1]);
    this.lengths = lengths.filter(Boolean).map(Number).sort((a, b) => a - b);
    this.blank = labels.length;
    this.steps = names.includes("join") ? new TransducerSteps(signatures, this.blank, durations) : null;
  }

  /**
   * The labels of an utterance by greedy search.
   * @param {Float32Array} audio `[samples]` in [-1, 1)
   * @returns {Promise<number[]>}
   */
  async tokens(audio) {
    const features = this.frontEnd.normalize(this.frontEnd.logMelAfter(audio, 0).features);
    if (!features.length) return [];
    const rows = await this.encode(features);
    return this.steps ? greedyTransducer(this.steps, rows) : greedyCtc(rows, this.blank);
  }

  /**
   * What the search reads, `[encoded frames, channels]`. What is longer than all signatures is cut
   * into windows that overlap, and the frames of the overlaps are taken from the window in which
   * they lie further inside.
   * @param {Float32Array} features `[frames, mel_bins]`, normalised
   * @returns {Promise<Float32Array[]>}
   */
  async encode(features) {
    const { bins, config } = this.frontEnd;
    const { factor } = this;
    const frames = features.length / bins;
    const longest = this.lengths.at(-1);
    if (frames <= longest) return this.#encodeWindow(features, frames);
    const whole = (count) => count - (count % factor);
    const wanted = whole(Math.round((CONTEXT_S * 1000) / config.hop_ms));
    const context = Math.min(wanted, whole(Math.floor(longest / 4)));
    const step = whole(longest - 2 * context);
    const rows = [];
    for (let start = 0; ; start += step) {
      const window = features.subarray(start * bins, (start + longest) * bins);
      const found = await this.#encodeWindow(window, window.length / bins);
      const last = start + longest >= frames;
      const first = start ? context / factor : 0;
      rows.push(...found.slice(first, last ? found.length : (step + context) / factor));
      if (last) return rows;
    }
  }

  /** Padded to the shortest signature that holds it. */
  async #encodeWindow(features, frames) {
    const length = this.lengths.find((held) => held >= frames);
    const padded = new Float32Array(length * this.frontEnd.bins);
    padded.set(features);
    const inputs = { features: padded, lengths: new Int32Array([frames]) };
    const [encoded] = Object.values(await this.signatures.run(`encode_${length}`, inputs));
    const width = encoded.length / this.#encodedFrames(length);
    const row = (_, i) => encoded.subarray(i * width, (i + 1) * width);
    return Array.from({ length: this.#encodedFrames(frames) }, row);
  }

  /** Frames left when the encoder halved the time axis as often as it does. */
  #encodedFrames(frames) {
    for (let left = this.factor; left > 1; left /= 2) frames = Math.floor((frames + 1) / 2);
    return frames;
  }
}
