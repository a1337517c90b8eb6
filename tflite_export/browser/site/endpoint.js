/**
 * When an utterance ends: after words, so long without a new label, or when the words last too long.
 * As `tflite_export.runtime.live.endpoint`.
 */
export class Endpoint {
  /**
   * @param {number} pauseS seconds without a label, after at least one label
   * @param {number} longestS seconds from the first label on
   */
  constructor(pauseS, longestS) {
    this.pauseS = pauseS;
    this.longestS = longestS;
  }

  /**
   * @param {number} frames of the utterance so far
   * @param {import("./transducer_search.js").Emission[]} labels of these frames
   * @param {number} frameMs milliseconds in a frame
   */
  reached(frames, labels, frameMs) {
    if (!labels.length) return false;
    const wordsS = ((frames - labels[0].frame) * frameMs) / 1000;
    const pauseS = ((frames - 1 - labels.at(-1).frame) * frameMs) / 1000;
    return wordsS >= this.longestS || pauseS >= this.pauseS;
  }
}
