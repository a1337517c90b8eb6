import { best } from "./transducer_search.js";

/**
 * Greedy CTC search, as `asr_qat.decoding.ctc_greedy`: the best class of each frame, repetitions
 * merged, blanks removed.
 * @param {Float32Array[]} rows logits, `[frames, classes]`
 * @param {number} blank index of the blank class
 * @returns {number[]} labels
 */
export function greedyCtc(rows, blank) {
  const classes = rows.map(best);
  return classes.filter((token, i) => token !== classes[i - 1] && token !== blank);
}
