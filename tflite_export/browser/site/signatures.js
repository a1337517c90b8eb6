import { Tensor, loadAndCompile, loadLiteRt } from "./litertjs/core.js";

/**
 * The functions of a `.tflite`, run by LiteRT.js on the processor (WebAssembly with XNNPACK).
 */
export class Signatures {
  /**
   * @param {Uint8Array} content of the file
   * @param {number} threads more than one only where the page is cross-origin isolated
   */
  static async load(content, threads) {
    const folder = new URL("./litertjs/wasm/", import.meta.url).href;
    await loadLiteRt(folder, { threads: threads > 1 });
    const options = { accelerator: "wasm", cpuOptions: { numThreads: threads } };
    return new Signatures(await loadAndCompile(content, options));
  }

  constructor(model) {
    this.runners = model.signatures;
    this.shapes = {};
    for (const [name, runner] of Object.entries(this.runners)) {
      const details = runner.getInputDetails();
      this.shapes[name] = Object.fromEntries(details.map((input) => [input.name, input.shape]));
    }
  }

  /** Names of the signatures. */
  names() {
    return Object.keys(this.runners);
  }

  /** Shape of each input of a signature. */
  inputs(name) {
    return this.shapes[name];
  }

  /**
   * @param {string} name of a signature
   * @param {Object<string, Float32Array | Int32Array>} inputs values by name, of the known shapes
   * @returns {Promise<Object<string, Float32Array>>} outputs by name
   */
  async run(name, inputs) {
    const shapes = this.shapes[name];
    const given = {};
    for (const [input, values] of Object.entries(inputs)) {
      given[input] = new Tensor(values, shapes[input]);
    }
    const tensors = await this.runners[name].run(given);
    const found = {};
    for (const [output, tensor] of Object.entries(tensors)) {
      found[output] = tensor.toTypedArray();
      tensor.delete();
    }
    Object.values(given).forEach((tensor) => tensor.delete());
    return found;
  }
}
