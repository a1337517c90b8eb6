// Sends the microphone to the server and shows what it recognises. One session at a time.
"use strict";

const MOST_WAITING = 1 << 20; // bytes not sent yet; audio beyond is left out
let session = null;

function say(state, reason = "") {
  element("state").textContent = state;
  notice(reason);
  element("listen").textContent = session ? "Stop" : "Listen";
  element("listen").disabled = Boolean(session?.ending);
}

class Session {
  static count = 0;

  constructor() {
    this.number = Session.count++;
    this.begin().catch((error) => this.closed(error.message));
  }

  // The microphone first: a place at the server is for those that send.
  async begin() {
    this.microphone = await Microphone.open(() => this.stop("the microphone has gone"));
    if (session !== this) return this.microphone.release();
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
    await this.microphone.record(rate, (samples) => this.send(samples));
    if (session !== this) return this.microphone.release();
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

  // The server answers with the last words, then `end`.
  async stop(reason = "") {
    if (this.ending) return;
    this.ending = true;
    this.reason = reason;
    if (!this.microphone?.recorder || this.socket.readyState !== WebSocket.OPEN) {
      return this.closed(reason);
    }
    say("finishing", reason);
    await this.microphone.end();
    this.socket.send(JSON.stringify({ type: "end" }));
  }

  closed(reason) {
    this.microphone?.release();
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
