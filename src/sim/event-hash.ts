/** A running hash over numbers and texts, the same everywhere: two runs that did the same have the same. */
export class EventHash {
  #high = 0xdeadbeef;
  #low = 0x41c6ce57;

  /** Takes any number up to 2^53; a fraction counts up to a thousandth. */
  add(value: number): void {
    this.#mix(value * 1_024);
    this.#mix(value / 4_194_304);
  }

  /** Takes a number of 32 bits. */
  #mix(value: number): void {
    this.#high = Math.imul(this.#high ^ value, 2_654_435_761);
    this.#low = Math.imul(this.#low ^ value ^ (this.#high >>> 15), 1_597_334_677);
  }

  addText(text: string): void {
    this.#mix(text.length);
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
  }

  /** Sixteen hexadecimal digits. */
  get digest(): string {
    const high = this.#high ^ (this.#high >>> 16);
    const low = this.#low ^ (this.#low >>> 13);
    return [high, low].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
  }
}
