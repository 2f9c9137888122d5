/** What both faces of the library give. */
export { type BundleOptions, type BundleSummary, type Bundles, type ExportOptions, inspectBundle } from './library.js';
