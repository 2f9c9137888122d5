interface Source<T> {
  /** The next item, null if there is none; a promise only if it must be waited for. */
  next(): T | null | Promise<T | null>;
  /** Called once: after the last item, when something failed, or when the loop was left. */
  end(): void;
}

type Result<T> = IteratorResult<T, undefined>;

/**
 * What a loop goes through, as an async generator would have it go: what is asked for while something is waited for comes in its
 * turn. But an item that is there is given at once, in a promise that is kept, which costs a third.
 */
export class AsyncLoop<T> implements AsyncIterator<T, undefined> {
  readonly #source: Source<T>;
  /** Kept when all that was asked for has come; null if nothing is waited for. */
  #awaited: Promise<void> | null = null;
  #isOver = false;

  constructor(source: Source<T>) {
    this.#source = source;
  }

  next(): Promise<Result<T>> {
    if (this.#awaited !== null) return this.#inTurn(this.#awaited.then(() => this.#next()));
    try {
      const next = this.#next();
      return next instanceof Promise ? this.#inTurn(next) : Promise.resolve(next);
    } catch (thrown) {
      return Promise.reject(thrown);
    }
  }

  return(): Promise<Result<T>> {
    if (this.#awaited !== null) return this.#inTurn(this.#awaited.then(() => this.#end()));
    return Promise.resolve(this.#end());
  }

  #inTurn(result: Promise<Result<T>>): Promise<Result<T>> {
    const passed = (): void => {
      if (this.#awaited === awaited) this.#awaited = null;
    };
    const awaited = result.then(passed, passed);
    this.#awaited = awaited;
    return result;
  }

  #next(): Result<T> | Promise<Result<T>> {
    if (this.#isOver) return this.#end();
    try {
      const item = this.#source.next();
      return item instanceof Promise ? this.#whenThere(item) : this.#given(item);
    } catch (thrown) {
      this.#end();
      throw thrown;
    }
  }

  async #whenThere(item: Promise<T | null>): Promise<Result<T>> {
    try {
      return this.#given(await item);
    } catch (thrown) {
      this.#end();
      throw thrown;
    }
  }

  #given(item: T | null): Result<T> {
    return item === null ? this.#end() : { done: false, value: item };
  }

  #end(): Result<T> {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#source.end();
    }
    return { done: true, value: undefined };
  }
}
