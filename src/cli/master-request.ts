import type { ClusterOptions } from '../../master/cluster.js';
import type { WorldName } from '../../master/open-cluster.js';

/** Where the commands come from; `terminal`: a prompt if standard input is a terminal, else it is the script. */
export type ScriptOrigin =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'standard-input' }
  | { readonly kind: 'terminal' };

/** What `barista master` was asked to do. */
export interface MasterRequest {
  readonly script: ScriptOrigin;
  readonly world: WorldName;
  readonly cluster: ClusterOptions;
}
