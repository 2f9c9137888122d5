/** Short runs of bytes share buffers of this size: one of those is cheaper to come by than many small ones. */
const SLAB_BYTES = 8 * 1024;
const SHARE_BYTES_MAX = 1024;
/** Up to this length a loop copies faster than a call. */
const LOOP_BYTES_MAX = 128;
/** Where each copy may begin, so that numbers of any size can be read from there. */
const ALIGNED_BYTES = 8;

/** Copies bytes; short ones into a buffer that they share with others. */
export class Slab {
  readonly #make: () => ArrayBuffer;
  #buffer = new ArrayBuffer(0);
  #used = 0;

  /** `prepare` is given each buffer that is to be shared. */
  constructor(prepare: (buffer: ArrayBuffer) => void = () => undefined) {
    this.#make = () => {
      const buffer = new ArrayBuffer(SLAB_BYTES);
      prepare(buffer);
      return buffer;
    };
  }

  copyOf(bytes: Uint8Array, start = 0, length = bytes.length): Uint8Array {
    const copy = this.#allocate(length);
    if (length <= LOOP_BYTES_MAX) for (let at = 0; at < length; at++) copy[at] = bytes[start + at] as number;
    else copy.set(bytes.subarray(start, start + length));
    return copy;
  }

  #allocate(length: number): Uint8Array {
    if (length > SHARE_BYTES_MAX) return new Uint8Array(length);
    if (this.#used + length > this.#buffer.byteLength) {
      this.#buffer = this.#make();
      this.#used = 0;
    }
    const share = new Uint8Array(this.#buffer, this.#used, length);
    this.#used += Math.ceil(length / ALIGNED_BYTES) * ALIGNED_BYTES;
    return share;
  }
}
