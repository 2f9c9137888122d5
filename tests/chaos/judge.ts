import { checkHistory } from '../../src/check/check.js';
import type { History } from '../../src/check/history.js';

/** What the checkers find in the history; how much each looked at is printed. */
export function judge(history: History, print: (line: string) => void): string[] {
  const { reads, writes, states, checks, violations } = checkHistory(history);
  const count = (n: number): string => n.toLocaleString('en');
  print(`checked: ${count(reads)} reads, ${count(writes)} writes, ${states} states`);
  for (const { check, looked, violations: found } of checks) {
    print(`  ${check}: looked at ${count(looked)}${found === 0 ? '' : `, VIOLATED ${count(found)} times`}`);
  }
  return violations.map(({ check, message }) => `${check}: ${message}`);
}
