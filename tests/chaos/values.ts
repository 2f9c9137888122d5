import type { HistoryEvent } from '../../src/check/history.js';

/*
 * Values are names that no two writes share, filled up to a size. A history tells the names: the rest is checked and
 * left out.
 */

const FILLING = 'abcdefghijklmnopqrstuvwxyz';

export function makeValue(name: string, bytes: number): string {
  return `${name}|${bytes}|${FILLING.repeat(Math.ceil(bytes / FILLING.length)).slice(0, bytes)}`;
}

/** The name; the value as it is, with a word to the reader, if it is not one that was made. */
export function nameOf(value: string): string {
  const [name = '', bytes = ''] = value.split('|', 2);
  return value === makeValue(name, Number(bytes)) ? name : `damaged: ${value}`;
}

/** The event with names for values. */
export function withNames(event: HistoryEvent): HistoryEvent {
  switch (event.type) {
    case 'write':
      return event.value === null ? event : { ...event, value: nameOf(event.value) };
    case 'read':
      return event.value === undefined ? event : { ...event, value: nameOf(event.value) };
    case 'state':
      return {
        ...event,
        log: event.log.map((write) => (write.value === null ? write : { ...write, value: nameOf(write.value) })),
        store: event.store.map(([key, value, stamp]) => [key, nameOf(value), stamp] as const),
      };
    case 'session':
    case 'life':
      return event;
  }
}
