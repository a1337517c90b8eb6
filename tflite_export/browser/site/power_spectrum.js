/**
 * Power spectra of real signals by the fast Fourier transform of Cooley and Tukey, radix 2, in
 * double precision.
 */
export class PowerSpectrum {
  /** @param {number} size a power of two */
  constructor(size) {
    this.size = size;
    this.real = new Float64Array(size);
    this.imaginary = new Float64Array(size);
    this.cosines = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.sines = Float64Array.from({ length: size / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
    this.places = new Uint32Array(size); // of the input, its bits in reverse
    for (let i = 1; i < size; i++) {
      this.places[i] = (this.places[i >> 1] >> 1) | (i & 1 ? size >> 1 : 0);
    }
  }

  /**
   * @param {Float32Array} frame `[up to size]`; zeros follow
   * @param {Float32Array} power `[size / 2 + 1]`, which is written
   */
  write(frame, power) {
    const { size, real, imaginary } = this;
    for (let i = 0; i < size; i++) real[this.places[i]] = i < frame.length ? frame[i] : 0;
    imaginary.fill(0);
    for (let half = 1; half < size; half *= 2) this.#join(half);
    for (let k = 0; k <= size / 2; k++) power[k] = real[k] ** 2 + imaginary[k] ** 2;
  }

  /** Transforms of `half` values, side by side, to those of twice as many. */
  #join(half) {
    const { size, real, imaginary, cosines, sines } = this;
    const stride = size / (2 * half);
    for (let start = 0; start < size; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const even = start + k;
        const odd = even + half;
        const cosine = cosines[k * stride];
        const sine = sines[k * stride];
        const re = real[odd] * cosine - imaginary[odd] * sine;
        const im = real[odd] * sine + imaginary[odd] * cosine;
        real[odd] = real[even] - re;
        imaginary[odd] = imaginary[even] - im;
        real[even] += re;
        imaginary[even] += im;
      }
    }
  }
}
