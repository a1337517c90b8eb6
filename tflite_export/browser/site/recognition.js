import { Endpoint } from "./endpoint.js";
import { LiveModel } from "./live_model.js";
import { Session } from "./session.js";
import { Signatures } from "./signatures.js";
import { WholeModel } from "./whole_model.js";
import { WholeRecording } from "./whole_recording.js";

/** The model of this page. */
export class Recognition {
  /**
   * Read and load it.
   * @param {number} threads of LiteRT.js
   */
  static async load(threads) {
    const description = await (await read("model.json")).json();
    const content = new Uint8Array(await (await read("model.tflite")).arrayBuffer());
    const signatures = await Signatures.load(content, threads);
    const model = description.live
      ? await LiveModel.load(description, signatures)
      : new WholeModel(description, signatures);
    return new Recognition(description, model);
  }

  constructor(description, model) {
    this.about = description.about;
    this.sampleRate = description.front_end.sample_rate;
    this.model = model;
    this.rule = new Endpoint(description.endpoint.pause_s, description.endpoint.longest_s);
  }

  /**
   * A new stream, which takes audio by `accept` and is over by `finish`.
   * @returns {Promise<Session | WholeRecording>}
   */
  async begin() {
    if (this.model instanceof LiveModel) return Session.begin(this.model, this.rule);
    return new WholeRecording(this.model);
  }
}

async function read(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
  return answer;
}
