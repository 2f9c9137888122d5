import { compareIds } from '../../src/base/ids.js';
import type { Guarantee } from '../../src/bayou/session.js';
import type { HistoryEvent } from '../../src/check/history.js';
import { type Circumstance, HOME } from './circumstances.js';
import type { SessionCluster } from './cluster.js';
import type { Cast, Scenario, Sight } from './scenarios.js';

/** One playing of a scenario: its sessions have `guarantees`. */
export interface Play {
  readonly scenario: Scenario;
  readonly guarantees: readonly Guarantee[];
  readonly cast: Cast;
  /** The replica it goes to from home. */
  readonly elsewhere: string;
  /** What was seen there, while it lacked what happened at home; null before. */
  apart: Sight | null;
  /** At each replica once all have met, home too. */
  readonly met: Sight[];
}

/** Has every scenario played, `copies` times with its guarantees and without, in one course of the circumstance. */
export async function runCourse(
  cluster: SessionCluster,
  circumstance: Circumstance,
  scenarios: readonly Scenario[],
  copies: number,
): Promise<readonly Play[]> {
  const plays = scenarios.flatMap((scenario) =>
    [scenario.guarantees, ...scenario.without].flatMap((guarantees) =>
      circumstance.elsewhere.flatMap((elsewhere) =>
        Array.from({ length: copies }, (_, copy) =>
          makePlay(cluster, scenario, guarantees, elsewhere, `${elsewhere}/${copy}`),
        ),
      ),
    ),
  );
  // One after the other, or all at once.
  const each = async (step: (play: Play) => Promise<unknown>): Promise<void> => {
    if (copies > 1) await Promise.all(plays.map(step));
    else for (const play of plays) await step(play);
  };
  for (const { cast } of plays) go(cluster, cast, HOME);
  await each(({ scenario, cast }) => scenario.before(cast));
  await cluster.stabilize();
  await circumstance.part(cluster);
  await each(({ scenario, cast }) => scenario.atHome(cast));
  await circumstance.leave(cluster);
  for (const { cast, elsewhere } of plays) go(cluster, cast, elsewhere);
  await each(async (play) => {
    play.apart = await play.scenario.elsewhere(play.cast);
  });
  for (const replica of circumstance.elsewhere) await cluster.recordState(replica, false);
  await circumstance.meet(cluster);
  await cluster.stabilize();
  for (const replica of [...cluster.ids().servers].sort(compareIds)) {
    for (const { cast } of plays) go(cluster, cast, replica);
    await each(async ({ scenario, cast, met }) => met.push(await scenario.elsewhere(cast)));
    // A session that has written here may have to wait until others hold that.
    await cluster.stabilize();
  }
  for (const replica of cluster.ids().servers) await cluster.recordState(replica, true);
  return plays;
}

function go(cluster: SessionCluster, { session, friend, stranger }: Cast, replica: string): void {
  for (const client of [session, friend, stranger]) cluster.roam(client, replica);
}

function makePlay(
  cluster: SessionCluster,
  scenario: Scenario,
  guarantees: readonly Guarantee[],
  elsewhere: string,
  copy: string,
): Play {
  const name = `${scenario.name.split(':')[0]}/${guarantees.join('+') || 'none'}/${copy}`;
  const cast = {
    session: cluster.client(`session ${name}`, guarantees),
    friend: cluster.client(`friend ${name}`, guarantees),
    stranger: cluster.client(`stranger ${name}`, []),
    key: (key: string) => `${name}/${key}`,
  };
  return { scenario, guarantees, cast, elsewhere, apart: null, met: [] };
}

/** The same history, but as if the sessions of these plays had asked for what their scenario is about. */
export function asIfAsked(events: readonly HistoryEvent[], plays: readonly Play[]): readonly HistoryEvent[] {
  const asked = new Map(
    plays.flatMap(({ scenario: { guarantees }, cast: { session, friend } }) => [
      [session.id, guarantees] as const,
      [friend.id, guarantees] as const,
    ]),
  );
  return events.map((event) =>
    event.type === 'session' ? { ...event, guarantees: asked.get(event.client) ?? event.guarantees } : event,
  );
}
