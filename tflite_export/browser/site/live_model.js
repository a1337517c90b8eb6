import { FrontEnd } from "./front_end.js";
import { StreamingEncoder } from "./streaming_encoder.js";
import { TransducerSteps } from "./transducer_steps.js";

/** A streaming transducer: all that sessions share. As `tflite_export.runtime.live.live_model`. */
export class LiveModel {
  /**
   * @param {object} description what `tflite_export.browser.description` writes
   * @param {import("./signatures.js").Signatures} signatures of the file
   */
  static async load(description, signatures) {
    const { front_end, mean, std, labels, live } = description;
    const model = new LiveModel();
    model.frontEnd = new FrontEnd(front_end, mean, std);
    model.labelBytes = labels.map((label) => Uint8Array.from(label));
    model.encoder = await StreamingEncoder.load(signatures, live, front_end.mel_bins);
    model.steps = new TransducerSteps(signatures, labels.length, []);
    return model;
  }
}
