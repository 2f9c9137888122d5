import { BaristaError } from '../base/errors.js';
import type { ScanReply, ScanRequest } from '../bayou/read-messages.js';
import { nameStamp } from '../bayou/write.js';
import { encodeCursor, type ScanPosition } from './scan-range.js';
import type { Missing, Scan, ScanEntry } from './session.js';

type Page = Extract<ScanReply<Uint8Array>, { kind: 'page' }>;
type PageEntry = Page['entries'][number];

export interface ScanSteps<V> {
  /** Asks for a page. */
  page(request: Omit<ScanRequest, 'needs'>): Promise<Page | Missing>;
  /** The entry as the program gets it; it has then been read. */
  read(entry: PageEntry): ScanEntry<V>;
}

export interface ScanSettings {
  readonly limit: number;
  readonly hold: boolean;
}

/** Entries that are asked for at once. */
const PAGE_ENTRIES = 1_024;

/** A scan whose first page was taken. */
export class SessionScan<V> implements Scan<V> {
  readonly kind = 'scan';
  readonly #steps: ScanSteps<V>;
  readonly #hold: boolean;
  #position: ScanPosition;
  #left: number;
  #page: Page;
  #begun = false;

  private constructor(steps: ScanSteps<V>, position: ScanPosition, { limit, hold }: ScanSettings, page: Page) {
    this.#steps = steps;
    this.#position = position;
    this.#left = limit;
    this.#hold = hold;
    this.#page = page;
  }

  static async begin<V>(
    steps: ScanSteps<V>,
    position: ScanPosition,
    settings: ScanSettings,
  ): Promise<SessionScan<V> | Missing> {
    const entriesMax = Math.min(settings.limit, PAGE_ENTRIES);
    // What needs one page only is not worth holding a state for.
    const hold = settings.hold && settings.limit > entriesMax;
    const page = await steps.page({ ...position, entriesMax, hold, snapshot: null });
    return page.kind === 'missing' ? page : new SessionScan(steps, position, { ...settings, hold }, page);
  }

  get cursor(): string {
    return encodeCursor(this.#position);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ScanEntry<V>, undefined> {
    if (this.#begun) throw new BaristaError('ERR_OPTION', 'a scan is gone through once: begin another from its cursor');
    this.#begun = true;
    try {
      for (;;) {
        for (const entry of this.#page.entries) {
          if (this.#left <= 0) return undefined;
          const read = this.#steps.read(entry);
          this.#left -= 1;
          this.#position = { ...this.#position, after: entry.key };
          yield read;
        }
        if (this.#left <= 0 || this.#page.upTo === null) return undefined;
        await this.#next(this.#page.upTo);
      }
    } finally {
      this.#letGo();
    }
  }

  async #next(after: string): Promise<void> {
    const { snapshot } = this.#page;
    const entriesMax = Math.min(this.#left, PAGE_ENTRIES);
    const page = await this.#steps.page({ ...this.#position, after, entriesMax, hold: this.#hold, snapshot });
    if (page.kind === 'missing') {
      // Only without a snapshot: another replica took the place of the one that served the page before.
      const lacking = page.missing.map(nameStamp).join(', ');
      throw new BaristaError('ERR_DEP', `the scan cannot go on: the replica lacks ${lacking}`);
    }
    this.#position = { ...this.#position, after };
    this.#page = page;
  }

  /** The state need not be held any more. Nobody waits for that, and it lapses by itself too. */
  #letGo(): void {
    const { snapshot, upTo } = this.#page;
    if (snapshot === null || upTo === null) return;
    this.#page = { ...this.#page, snapshot: null };
    this.#steps.page({ ...this.#position, after: upTo, entriesMax: 1, hold: false, snapshot }).catch(() => undefined);
  }
}
