/** `import { connect } from 'barista/client'`: a client of replicas elsewhere. */
export * from '../bundle/exports.js';
export * from '../session/exports.js';
export { type Client, type ConnectOptions, connect, type EndpointStatus } from './connect.js';
