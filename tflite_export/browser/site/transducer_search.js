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

/**
 * The labels of a whole utterance. With durations the best of them says how many frames to go on,
 * after labels and blanks alike; a blank goes on by one at least.
 * @param {import("./transducer_steps.js").TransducerSteps} steps
 * @param {Float32Array[]} rows `[frames, joint]`
 * @returns {Promise<number[]>} labels
 */
export async function greedyTransducer(steps, rows) {
  const { blank, durations } = steps;
  const tokens = [];
  let { predicted, state } = await steps.predict(blank, steps.initialState());
  for (let frame = 0, symbols = 0; frame < rows.length; ) {
    const logits = await steps.join(rows[frame], predicted);
    const token = best(logits.subarray(0, blank + 1));
    let skipped = token === blank ? 1 : 0;
    if (durations.length) skipped = Math.max(durations[best(logits.subarray(blank + 1))], skipped);
    symbols = skipped ? 0 : symbols + 1;
    if (symbols === MAX_SYMBOLS) [symbols, skipped] = [0, 1];
    frame += skipped;
    if (token === blank) continue;
    tokens.push(token);
    ({ predicted, state } = await steps.predict(token, state));
  }
  return tokens;
}

/** Index of the largest of these values, the first one of several. */
export function best(values) {
  let index = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[index]) index = i;
  return index;
}
