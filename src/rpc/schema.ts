import { assert } from '../base/assert.js';
import type { BinaryReader } from './binary-reader.js';
import type { BinaryWriter } from './binary-writer.js';
import { located, malformed } from './field-error.js';
import { STOP, WireType } from './thrift.js';

/** How one type of value stands on the wire. Throws a FieldError for what is not such a value, in both directions. */
export interface Codec<T> {
  /** What barista.thrift says of it; tests compare the two. */
  readonly shape: Shape;
  readonly wireType: number;
  read(reader: BinaryReader): T;
  write(writer: BinaryWriter, value: T): void;
}

export type Shape =
  | { readonly kind: 'bool' | 'i32' | 'i64' | 'string' | 'binary' }
  | { readonly kind: 'enum'; readonly name: string; readonly members: Readonly<Record<string, number>> }
  | { readonly kind: 'list'; readonly of: Shape }
  | { readonly kind: 'struct' | 'union'; readonly name: string; readonly fields: readonly FieldShape[] };

export interface FieldShape {
  readonly id: number;
  readonly name: string;
  readonly required: boolean;
  readonly shape: Shape;
}

export const bool: Codec<boolean> = {
  shape: { kind: 'bool' },
  wireType: WireType.bool,
  read: (reader) => reader.bool(),
  write: (writer, value) => writer.bool(value),
};

/** A codec for another type that stands on the wire as `inner` does. */
export function mapped<Inner, T>(
  inner: Codec<Inner>,
  decode: (value: Inner) => T,
  encode: (value: T) => Inner,
): Codec<T> {
  return {
    shape: inner.shape,
    wireType: inner.wireType,
    read: (reader) => decode(inner.read(reader)),
    write: (writer, value) => inner.write(writer, encode(value)),
  };
}

export function list<T>(element: Codec<T>): Codec<readonly T[]> {
  return {
    shape: { kind: 'list', of: element.shape },
    wireType: WireType.list,
    read: (reader) => {
      const size = reader.list(element.wireType);
      const values: T[] = [];
      try {
        while (values.length < size) values.push(element.read(reader));
      } catch (thrown) {
        throw located(thrown, `[${values.length}]`);
      }
      return values;
    },
    write: (writer, values) => {
      writer.list(element.wireType, values.length);
      let index = 0;
      try {
        for (; index < values.length; index++) element.write(writer, values[index] as T);
      } catch (thrown) {
        throw located(thrown, `[${index}]`);
      }
    },
  };
}

/** An enum of barista.thrift; `members` gives each of our words its name and number there. */
export function enumeration<T extends string>(
  name: string,
  members: Readonly<Record<T, readonly [name: string, value: number]>>,
): Codec<T> {
  const words = new Map<number, T>();
  const numbers = new Map<T, number>();
  const shape: Record<string, number> = {};
  for (const word of Object.keys(members) as T[]) {
    const [member, value] = members[word];
    words.set(value, word);
    numbers.set(word, value);
    shape[member] = value;
  }
  return {
    shape: { kind: 'enum', name, members: shape },
    wireType: WireType.i32,
    read: (reader) => {
      const value = reader.i32();
      const word = words.get(value);
      if (word === undefined) throw malformed(`${value} is not a ${name}`);
      return word;
    },
    write: (writer, word) => {
      const value = numbers.get(word);
      assert(value !== undefined, `${word} is not a ${name}`);
      writer.i32(value);
    },
  };
}

interface Field<T> {
  readonly id: number;
  readonly name: string;
  readonly required: boolean;
  readonly codec: Codec<unknown>;
  /** The field's value in a T; null if it is not set. */
  readonly get: (value: T) => unknown;
}

/**
 * Describes a struct field by field, in the order of barista.thrift: how each stands on the wire, and where it is in
 * our type. `build` says how a value of ours is made of the fields, so that decoding makes nothing in between.
 */
export function structOf<T>(name: string): StructBuilder<T, []> {
  return new StructBuilder(name, []);
}

class StructBuilder<T, Values extends readonly unknown[]> {
  readonly #name: string;
  readonly #fields: readonly Field<T>[];

  constructor(name: string, fields: readonly Field<T>[]) {
    this.#name = name;
    this.#fields = fields;
  }

  required<V>(id: number, name: string, codec: Codec<V>, get: (value: T) => V): StructBuilder<T, [...Values, V]> {
    return this.#with({ id, name, required: true, codec, get });
  }

  /** Null where it is not set. */
  optional<V>(
    id: number,
    name: string,
    codec: Codec<V>,
    get: (value: T) => V | null,
  ): StructBuilder<T, [...Values, V | null]> {
    return this.#with({ id, name, required: false, codec, get });
  }

  build(make: (...values: Values) => T): Codec<T> {
    return struct(this.#name, this.#fields, make as (...values: readonly unknown[]) => T);
  }

  #with<Next extends readonly unknown[]>(field: Field<T>): StructBuilder<T, Next> {
    return new StructBuilder(this.#name, [...this.#fields, field]);
  }
}

function struct<T>(name: string, fields: readonly Field<T>[], make: (...values: readonly unknown[]) => T): Codec<T> {
  const count = fields.length;
  assert(count < 32, `${name} has more fields than there are bits`);
  const indexOf = indexById(fields);
  const requiredBits = fields.reduce((bits, field, index) => (field.required ? bits | (1 << index) : bits), 0);

  const read = (reader: BinaryReader): T => {
    const values: unknown[] = [];
    for (let i = 0; i < count; i++) values.push(null);
    let setBits = 0;
    let index = 0;
    try {
      for (let type = reader.byte(); type !== STOP; type = reader.byte()) {
        const id = reader.i16();
        // Writers keep the order of barista.thrift, so the next field is nearly always the expected one.
        if (fields[index]?.id !== id) index = indexOf(id);
        const field = fields[index];
        if (field === undefined) {
          reader.skip(type);
          continue;
        }
        const bit = 1 << index;
        checkField(type, field.codec.wireType, (setBits & bit) !== 0);
        setBits |= bit;
        values[index] = field.codec.read(reader);
        index++;
      }
    } catch (thrown) {
      throw located(thrown, stepTo(fields[index]));
    }
    if ((setBits & requiredBits) !== requiredBits) {
      const missing = fields.find((field, i) => field.required && (setBits & (1 << i)) === 0);
      throw malformed('a required field is missing').within(stepTo(missing));
    }
    return make(...values);
  };

  const write = (writer: BinaryWriter, value: T): void => {
    let index = 0;
    try {
      for (; index < count; index++) {
        const field = fields[index] as Field<T>;
        const part = field.get(value);
        if (part === null) continue;
        writer.field(field.codec.wireType, field.id);
        field.codec.write(writer, part);
      }
    } catch (thrown) {
      throw located(thrown, stepTo(fields[index]));
    }
    writer.stop();
  };

  return { shape: { kind: 'struct', name, fields: fields.map(shapeOf) }, wireType: WireType.struct, read, write };
}

interface Arm<T> {
  readonly id: number;
  readonly name: string;
  readonly codec: Codec<T>;
  readonly is: (value: T) => boolean;
}

/** Describes a union arm by arm: exactly one field is set. */
export function unionOf<T>(name: string): UnionBuilder<T> {
  return new UnionBuilder(name, []);
}

class UnionBuilder<T> {
  readonly #name: string;
  readonly #arms: readonly Arm<T>[];

  constructor(name: string, arms: readonly Arm<T>[]) {
    this.#name = name;
    this.#arms = arms;
  }

  arm<A extends T>(id: number, name: string, codec: Codec<A>, is: (value: T) => value is A): UnionBuilder<T> {
    // Sound: the codec writes only what `is` let through.
    return new UnionBuilder(this.#name, [...this.#arms, { id, name, codec: codec as unknown as Codec<T>, is }]);
  }

  build(): Codec<T> {
    return union(this.#name, this.#arms);
  }
}

function union<T>(name: string, arms: readonly Arm<T>[]): Codec<T> {
  const indexOf = indexById(arms);

  const read = (reader: BinaryReader): T => {
    const type = reader.byte();
    if (type === STOP) throw malformed(`a ${name} with no field set`);
    const id = reader.i16();
    const arm = arms[indexOf(id)];
    if (arm === undefined) throw malformed(`field ${id} of ${name} is not known here`);
    let value: T;
    try {
      checkField(type, arm.codec.wireType, false);
      value = arm.codec.read(reader);
    } catch (thrown) {
      throw located(thrown, `.${arm.name}`);
    }
    if (reader.byte() !== STOP) throw malformed(`a ${name} with more than one field set`);
    return value;
  };

  const write = (writer: BinaryWriter, value: T): void => {
    const arm = arms.find(({ is }) => is(value));
    assert(arm !== undefined, `no field of ${name} for this value`);
    writer.field(arm.codec.wireType, arm.id);
    try {
      arm.codec.write(writer, value);
    } catch (thrown) {
      throw located(thrown, `.${arm.name}`);
    }
    writer.stop();
  };

  const fields = arms.map((arm) => shapeOf({ ...arm, required: false }));
  return { shape: { kind: 'union', name, fields }, wireType: WireType.struct, read, write };
}

function shapeOf(field: Pick<Field<never>, 'id' | 'name' | 'required'> & { codec: { shape: Shape } }): FieldShape {
  return { id: field.id, name: field.name, required: field.required, shape: field.codec.shape };
}

/** The step of a path; none beyond the last field. */
function stepTo(field: { readonly name: string } | undefined): string {
  return field === undefined ? '' : `.${field.name}`;
}

/** Where the field of an id stands; beyond the end if there is none. */
function indexById(fields: readonly { readonly id: number }[]): (id: number) => number {
  return (id) => {
    let index = 0;
    while (index < fields.length && fields[index]?.id !== id) index++;
    return index;
  };
}

function checkField(type: number, expected: number, seen: boolean): void {
  if (type !== expected) throw malformed(`wire type ${type}, expected ${expected}`);
  if (seen) throw malformed('the field stands here twice');
}
