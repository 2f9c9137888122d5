import type { News } from '../bayou/messages.js';
import { clusterTerms } from './pull-codec.js';
import { replicaId } from './scalars.js';
import { type Codec, structOf } from './schema.js';
import { origin, versionVector } from './stamp-codec.js';

export const newsRequest: Codec<News> = structOf<News>('NewsRequest')
  .required(1, 'terms', clusterTerms, (news) => news.terms)
  .required(2, 'sender', origin, (news) => news.from)
  .required(3, 'recipient', replicaId, (news) => news.to)
  .required(4, 'fresh', versionVector, (news) => news.fresh)
  .build((terms, from, to, fresh) => ({ terms, from, to, fresh }));
