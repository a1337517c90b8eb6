// From labels to words, as `asr_qat.text.words` and `tflite_export.runtime.live.words`.

const SPACE = 0x20;
const REPLACEMENT = "\ufffd"; // for a byte that belongs to no letter
const LONGEST_LETTER = 4; // bytes of UTF-8

/**
 * A word, and when the search found it.
 * @typedef {{text: string, start_s: number, end_s: number}} Word
 */

/**
 * Group labels to words.
 * @param {import("./transducer_search.js").Emission[]} emissions labels of one utterance
 * @param {Uint8Array[]} labelBytes what each label adds to the text, in UTF-8
 * @param {number} frameMs milliseconds in a frame
 * @param {number} offset frames of the stream before the utterance
 * @param {boolean} ended no more labels will come; else the bytes of a letter wait for the last
 * @returns {Word[]}
 */
export function wordsOf(emissions, labelBytes, frameMs, offset, ended) {
  const parts = emissions.map(({ token }) => labelBytes[token]);
  const whole = ended ? parts : wholeLetters(parts);
  const found = []; // {bytes, first, last}
  let begins = true; // a word begins with the next letter
  whole.forEach((part, index) => {
    for (const byte of part) {
      if (byte === SPACE) {
        begins = true;
      } else if (begins) {
        found.push({ bytes: [byte], first: index, last: index });
        begins = false;
      } else {
        found.at(-1).bytes.push(byte);
        found.at(-1).last = index;
      }
    }
  });
  const seconds = (frame) => Math.round((offset + frame) * frameMs) / 1000;
  return found.map(({ bytes, first, last }) => ({
    text: decode(Uint8Array.from(bytes)),
    start_s: seconds(emissions[first].frame),
    end_s: seconds(emissions[last].frame + 1),
  }));
}

/** The text of labels, without spaces at its ends. */
export function textOf(tokens, labelBytes) {
  return decode(Uint8Array.from(tokens.flatMap((token) => [...labelBytes[token]]))).trim();
}

/** The labels before those that may be the beginning of a letter, each of them a byte. */
function wholeLetters(parts) {
  for (let count = 1; count <= Math.min(LONGEST_LETTER - 1, parts.length); count++) {
    const bytes = parts.slice(-count).flatMap((part) => [...part]);
    const goesOn = bytes.slice(1).every((byte) => byte >> 6 === 2);
    if (goesOn && bytes.length < letterBytes(bytes[0])) return parts.slice(0, -count);
  }
  return parts;
}

/** Bytes of the letter that begins with this one; 0 if none does. */
function letterBytes(first) {
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc2 ? 2 : 0;
}

/** Text in UTF-8, with a mark for each byte that belongs to no letter. */
function decode(bytes) {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const size = Math.max(1, letterBytes(bytes[at]));
    try {
      text += strict.decode(bytes.subarray(at, at + size));
      at += size;
    } catch {
      text += REPLACEMENT;
      at++;
    }
  }
  return text;
}
