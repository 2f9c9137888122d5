/** `import { connect } from 'barista/client'`: a client of replicas elsewhere. */
export {
  type BundleOptions,
  type BundleSummary,
  type Bundles,
  type ExportOptions,
  inspectBundle,
} from '../bundle/library.js';
export * from '../session/exports.js';
export { type Client, type ConnectOptions, connect, type EndpointStatus } from './connect.js';
