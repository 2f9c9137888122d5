import { nameAddress } from '../base/address.js';
import { type Client, connect } from '../client/library.js';
import type { ClientRequest } from './client-request.js';

/** A client of the library, over the replicas that a command names: each of them has as long as the command has. */
export function libraryClient({ at, timeoutMs }: ClientRequest): Promise<Client> {
  return connect({ endpoints: at.map(nameAddress), timeoutMs, attemptMs: timeoutMs });
}
