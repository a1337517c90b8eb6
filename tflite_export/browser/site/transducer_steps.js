/** @typedef {Object<string, Float32Array>} PredictionState all that remains of the labels, by name */

/** Prediction and joint network of a transducer, as `tflite_export.runtime.litert_steps`. */
export class TransducerSteps {
  /**
   * @param {import("./signatures.js").Signatures} signatures with `predict` and `join`
   * @param {number} blank class of the blank
   * @param {number[]} durations frames of each class after the blank; none of a plain transducer
   */
  constructor(signatures, blank, durations) {
    this.signatures = signatures;
    this.blank = blank;
    this.durations = durations;
  }

  /** State before any label. */
  initialState() {
    const { label, ...states } = this.signatures.inputs("predict");
    const size = (shape) => shape.reduce((product, length) => product * length, 1);
    const zeros = ([name, shape]) => [name, new Float32Array(size(shape))];
    return Object.fromEntries(Object.entries(states).map(zeros));
  }

  /**
   * One label more; the one before the first is the blank.
   * @returns {Promise<{predicted: Float32Array, state: PredictionState}>} `[joint]`
   */
  async predict(label, state) {
    const inputs = { label: new Int32Array([label]), ...state };
    const { predicted, ...after } = await this.signatures.run("predict", inputs);
    return { predicted, state: after };
  }

  /** A frame and a prediction, both `[joint]`, to logits `[classes]`. */
  async join(encoded, predicted) {
    return (await this.signatures.run("join", { encoded, predicted })).logits;
  }
}
