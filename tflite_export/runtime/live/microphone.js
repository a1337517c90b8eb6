// The browser's microphone, as 16-bit samples at the rate of a model.
"use strict";

class Microphone {
  // Asks the user for it; `gone` is called when the device goes.
  static async open(gone) {
    if (!navigator.mediaDevices) {
      throw new Error("a browser gives the microphone to pages of https or localhost only");
    }
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const audio = { channelCount: 1, ...plain };
    const microphone = new Microphone();
    microphone.stream = await navigator.mediaDevices.getUserMedia({ audio });
    microphone.stream.getAudioTracks()[0].onended = gone;
    return microphone;
  }

  // `take` gets the samples, each time of a tenth of a second, as the bytes of an Int16Array.
  async record(rate, take) {
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("recorder.js");
    if (this.context.state === "closed") return; // released meanwhile
    const options = { numberOfOutputs: 0, processorOptions: { rate } };
    this.recorder = new AudioWorkletNode(this.context, "recorder", options);
    this.recorder.port.onmessage = ({ data }) => (data ? take(data) : this.ended());
    this.context.createMediaStreamSource(this.stream).connect(this.recorder);
  }

  // Until the samples that were not taken yet have been.
  async end() {
    if (!this.recorder) return this.release();
    await new Promise((resolve) => {
      this.ended = resolve;
      this.recorder.port.postMessage(null);
    });
    this.recorder.port.onmessage = null;
    this.release();
  }

  release() {
    this.stream.getTracks().forEach((track) => track.stop());
    if (this.context?.state !== "closed") this.context?.close();
  }
}
