// The page: the microphone or a recording to words, one at a time.
/* global Microphone, element, notice, show */
import { keepFiles } from "./offline.js";
import { Recognition } from "./recognition.js";

const LATE_S = 5; // of audio that waits; what comes then is left out
const PIECE_S = 1; // of a recording

let recognition = null;
let listening = null;
let streams = 0;

function say(state, reason = "") {
  element("state").textContent = state;
  notice(reason);
  element("listen").textContent = listening ? "Stop" : "Listen";
  element("listen").disabled = state !== "off" && state !== "listening";
  element("recording").disabled = state !== "off";
}

/** The microphone, until it is stopped. */
class Listening {
  #queue = Promise.resolve(); // pieces are recognised one after the other
  #waiting = 0; // samples

  async begin() {
    this.number = streams++;
    this.microphone = await Microphone.open(() => this.stop("the microphone has gone"));
    this.session = await recognition.begin();
    await this.microphone.record(recognition.sampleRate, (bytes) => this.take(new Int16Array(bytes)));
  }

  take(samples) {
    if (this.#waiting > LATE_S * recognition.sampleRate) {
      return notice("this device is too slow: words are missing");
    }
    this.#waiting += samples.length;
    this.#queue = this.#queue.then(async () => {
      this.show(await this.session.accept(Float32Array.from(samples, (sample) => sample / 32768)));
      this.#waiting -= samples.length;
    });
    this.#queue.catch((error) => this.stop(error.message));
  }

  async stop(reason = "") {
    if (listening !== this) return;
    say("finishing", reason);
    listening = null;
    await this.microphone.end();
    await this.#queue.then(async () => this.show(await this.session.finish())).catch(() => {});
    say("off", reason);
  }

  show(events) {
    for (const event of events) show(event, this.number);
  }
}

async function listen() {
  listening = new Listening();
  say("starting");
  try {
    await listening.begin();
    if (listening) say("listening");
  } catch (error) {
    listening?.microphone?.release();
    listening = null;
    say("off", error.message);
  }
}

/** The words of a recording, whatever this browser decodes. */
async function recognise(file) {
  const number = streams++;
  const rate = recognition.sampleRate;
  say("recognising");
  try {
    const audio = mixedDown(
      await new OfflineAudioContext(1, 1, rate).decodeAudioData(await file.arrayBuffer()),
    );
    const session = await recognition.begin();
    for (let at = 0; at < audio.length; at += PIECE_S * rate) {
      const events = await session.accept(audio.subarray(at, at + PIECE_S * rate));
      events.forEach((event) => show(event, number));
    }
    (await session.finish()).forEach((event) => show(event, number));
    say("off");
  } catch (error) {
    say("off", `${file.name}: ${error.message}`);
  }
}

/** The mean of the channels, `[samples]`. */
function mixedDown(buffer) {
  const count = buffer.numberOfChannels;
  const mixed = new Float32Array(buffer.length);
  for (let channel = 0; channel < count; channel++) {
    buffer.getChannelData(channel).forEach((sample, i) => (mixed[i] += sample / count));
  }
  return mixed;
}

element("listen").onclick = () => (listening ? listening.stop() : listen());
element("recording").onchange = ({ target }) => {
  const [file] = target.files;
  if (file) recognise(file).finally(() => (target.value = "")); // the same may be chosen again
};

try {
  const reason = await keepFiles();
  const wanted = Number(new URLSearchParams(location.search).get("threads")) || 1;
  recognition = await Recognition.load(globalThis.crossOriginIsolated ? wanted : 1);
  element("about").textContent = recognition.about;
  say("off", reason);
} catch (error) {
  say("broken", error.message);
}
