// What `experiments.browser` asks of the page: samples in, what it computes of them out.
import { Endpoint } from "./endpoint.js";
import { FrontEnd } from "./front_end.js";
import { getGlobalLiteRt } from "./litertjs/core.js";
import { Recognition } from "./recognition.js";
import { Session } from "./session.js";
import { StreamingLogMel } from "./streaming_log_mel.js";

let recognition = null;

/** Load the model: milliseconds until it could recognise. */
export async function load(threads) {
  const began = performance.now();
  recognition = await Recognition.load(threads);
  return performance.now() - began;
}

/** Floats of their bytes in base64. */
function floats(text) {
  return new Float32Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

/** The bytes of floats in base64. */
function base64(values) {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Log-mel features of a front end, not normalised, of the whole audio. */
export function logMel(config, audio) {
  const frontEnd = new FrontEnd(config, [0], [1]);
  return base64(frontEnd.logMelAfter(floats(audio), 0).features);
}

/** The model's features of audio that comes in pieces of `size` samples, normalised. */
export function streamed(audio, size) {
  const { frontEnd, encoder } = recognition.model;
  const stream = new StreamingLogMel(frontEnd, encoder.subsampling);
  const samples = floats(audio);
  const found = [];
  for (let at = 0; at < samples.length; at += size) {
    found.push(...stream.accept(samples.subarray(at, at + size)));
  }
  found.push(...stream.flush());
  return base64(frontEnd.normalize(Float32Array.from(found)));
}

/**
 * One utterance in pieces of `size` samples, as from a microphone.
 * @returns {Promise<object>} labels of both passes, what was shown, milliseconds of each piece
 */
export async function recognise(audio, size) {
  const session = await Session.begin(recognition.model, new Endpoint(1e9, 1e9));
  const samples = floats(audio);
  const shown = [];
  const pieceMs = [];
  for (let at = 0; at < samples.length; at += size) {
    const began = performance.now();
    shown.push(...(await session.accept(samples.subarray(at, at + size))));
    pieceMs.push(performance.now() - began);
  }
  shown.push(...(await session.finish()));
  const { first, second } = session.ended;
  return { first: first.emissions, second: second.emissions, shown, pieceMs };
}

/** The labels of a whole utterance. */
export function wholeTokens(audio) {
  return recognition.model.tokens(floats(audio));
}

/** Bytes that WebAssembly and JavaScript have. */
export function memory() {
  return {
    wasm: getGlobalLiteRt().liteRtWasm.HEAPU8.byteLength,
    javascript: performance.memory.usedJSHeapSize,
  };
}
