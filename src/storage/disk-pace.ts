/** A disk is quick while a sync takes no longer than this. */
export const QUICK_SYNC_MS = 1;
/** After a sync of a quick disk that took longer so many are handed over, */
const HANDED_OVER_MIN = 4;
/** and twice as many each time the next that blocks takes longer too, up to this. */
const HANDED_OVER_MAX = 256;

/**
 * Whether the caller waits for the disk itself. A sync of a quick disk takes less time than to wake another thread and be
 * woken by it; one of a slow disk must not keep all else waiting. Any disk now and then takes longer once: that costs a few
 * syncs that are handed over. A slow one blocks the caller once in a few hundred, to show whether it still is.
 */
export class DiskPace {
  /** So many are still to be handed over. */
  #left = 0;
  #handedOver = 0;

  /** True if the next sync is to block the caller, who then says how long it `took`. */
  blocks(): boolean {
    if (this.#left === 0) return true;
    this.#left -= 1;
    return false;
  }

  took(ms: number): void {
    if (ms <= QUICK_SYNC_MS) this.#handedOver = 0;
    else this.#handedOver = Math.min(Math.max(2 * this.#handedOver, HANDED_OVER_MIN), HANDED_OVER_MAX);
    this.#left = this.#handedOver;
  }
}
