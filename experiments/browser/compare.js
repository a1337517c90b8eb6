// What `experiments.browser` asks of the page: samples in, what it computes of them out.
import { Endpoint } from "./endpoint.js";
import { FrontEnd } from "./front_end.js";
import { Tensor, getGlobalLiteRt, loadAndCompile, loadLiteRt } from "./litertjs/core.js";
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

/**
 * Every signature by WebAssembly and by WebGPU, on the same noise.
 * @returns {Promise<object>} the adapter; of each signature the largest difference of its outputs,
 *     each as a share of the largest value of the output
 */
export async function webgpu() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return { adapter: null, errors: {} };
  await loadLiteRt(new URL("./litertjs/wasm/", import.meta.url).href, { jspi: true });
  const content = new Uint8Array(await (await fetch("model.tflite")).arrayBuffer());
  const cpu = await loadAndCompile(content, { accelerator: "wasm" });
  const options = { accelerator: "webgpu", gpuOptions: { precision: "fp32" } };
  const gpu = await loadAndCompile(content, options);
  const errors = {};
  for (const [name, runner] of Object.entries(cpu.signatures)) {
    const inputs = noise(runner.getInputDetails());
    const expected = await outputs(runner, inputs);
    const found = await outputs(gpu.signatures[name], inputs);
    errors[name] = Math.max(...Object.keys(expected).map((key) => share(expected[key], found[key])));
  }
  return { adapter: `${adapter.info.vendor} ${adapter.info.architecture}`, errors };
}

/** Values for inputs: noise in [-1, 1), of masks and labels ones; the same at every call. */
function noise(details) {
  let state = 1;
  const next = () => (state = (state * 1103515245 + 12345) % 2147483648) / 1073741824 - 1;
  return details.map(({ name, dtype, shape }) => {
    const size = shape.reduce((product, length) => product * length, 1);
    if (dtype === "int32") return { name, shape, values: new Int32Array(size).fill(1) };
    const ones = name.includes("valid") || name === "one";
    return { name, shape, values: Float32Array.from({ length: size }, ones ? () => 1 : next) };
  });
}

async function outputs(runner, inputs) {
  const given = inputs.map(({ name, shape, values }) => [name, new Tensor(values, shape)]);
  const found = await runner.run(Object.fromEntries(given));
  const read = Object.entries(found).map(async ([name, tensor]) => [name, await tensor.data()]);
  return Object.fromEntries(await Promise.all(read));
}

/** The largest difference as a share of the largest value; infinite where one is no number. */
function share(expected, found) {
  let error = 0;
  let range = 1e-30;
  expected.forEach((value, i) => {
    const off = Math.abs(value - found[i]);
    error = Math.max(error, Number.isNaN(off) ? Infinity : off);
    range = Math.max(range, Math.abs(value));
  });
  return error / range;
}
