// An audio worklet: the microphone at whatever rate to 16-bit samples at the rate of the model.
"use strict";

const ZEROS = 16; // of the filter on either side
const PASSED = 0.95; // of the lower Nyquist frequency
const CHUNK_S = 0.1;

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

// Windowed-sinc filters, one for each place that an output sample can have between two of the input.
class Resampler {
  constructor(from, to) {
    const common = divisor(from, to);
    this.step = from / common;
    this.phases = to / common;
    const cutoff = PASSED * Math.min(1, to / from);
    this.reach = Math.ceil(ZEROS / cutoff);
    this.filters = [];
    for (let phase = 0; phase < this.phases; phase++) {
      const taps = new Float32Array(2 * this.reach);
      for (let tap = 0; tap < taps.length; tap++) {
        const distance = tap + 1 - this.reach - phase / this.phases;
        const angle = Math.PI * cutoff * distance;
        const sinc = distance === 0 ? 1 : Math.sin(angle) / angle;
        taps[tap] = cutoff * sinc * Math.cos((Math.PI / 2) * (distance / this.reach)) ** 2;
      }
      this.filters.push(taps);
    }
    this.kept = new Float32Array(this.reach - 1); // silence before the first sample
    this.start = 0; // in `kept`, of the next output's filter
    this.phase = 0;
  }

  resample(input) {
    const samples = new Float32Array(this.kept.length + input.length);
    samples.set(this.kept);
    samples.set(input, this.kept.length);
    const output = [];
    while (this.start + 2 * this.reach <= samples.length) {
      const taps = this.filters[this.phase];
      let sum = 0;
      for (let tap = 0; tap < taps.length; tap++) sum += taps[tap] * samples[this.start + tap];
      output.push(sum);
      this.phase += this.step;
      this.start += Math.floor(this.phase / this.phases);
      this.phase %= this.phases;
    }
    const used = Math.min(this.start, samples.length);
    this.kept = samples.slice(used);
    this.start -= used;
    return output;
  }
}

class Recorder extends AudioWorkletProcessor {
  constructor(options) {
    super();
    const { rate } = options.processorOptions;
    this.resampler = new Resampler(sampleRate, rate);
    this.chunk = new Int16Array(Math.round(rate * CHUNK_S));
    this.filled = 0;
    this.port.onmessage = () => {
      this.send();
      this.port.postMessage(null); // that was the last of it
    };
  }

  process([channels]) {
    if (!channels.length) return true;
    for (const sample of this.resampler.resample(channels[0])) {
      this.chunk[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      if (this.filled === this.chunk.length) this.send();
    }
    return true;
  }

  send() {
    if (!this.filled) return;
    const samples = this.chunk.slice(0, this.filled);
    this.filled = 0;
    this.port.postMessage(samples.buffer, [samples.buffer]);
  }
}

registerProcessor("recorder", Recorder);
