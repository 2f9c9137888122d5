import { BaristaError, toBaristaError } from '../base/errors.js';
import { type Done, fail, type Outcome } from '../base/outcome.js';
import type { ReplicaService } from '../bayou/ports.js';
import type { KvOperation } from '../machine/kv.js';
import type { BinaryReader } from './binary-reader.js';
import { FieldError, malformed } from './field-error.js';
import { METHODS, type Method, type ReplyForm } from './services.js';

/** What a call says of its reply. */
export interface ServedCall {
  readonly sequenceId: number;
  /** The caller can read what is deflated. */
  readonly inflates: boolean;
}

/** Sends the answers to the calls of one connection. */
export interface Replier {
  reply<Reply>(form: ReplyForm<Reply>, call: ServedCall, outcome: Outcome<Reply>): void;
  /** The service broke its contract. */
  blame(message: string, thrown: unknown): void;
}

/** A method as the server serves it. */
export interface ServedMethod {
  readonly name: Uint8Array;
  /** Reads the call's arguments, asks the service, and sees that exactly one answer goes out. */
  serve(reader: BinaryReader, sequenceId: number, replier: Replier): void;
}

export type KvService = ReplicaService<KvOperation, Uint8Array>;

export function servedMethods(service: KvService): readonly ServedMethod[] {
  return [
    served(METHODS.get, (request, done) => service.read(request, done)),
    served(METHODS.put, (request, done) => service.write(request, done)),
    served(METHODS.remove, (request, done) => service.write(request, done)),
    served(METHODS.write, (request, done) => service.write(request, done)),
    served(METHODS.batch, (request, done) => service.write(request, done)),
    served(METHODS.getMany, (request, done) => service.readMany(request, done)),
    served(METHODS.scan, (request, done) => service.scan(request, done)),
    served(METHODS.holds, (request, done) => service.holds(request, done)),
    served(METHODS.writeState, (request, done) => service.writeState(request, done)),
    served(METHODS.watch, (request, done) => service.watch(request, done)),
    served(METHODS.history, (request, done) => service.histories.history(request, done)),
    served(METHODS.conflicts, (request, done) => service.histories.conflicts(request, done)),
    served(METHODS.pull, (request, done) => service.pull(request, done)),
    served(METHODS.news, (news, done) => service.news(news, done)),
    served(METHODS.status, (_, done) => service.status(done)),
    served(METHODS.link, (request, done) => service.link(request, done)),
    served(METHODS.unlink, (request, done) => service.unlink(request, done)),
    served(METHODS.stabilize, (request, done) => service.stabilize(request, done)),
    served(METHODS.store, (request, done) => service.store(request, done)),
    served(METHODS.log, (request, done) => service.log(request, done)),
    served(METHODS.retire, (request, done) => service.retire(request, done)),
    served(METHODS.exportBatch, (request, done) => service.bundles.exportBatch(request, done)),
    served(METHODS.beginImport, (offer, done) => service.bundles.beginImport(offer, done)),
    served(METHODS.importBatch, (batch, done) => service.bundles.importBatch(batch, done)),
    served(METHODS.shutdown, (_, done) => service.shutdown(done)),
  ];
}

function served<Request, Reply>(
  method: Method<Request, Reply>,
  ask: (request: Request, done: Done<Reply>) => void,
): ServedMethod {
  return {
    name: method.callName,
    serve: (reader, sequenceId, replier) => {
      let request: Request;
      try {
        request = method.arguments.read(reader);
        if (reader.remaining > 0) throw malformed(`${reader.remaining} bytes after the end of the call`);
      } catch (thrown) {
        if (!(thrown instanceof FieldError)) throw thrown;
        replier.reply(method, { sequenceId, inflates: false }, fail(thrown.toBaristaError(method.name)));
        return;
      }
      const call = { sequenceId, inflates: reader.senderInflates };
      let answered = false;
      const done = (outcome: Outcome<Reply>): void => {
        if (answered) {
          replier.blame(`${method.name} was answered twice`, undefined);
          return;
        }
        answered = true;
        replier.reply(method, call, outcome);
      };
      try {
        ask(request, done);
      } catch (thrown) {
        replier.blame(`${method.name} threw`, thrown);
        if (!answered) done(fail(new BaristaError('ERR_INTERNAL', toBaristaError(thrown).message, { cause: thrown })));
      }
    },
  };
}
