// Sends the microphone to the server and shows what it recognises. One session at a time.
"use strict";

const MOST_WAITING = 1 << 20; // bytes not sent yet; audio beyond is left out
const element = (id) => document.getElementById(id);
let session = null;

// Of a kind or none: silence is over when there are words, other notices stay.
function notice(text, kind = "") {
  element("notice").textContent = text;
  element("notice").dataset.kind = kind;
}

function say(state, reason = "") {
  element("state").textContent = state;
  notice(reason);
  element("listen").textContent = session ? "Stop" : "Listen";
  element("listen").disabled = Boolean(session?.ending);
}

// A paragraph for each utterance; grey are the words that may still change. The last one stays in
// sight, unless the reader has scrolled up.
function show(event, number) {
  const id = `utterance-${number}-${event.utterance}`;
  let line = element(id);
  if (!event.words.length) return line?.remove();
  const page = document.documentElement;
  const below = page.scrollHeight - page.scrollTop - page.clientHeight;
  if (!line) {
    line = document.createElement("p");
    line.id = id;
    element("words").append(line);
  }
  const words = event.words.map((word) => word.text);
  const open = document.createElement("span");
  open.className = "open";
  open.textContent = words.slice(event.stable).join(" ");
  line.dataset.type = event.type;
  line.replaceChildren(words.slice(0, event.stable).join(" "), " ", open);
  if (element("notice").dataset.kind === "silence") notice("");
  if (below < line.offsetHeight) page.scrollTop = page.scrollHeight;
}

class Session {
  static count = 0;

  constructor() {
    this.number = Session.count++;
    this.begin().catch((error) => this.closed(error.message));
  }

  // The microphone first: a place at the server is for those that send.
  async begin() {
    if (!navigator.mediaDevices) {
      throw new Error("a browser gives the microphone to pages of https or localhost only");
    }
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, ...plain } });
    this.stream.getAudioTracks()[0].onended = () => this.stop("the microphone has gone");
    if (session !== this) return this.release();
    this.socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/stream`);
    this.socket.onmessage = (message) => this.received(JSON.parse(message.data));
    this.socket.onclose = (event) => this.closed(event.reason || `connection closed (${event.code})`);
  }

  received(event) {
    if (event.type === "ready") {
      this.record(event.sample_rate).catch((error) => this.closed(error.message));
    } else if (event.type === "notice") {
      notice(event.text, event.kind);
    } else if (event.type === "end") {
      this.closed(this.reason);
    } else {
      show(event, this.number);
    }
  }

  async record(rate) {
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("recorder.js");
    if (session !== this) return this.release();
    const options = { numberOfOutputs: 0, processorOptions: { rate } };
    this.recorder = new AudioWorkletNode(this.context, "recorder", options);
    this.recorder.port.onmessage = ({ data }) => (data ? this.send(data) : this.end());
    this.context.createMediaStreamSource(this.stream).connect(this.recorder);
    say("listening");
  }

  send(samples) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    if (this.socket.bufferedAmount > MOST_WAITING) {
      notice("the server is too slow: words are missing");
      return;
    }
    this.socket.send(samples);
  }

  // The recorder sends what it has not sent yet, then null.
  stop(reason = "") {
    if (this.ending) return;
    this.ending = true;
    this.reason = reason;
    if (!this.recorder || this.socket.readyState !== WebSocket.OPEN) return this.closed(reason);
    this.recorder.port.postMessage(null);
    say("finishing", reason);
  }

  // The server answers with the last words, then `end`.
  end() {
    this.recorder.port.onmessage = null;
    this.release();
    this.socket.send(JSON.stringify({ type: "end" }));
  }

  release() {
    this.stream?.getTracks().forEach((track) => track.stop());
    if (this.context?.state !== "closed") this.context?.close();
  }

  closed(reason) {
    this.release();
    if (this.socket) {
      this.socket.onclose = null;
      this.socket.close();
    }
    if (session === this) session = null;
    say("off", reason);
  }
}

fetch("about")
  .then((answer) => answer.text())
  .then((text) => (element("about").textContent = text))
  .catch(() => {}); // the server has gone: `Listen` says so

element("listen").onclick = () => {
  if (session) {
    session.stop();
  } else {
    session = new Session();
    say("connecting");
  }
};
