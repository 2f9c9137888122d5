/**
 * Lets the next batch of a pull be asked for while the last one is on its way to disk, and no further: a batch is gone on
 * from once the one before it is durable. So neither the disk nor the wire waits for the other, and what is not durable
 * stays bounded by two batches a pull.
 */
export class BatchPipeline {
  #flushing = false;
  #waiting: (() => void)[] = [];

  /** `flush` calls back when the batch is durable; `next` goes on with the pull. */
  taken(flush: (done: () => void) => void, next: () => void): void {
    if (this.#flushing) {
      this.#waiting.push(() => this.taken(flush, next));
      return;
    }
    this.#flushing = true;
    flush(() => {
      this.#flushing = false;
      for (const waiting of this.#waiting.splice(0)) waiting();
    });
    next();
  }
}
