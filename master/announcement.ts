import type { Readable } from 'node:stream';

/** The one line a replica prints on standard output when it has started, or could not. */
export type Announcement =
  | { readonly event: 'listening'; readonly host: string; readonly port: number }
  | { readonly event: 'failed'; readonly code: string; readonly message: string }
  /** What stands on the line is neither. */
  | { readonly event: 'nonsense'; readonly text: string }
  /** The process ended, or closed its standard output, without a line. */
  | { readonly event: 'silence' };

const LINE_LENGTH_MAX = 16 * 1024;

/** What follows the first line is read and thrown away, so that the replica never waits for a reader. */
export function readAnnouncement(stdout: Readable): Promise<Announcement> {
  return new Promise((resolve) => {
    let text = '';
    const collect = (chunk: string): void => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end === -1 && text.length <= LINE_LENGTH_MAX) return;
      stdout.off('data', collect).resume();
      resolve(parse(end === -1 ? text : text.slice(0, end)));
    };
    stdout.setEncoding('utf8').on('data', collect);
    const silence = (): void => resolve({ event: 'silence' });
    stdout.on('end', silence).on('error', silence).on('close', silence);
  });
}

function parse(line: string): Announcement {
  const nonsense: Announcement = { event: 'nonsense', text: line.slice(0, 200) };
  const said = parseObject(line);
  if (said === null) return nonsense;
  const { event, host, port, code, message } = said;
  if (event === 'listening' && typeof host === 'string' && typeof port === 'number') return { event, host, port };
  if (event === 'failed' && typeof code === 'string' && typeof message === 'string') return { event, code, message };
  return nonsense;
}

function parseObject(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
