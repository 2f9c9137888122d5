import { InvalidArgumentError, Option } from 'commander';
import { quoted } from '../../master/format.js';
import { didYouMean } from '../../master/nearest.js';
import { type Address, readAddress } from '../base/address.js';
import { checkId } from '../base/checks.js';
import { originOf, type ReplicaId } from '../base/ids.js';
import { RETRY_WINDOW_MS_DEFAULT, RETRY_WINDOW_MS_MAX, TTL_MS_MAX } from '../base/limits.js';
import type { AcceptStamp } from '../bayou/write.js';

/** Parsers for the values of options. Each refuses with a sentence that says what would be right. */

const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

const DURATION_MS_MAX = 3_600_000;

/** All that a seeded random number generator tells apart. */
const SEED_MAX = 2 ** 32 - 1;

/** Milliseconds of `250ms`, `2s`, `1.5m`. */
export function duration(text: string): number {
  const ms = milliseconds(text);
  if (ms < 1 || ms > DURATION_MS_MAX) throw new InvalidArgumentError('Durations go from 1ms to 1h.');
  return ms;
}

/** Likewise; nothing at all, or up to a year. */
function retryWindow(text: string): number {
  const ms = milliseconds(text);
  if (ms > RETRY_WINDOW_MS_MAX) throw new InvalidArgumentError('Retry windows go from 0ms to 8760h.');
  return ms;
}

/** Likewise; up to ten years. */
export function ttl(text: string): number {
  const ms = milliseconds(text);
  if (ms < 1 || ms > TTL_MS_MAX) throw new InvalidArgumentError('Times to live go from 1ms to 87600h.');
  return ms;
}

/** The same for a replica and for those of a master. */
export function retryWindowOption(): Option {
  return new Option(
    '--retry-window <duration>',
    'for how long a client may send an operation again and have it take effect once; the log keeps writes for twice as long after every member holds them',
  )
    .argParser(retryWindow)
    .default(RETRY_WINDOW_MS_DEFAULT, '10m');
}

export function proceduresOption(): Option {
  return new Option(
    '--procedures <file>',
    'a module whose default export is merge procedures, one or a list, that replicas then know; may be repeated',
  )
    .argParser((path: string, before: readonly string[]) => [...before, path])
    .default([], 'none');
}

function milliseconds(text: string): number {
  if (/^\d+$/.test(text)) throw new InvalidArgumentError(`A duration needs a unit: "${text}ms" or "${text}s"?`);
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS_MS.get(unit) ?? Number.NaN);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('A duration is written like 250ms, 2s or 1m.');
  return Math.round(ms);
}

/** A duration, or `off`: the parser of options takes a null for a missing value. */
export function durationOrOff(text: string): number | 'off' {
  return text === 'off' ? 'off' : duration(text);
}

/** Hours of virtual time, or minutes of real time: whole or not. */
export function span(text: string): number {
  const number = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : 0;
  if (number > 0) return number;
  throw new InvalidArgumentError('It takes a number above 0, like 1 or 0.25.');
}

/** A parser for a number of things. */
export function count(max: number, min = 1): (text: string) => number {
  return (text) => wholeNumber(text, min, max, `It takes a whole number from ${min} to ${max}.`);
}

export function seed(text: string): number {
  return wholeNumber(text, 0, SEED_MAX, `Seeds go from 0 to ${SEED_MAX}.`);
}

export function port(text: string): number {
  return wholeNumber(text, 1, 65_535, 'Ports go from 1 to 65535.');
}

/** A port, or 0 for one that the system picks. */
export function portOrAny(text: string): number {
  return wholeNumber(text, 0, 65_535, 'Ports go from 1 to 65535; 0 lets the system pick one.');
}

export function incarnation(text: string): number {
  return wholeNumber(text, 1, Number.MAX_SAFE_INTEGER, 'Incarnations are whole numbers from 1.');
}

/** What a number is changed by. */
export function change(text: string): number {
  const number = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new InvalidArgumentError('It takes a whole number within 2^53 - 1.');
}

function wholeNumber(text: string, min: number, max: number, advice: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new InvalidArgumentError(advice);
}

/** A parser for an option that takes one of a few words. */
export function oneOf<const Choice extends string>(choices: readonly Choice[]): (text: string) => Choice {
  return (text) => {
    const choice = choices.find((known) => known === text);
    if (choice !== undefined) return choice;
    throw new InvalidArgumentError(`It takes ${choices.join(' or ')}${didYouMean(text, choices)}`);
  };
}

/** A parser for a list of words with commas between; `none` and `all` stand for themselves. */
export function listOf<const Choice extends string>(choices: readonly Choice[]): (text: string) => readonly Choice[] {
  return (text) => {
    if (text === 'none') return [];
    if (text === 'all') return choices;
    const words = text.split(',').map((word) => word.trim());
    const strange = words.find((word) => !choices.some((choice) => choice === word));
    if (strange === undefined) return choices.filter((choice) => words.includes(choice));
    const known = [...choices, 'none', 'all'];
    throw new InvalidArgumentError(`${quoted(strange)} is none of ${known.join(', ')}${didYouMean(strange, known)}`);
  };
}

export function id(text: string): string {
  const wrong = checkId(text);
  if (wrong === null) return text;
  throw new InvalidArgumentError(wrong.advice);
}

export interface Peer {
  readonly id: string;
  readonly host: string;
  readonly port: number;
}

/** Adds `ID=HOST:PORT` to the peers before it. */
export function peer(text: string, before: readonly Peer[]): readonly Peer[] {
  const added = singlePeer(text);
  if (before.some((other) => other.id === added.id)) {
    throw new InvalidArgumentError(`${quoted(added.id)} is named twice.`);
  }
  return [...before, added];
}

export function singlePeer(text: string): Peer {
  // An id may hold an equals sign; an address does not.
  const equals = text.lastIndexOf('=');
  const address = equals < 1 ? null : addressOf(text.slice(equals + 1));
  if (address === null) throw new InvalidArgumentError('A peer is written ID=HOST:PORT, like s2=127.0.0.1:6263.');
  return { id: id(text.slice(0, equals)), ...address };
}

/** Adds `HOST:PORT`, or several with commas between, to the addresses before. Empty text adds none. */
export function addresses(text: string, before: readonly Address[] = []): readonly Address[] {
  const added = text.split(',').map((word) => word.trim());
  return [...before, ...added.filter((word) => word !== '').map(parseAddress)];
}

function parseAddress(text: string): Address {
  const address = addressOf(text);
  if (address !== null) return address;
  throw new InvalidArgumentError('An address is written HOST:PORT, like 127.0.0.1:7070 or [::1]:7070.');
}

/** Null if it is not `HOST:PORT`. */
function addressOf(text: string): Address | null {
  const address = readAddress(text);
  return address === null ? null : { host: address.host, port: port(`${address.port}`) };
}

/** `TIME@ID#INCARNATION`, as `barista log` prints it; null if it is none. */
export function readStamp(text: string): AcceptStamp | null {
  const [, time = '', name = '', incarnation = ''] = /^(\d+)@(.+)#(\d+)$/.exec(text) ?? [];
  const [acceptTime, life] = [Number(time), Number(incarnation)];
  if (checkId(name) !== null || !Number.isSafeInteger(acceptTime) || !Number.isSafeInteger(life) || life < 1)
    return null;
  return { acceptTime, origin: originOf(name as ReplicaId, life) };
}

export function stamp(text: string): AcceptStamp {
  const read = readStamp(text);
  if (read !== null) return read;
  throw new InvalidArgumentError('A stamp is written TIME@ID#INCARNATION, as `barista log` prints it.');
}
