import { BaristaError, messageOf } from '../base/errors.js';
import type { Header, History, HistoryEvent } from './history.js';
import { type Fields, LINES, type LineType, wrongField } from './line-fields.js';

/*
 * A history as text: one JSON object a line, first the header. What is read is checked whole, so that the checks can rely on
 * the types; an error names the line.
 */

export function formatLine(line: Header | HistoryEvent): string {
  return JSON.stringify(line);
}

/** Reads a history line by line. */
export class HistoryReader {
  #header: Header | null = null;
  #lines = 0;

  /** The next line, without its line break. Null if it is the header, or blank. */
  take(text: string): HistoryEvent | null {
    this.#lines += 1;
    if (text.trim() === '') return null;
    const object = this.#parse(text);
    const { type } = object;
    if (this.#header === null) {
      if (type !== 'history') throw this.#error('is not the header: the first line says {"type":"history", …}');
      this.#header = this.#checked<Header>(object, 'history');
      return null;
    }
    if (type === 'history') throw this.#error('is another header: one history a file');
    if (typeof type !== 'string' || !isLineType(type)) {
      throw this.#error(`is of no known type: ${JSON.stringify(type)}`);
    }
    return this.#checked<HistoryEvent>(object, type);
  }

  /** Known once its line was taken. */
  get header(): Header | null {
    return this.#header;
  }

  /** When no more lines come. */
  end(): Header {
    if (this.#header !== null) return this.#header;
    throw new BaristaError('ERR_HISTORY', 'the history is empty: not even its header is there');
  }

  #parse(text: string): Readonly<Record<string, unknown>> {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (thrown) {
      throw this.#error(`is not JSON, or was cut off: ${messageOf(thrown)}`, thrown);
    }
    if (isObject(value)) return value;
    throw this.#error('is not an object');
  }

  #checked<Line extends Header | HistoryEvent>(object: Readonly<Record<string, unknown>>, type: LineType): Line {
    const fields: Fields = LINES[type];
    const wrong = wrongField(object, fields);
    if (wrong !== null) throw this.#error(`(${type}): ${wrong}`);
    return object as unknown as Line;
  }

  #error(what: string, cause?: unknown): BaristaError {
    return new BaristaError('ERR_HISTORY', `line ${this.#lines} ${what}`, { cause });
  }
}

/** A history from its lines. Its events are read as they are asked for, once. */
export function parseHistory(lines: Iterable<string>): History {
  const reader = new HistoryReader();
  const rest = lines[Symbol.iterator]();
  while (reader.header === null) {
    const next = rest.next();
    if (next.done === true) break;
    reader.take(next.value);
  }
  return { header: reader.end(), events: eventsOf(reader, rest) };
}

function* eventsOf(reader: HistoryReader, lines: Iterator<string>): Generator<HistoryEvent> {
  for (let next = lines.next(); next.done !== true; next = lines.next()) {
    const event = reader.take(next.value);
    if (event !== null) yield event;
  }
}

function isLineType(type: string): type is LineType {
  return Object.hasOwn(LINES, type);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
