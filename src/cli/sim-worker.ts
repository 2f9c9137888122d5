import { parentPort } from 'node:worker_threads';
import { assert } from '../base/assert.js';
import { BaristaError } from '../base/errors.js';
import { generatePlan } from '../sim/generate.js';
import { judge } from '../sim/verdict.js';
import { mergingOf } from './sim-merging.js';
import { runTask, type SimMessage, type SimNote, type SimTask } from './sim-task.js';

/* A thread that runs the seeds it is given, one after another. */

assert(parentPort !== null, 'this runs in a thread of its own');
const port = parentPort;

port.on('message', async (task: SimTask) => port.postMessage(await answerTo(task)));

async function answerTo(task: SimTask): Promise<SimMessage> {
  try {
    const merging = await mergingOf(task.world.procedureFiles);
    const tell = (note: SimNote): void => port.postMessage({ kind: 'note', note } satisfies SimMessage);
    return {
      kind: 'result',
      result: runTask(task, { merging, makePlan: generatePlan, judge, now: () => performance.now(), tell }),
    };
  } catch (thrown) {
    // Between threads an error loses what it was.
    if (thrown instanceof BaristaError) return { kind: 'refused', code: thrown.code, message: thrown.message };
    throw thrown;
  }
}
