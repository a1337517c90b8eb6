import { joined } from "./streaming_log_mel.js";
import { textOf } from "./words.js";

/** A stream of a model of whole utterances: all of it is recognised when it is over. */
export class WholeRecording {
  /** @param {import("./whole_model.js").WholeModel} model */
  constructor(model) {
    this.model = model;
    this.pieces = [];
  }

  /** Take the next audio, as `Session.accept`: nothing is new. */
  async accept(audio) {
    this.pieces.push(audio.slice());
    return [];
  }

  /** The words, as one transcript. */
  async finish() {
    const tokens = await this.model.tokens(joined(this.pieces));
    const text = textOf(tokens, this.model.labelBytes);
    if (!text) return [];
    const words = text.split(" ").map((word) => ({ text: word }));
    return [{ type: "final", utterance: 0, words, stable: words.length }];
  }
}
