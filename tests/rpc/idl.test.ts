import { readFileSync } from 'node:fs';
import { keyBy, mapValues, sortBy } from 'lodash';
import { describe, expect, test } from 'vitest';
import { bundleEnd, bundleHead, bundlePart } from '../../src/rpc/bundle-codec.js';
import type { FieldShape, Shape } from '../../src/rpc/schema.js';
import { METHODS } from '../../src/rpc/services.js';

/*
 * barista.json is what Thrift's compiler makes of barista.thrift. The schemas of src/rpc are written by hand; here each
 * is held against it, field by field, so that the two cannot drift apart.
 */

interface IdlType {
  readonly typeId: string;
  readonly class?: string;
  readonly elemTypeId?: string;
  readonly elemType?: IdlType;
}

interface IdlField {
  readonly key: number;
  readonly name: string;
  readonly typeId: string;
  readonly type?: IdlType;
  readonly required: 'required' | 'optional' | 'req_out';
}

interface Idl {
  readonly enums: readonly { readonly name: string; readonly members: readonly { name: string; value: number }[] }[];
  readonly structs: readonly {
    readonly name: string;
    readonly isUnion: boolean;
    readonly fields: readonly IdlField[];
  }[];
  readonly services: readonly {
    readonly name: string;
    readonly functions: readonly {
      readonly name: string;
      readonly oneway: boolean;
      readonly returnType: IdlType;
      readonly arguments: readonly IdlField[];
      readonly exceptions: readonly IdlField[];
    }[];
  }[];
}

const idl = JSON.parse(readFileSync(new URL('../../src/rpc/generated/barista.json', import.meta.url), 'utf8')) as Idl;

/** A type in a word, such as `list<struct VectorEntry>`; an enum is an i32 to the compiler's output. */
function wordOfShape(shape: Shape): string {
  switch (shape.kind) {
    case 'list':
      return `list<${wordOfShape(shape.of)}>`;
    case 'enum':
      return 'i32';
    case 'struct':
    case 'union':
      return `struct ${shape.name}`;
    default:
      return shape.kind;
  }
}

function wordOfIdl(typeId: string, type: IdlType | undefined): string {
  if (typeId === 'list') return `list<${wordOfIdl(type?.elemTypeId ?? '', type?.elemType)}>`;
  return type?.class === undefined ? typeId : `struct ${type.class}`;
}

const fieldsOfShape = (fields: readonly FieldShape[]): string[] =>
  fields.map(
    ({ id, name, required, shape }) => `${id}: ${required ? 'required' : 'optional'} ${wordOfShape(shape)} ${name}`,
  );

const fieldsOfIdl = (fields: readonly IdlField[]): string[] =>
  sortBy(fields, 'key').map(
    ({ key, name, required, typeId, type }) => `${key}: ${required} ${wordOfIdl(typeId, type)} ${name}`,
  );

/** Every struct, union and enum that the methods reach, by name. */
function collect(shape: Shape, into: Map<string, Shape>): void {
  if (shape.kind === 'list') collect(shape.of, into);
  if (shape.kind === 'enum') into.set(shape.name, shape);
  if (shape.kind !== 'struct' && shape.kind !== 'union') return;
  into.set(shape.name, shape);
  for (const field of shape.fields) collect(field.shape, into);
}

const shapes = new Map<string, Shape>();
for (const method of Object.values(METHODS)) {
  for (const { shape } of [method.arguments, method.result]) {
    if (shape.kind === 'struct') for (const field of shape.fields) collect(field.shape, shapes);
  }
}

for (const { shape } of [bundleHead, bundlePart, bundleEnd]) collect(shape, shapes);

describe('the schemas are those of barista.thrift', () => {
  test.each(idl.structs)('$name', ({ name, isUnion, fields }) => {
    const shape = shapes.get(name);
    if (shape?.kind !== 'struct' && shape?.kind !== 'union') throw new Error(`no schema for ${name}`);
    expect(shape.kind).toBe(isUnion ? 'union' : 'struct');
    expect(fieldsOfShape(shape.fields)).toEqual(fieldsOfIdl(fields));
  });

  test.each(idl.enums)('$name', ({ name, members }) => {
    expect(shapes.get(name)).toEqual({ kind: 'enum', name, members: mapValues(keyBy(members, 'name'), 'value') });
  });

  test('and there are no others', () => {
    const names = [...idl.structs, ...idl.enums].map(({ name }) => name);
    expect([...shapes.keys()].sort()).toEqual(names.sort());
  });
});

describe('the methods are those of barista.thrift', () => {
  const methods = Object.values(METHODS);

  for (const service of idl.services) {
    test.each(service.functions)(
      `${service.name}:$name`,
      ({ name, oneway, returnType, arguments: args, exceptions }) => {
        const method = methods.find((candidate) => candidate.service === service.name && candidate.name === name);
        expect(oneway).toBe(false);
        expect(fieldsOf(method?.arguments.shape)).toEqual(
          args.map((arg) => `${arg.key}: struct ${arg.type?.class} ${arg.name}`),
        );
        expect(fieldsOf(method?.result.shape)).toEqual([
          `0: struct ${returnType.class} success`,
          ...exceptions.map((exception) => `${exception.key}: struct ${exception.type?.class} ${exception.name}`),
        ]);
      },
    );
  }

  test('and there are no others', () => {
    const names = idl.services.flatMap((service) => service.functions.map(({ name }) => `${service.name}:${name}`));
    expect(methods.map(({ service, name }) => `${service}:${name}`).sort()).toEqual(names.sort());
  });
});

function fieldsOf(shape: Shape | undefined): string[] {
  if (shape?.kind !== 'struct') return [];
  return shape.fields.map((field) => `${field.id}: ${wordOfShape(field.shape)} ${field.name}`);
}
