import { BaristaError } from '../base/errors.js';
import type { ScanReply, ScanRequest } from '../bayou/read-messages.js';
import { nameStamp } from '../bayou/write.js';
import { AsyncLoop } from './async-loop.js';
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
  readonly #from: ScanPosition;
  #after: string | null;
  #left: number;
  #page: Page;
  /** How many of its entries were given. */
  #given = 0;
  #begun = false;

  private constructor(steps: ScanSteps<V>, position: ScanPosition, { limit, hold }: ScanSettings, page: Page) {
    this.#steps = steps;
    this.#from = position;
    this.#after = position.after;
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
    return encodeCursor({ ...this.#from, after: this.#after });
  }

  [Symbol.asyncIterator](): AsyncIterator<ScanEntry<V>, undefined> {
    if (this.#begun) throw new BaristaError('ERR_OPTION', 'a scan is gone through once: begin another from its cursor');
    this.#begun = true;
    return new AsyncLoop({ next: () => this.#step(), end: () => this.#letGo() });
  }

  /** The next entry, null if there is none; a promise only if a page has to be asked for. */
  #step(): ScanEntry<V> | null | Promise<ScanEntry<V> | null> {
    if (this.#left <= 0) return null;
    const entry = this.#page.entries[this.#given];
    if (entry === undefined) {
      const { upTo } = this.#page;
      return upTo === null ? null : this.#next(upTo).then(() => this.#step());
    }
    const read = this.#steps.read(entry);
    this.#given += 1;
    this.#left -= 1;
    this.#after = entry.key;
    return read;
  }

  async #next(after: string): Promise<void> {
    const { snapshot } = this.#page;
    const entriesMax = Math.min(this.#left, PAGE_ENTRIES);
    const page = await this.#steps.page({ ...this.#from, after, entriesMax, hold: this.#hold, snapshot });
    if (page.kind === 'missing') {
      // Only without a snapshot: another replica took the place of the one that served the page before.
      const lacking = page.missing.map(nameStamp).join(', ');
      throw new BaristaError('ERR_DEP', `the scan cannot go on: the replica lacks ${lacking}`);
    }
    this.#after = after;
    this.#page = page;
    this.#given = 0;
  }

  /** The state need not be held any more. Nobody waits for that, and it lapses by itself too. */
  #letGo(): void {
    const { snapshot, upTo } = this.#page;
    if (snapshot === null || upTo === null) return;
    this.#page = { ...this.#page, snapshot: null };
    this.#steps.page({ ...this.#from, after: upTo, entriesMax: 1, hold: false, snapshot }).catch(() => undefined);
  }
}
