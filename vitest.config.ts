import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: 'tests/no-orphans.ts',
    // Only what hangs. Some start dozens of processes, on machines of two cores that have much else to do; and longer than
    // what a test waits for in vain, so that a failure says what did not happen.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxConcurrency: 4,
    // One for each core, not one less: on two cores the files would wait for each other. Many wait for processes anyway.
    maxWorkers: '100%',
  },
});
