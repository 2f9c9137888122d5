import { beforeEach, describe, expect, test } from 'vitest';
import { ConnectionTable, type TableEntry } from '../../src/rpc/connection-table.js';

class Connection implements TableEntry {
  isIdle = true;
  evicted: string | null = null;

  evict(why: string): void {
    this.evicted = why;
  }
}

describe('the connections of a listener', () => {
  let table: ConnectionTable<Connection>;
  let connections: readonly [Connection, Connection, Connection];
  const evicted = (): boolean[] => connections.map((connection) => connection.evicted !== null);

  function fill(idleMsMin: number): void {
    table = new ConnectionTable({ connectionsMax: 3, heldBytesMax: 100, idleMsMin });
    for (const connection of connections) {
      expect(table.makeRoom()).toBe(true);
      table.add(connection);
    }
  }

  beforeEach(() => {
    connections = [new Connection(), new Connection(), new Connection()];
  });

  test('make room in the order in which they were last of use', () => {
    fill(0);
    table.used(connections[0]);
    expect(table.makeRoom()).toBe(true);
    expect(evicted()).toEqual([false, true, false]);
    expect([...table.connections()]).toEqual([connections[2], connections[0]]);
  });

  test('make no room while a call waits for its answer', () => {
    fill(0);
    connections[0].isIdle = false;
    expect(table.makeRoom()).toBe(true);
    expect(evicted()).toEqual([false, true, false]);
  });

  test('make no room if all are at work, or were just now', () => {
    fill(0);
    for (const connection of connections) connection.isIdle = false;
    expect(table.makeRoom()).toBe(false);
    fill(60_000);
    for (const connection of connections) connection.isIdle = true;
    expect(table.makeRoom()).toBe(false);
    expect(evicted()).toEqual([false, false, false]);
  });

  test('are ended, the one that holds most first, while together they hold too much', () => {
    fill(0);
    table.holds(connections[0], 30);
    table.holds(connections[1], 50);
    expect(evicted()).toEqual([false, false, false]);
    table.holds(connections[2], 40);
    expect(evicted()).toEqual([false, true, false]);
    table.holds(connections[1], 1_000);
    table.holds(connections[0], 0);
    table.holds(connections[0], 60);
    expect(evicted()).toEqual([false, true, false]);
    table.remove(connections[2]);
    table.holds(connections[0], 100);
    expect(evicted()).toEqual([false, true, false]);
    table.holds(connections[0], 101);
    expect(evicted()).toEqual([true, true, false]);
  });
});
