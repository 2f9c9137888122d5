import type { GenerateOptions } from '../sim/generate.js';
import type { ExploreRequest } from './explore-command.js';
import type { ReportRequest } from './report-run.js';

/** How many smaller plans are tried, and for how long at most. */
export interface ShrinkLimits {
  readonly runsMax: number;
  readonly minutesMax: number;
}

/** What becomes of a seed that fails. */
export interface SimKeeping {
  /** The folder for its script. */
  readonly out: string;
  readonly shrinking: ShrinkLimits;
}

/** What all runs are drawn from, beside their seeds. */
export interface SimWorld extends GenerateOptions {
  /** Modules of merge procedures, which all clients then write with. */
  readonly procedureFiles: readonly string[];
}

export interface SimRunRequest {
  readonly kind: 'run';
  readonly world: SimWorld;
  readonly keeping: SimKeeping;
  readonly seed: number;
  /** Where its history is written; null: nowhere. */
  readonly historyFile: string | null;
}

export interface SimSearchRequest {
  readonly kind: 'search';
  readonly world: SimWorld;
  readonly keeping: SimKeeping;
  readonly firstSeed: number;
  /** It ends after so many seeds, or after so long, whichever is first; one of them is given. */
  readonly seedsMax: number | null;
  readonly minutesMax: number | null;
  readonly jobs: number;
}

/** What `barista sim` was asked to do. */
export type SimRequest = SimRunRequest | SimSearchRequest | ExploreRequest | ReportRequest;
