/* UTF-8, for the rooms that know nothing of Node. */

/** The bytes of a text in UTF-8; it must hold no half of a surrogate pair. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 127) return bytesOfAny(text);
    bytes[i] = unit;
  }
  return bytes;
}

function bytesOfAny(text: string): Uint8Array {
  const escaped = encodeURIComponent(text).match(/%[0-9A-F]{2}|[^%]/g) ?? [];
  return Uint8Array.from(escaped, (byte) =>
    byte.length === 3 ? Number.parseInt(byte.slice(1), 16) : byte.charCodeAt(0),
  );
}

/** The text of bytes; null if they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | null {
  let text = '';
  let isPlain = true;
  for (const byte of bytes) {
    if (byte > 127) isPlain = false;
    text += String.fromCharCode(byte);
  }
  if (isPlain) return text;
  try {
    return decodeURIComponent(Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''));
  } catch (thrown) {
    if (thrown instanceof URIError) return null;
    throw thrown;
  }
}
