const LENGTH_BYTES = 4;

/** Follows a stream of frames, each with its length before it, so that it can be said where one ends. */
export class FramePosition {
  #length = 0;
  #lengthBytes = 0;
  /** Bytes of the body that are still to come. */
  #left = 0;

  /** True from the first byte of a frame until its last has passed. */
  get isInFrame(): boolean {
    return this.#lengthBytes > 0;
  }

  pass(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#lengthBytes < LENGTH_BYTES) {
        this.#length = this.#length * 256 + (bytes[at] as number);
        this.#lengthBytes += 1;
        at += 1;
        this.#left = this.#length;
      } else {
        const taken = Math.min(this.#left, bytes.length - at);
        this.#left -= taken;
        at += taken;
      }
      if (this.#lengthBytes === LENGTH_BYTES && this.#left === 0) {
        this.#length = 0;
        this.#lengthBytes = 0;
      }
    }
  }

  copy(): FramePosition {
    const copy = new FramePosition();
    copy.#length = this.#length;
    copy.#lengthBytes = this.#lengthBytes;
    copy.#left = this.#left;
    return copy;
  }

  /** How much of `bytes`, `atMost` or less, ends in the middle of a frame; null if none does. */
  cutWithin(bytes: Uint8Array, atMost: number): number | null {
    for (let length = Math.min(atMost, bytes.length); length >= 0; length--) {
      const after = this.copy();
      after.pass(bytes.subarray(0, length));
      if (after.isInFrame) return length;
    }
    return null;
  }
}
