import { BaristaError } from '../../src/base/errors.js';
import { fail, succeed } from '../../src/base/outcome.js';
import { NOBODY } from '../../src/bayou/bundle-messages.js';
import type { Replica } from '../../src/bayou/replica.js';
import type { BundleSource } from '../../src/bundle/export.js';
import type { KvOperation } from '../../src/machine/kv.js';

/**
 * A core as what a bundle is made of, without a driver. `before` is told of each part that is asked for; `keeps` says whether
 * what the core did for it is durable.
 */
export function sourceOf(
  core: () => Replica<KvOperation, Uint8Array>,
  at: () => number,
  before: () => void = () => undefined,
  keeps: () => boolean = () => true,
): BundleSource {
  return {
    exportBatch: ({ since: seen, ...progress }, done) => {
      before();
      const { id: to, terms } = core();
      const asker = { terms, from: NOBODY, to, report: true, clock: 0, life: 0, outside: false };
      const batch = core().serve({ ...asker, seen, ...progress }, at());
      if (!keeps()) return done(fail(new BaristaError('ERR_CONN', 'it died')));
      if ('kind' in batch) return done(fail(new BaristaError(batch.code, batch.message)));
      done(succeed({ terms, batch }));
    },
  };
}
