// Greedy transducer search, as `asr_qat.decoding.transducer_greedy` and `transducer_incremental`.

const MAX_SYMBOLS = 10; // labels of one frame, at most

/**
 * A label, and the frame at which the search emitted it.
 * @typedef {{token: number, frame: number}} Emission
 */

/**
 * Where a search stands between two frames.
 * @typedef {object} SearchState
 * @property {Emission[]} emissions labels so far
 * @property {number} frames frames seen
 * @property {Float32Array} predicted output of the prediction network after these labels
 * @property {import("./transducer_steps.js").PredictionState} state of that network after them
 */

/**
 * The state before the first frame.
 * @param {import("./transducer_steps.js").TransducerSteps} steps
 * @returns {Promise<SearchState>}
 */
export async function beginSearch(steps) {
  const { predicted, state } = await steps.predict(steps.blank, steps.initialState());
  return { emissions: [], frames: 0, predicted, state };
}

/**
 * Search on through more frames.
 * @param {import("./transducer_steps.js").TransducerSteps} steps of a transducer without durations
 * @param {SearchState} before left as it is
 * @param {Float32Array[]} rows `[frames, joint]`
 * @returns {Promise<SearchState>}
 */
export async function advanceSearch(steps, before, rows) {
  let { frames, predicted, state } = before;
  const found = [];
  for (const row of rows) {
    for (let symbols = 0; symbols < MAX_SYMBOLS; symbols++) {
      const token = best(await steps.join(row, predicted));
      if (token === steps.blank) break;
      found.push({ token, frame: frames });
      ({ predicted, state } = await steps.predict(token, state));
    }
    frames++;
  }
  return { emissions: [...before.emissions, ...found], frames, predicted, state };
}

/** Index of the largest of these values, the first one of several. */
export function best(values) {
  let index = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[index]) index = i;
  return index;
}
