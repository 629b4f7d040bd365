/** Between two looks for events: short beside a token, long beside a look. */
const POLL_MS = 1;

/**
 * While a promise is pending, Dawn's binding looks for events in one `setImmediate` after the other, which
 * keeps a core busy. A software adapter computes and compiles on those very cores: after this it looks once
 * a millisecond. It changes the process's global `setImmediate`, so it is for programs, not for libraries.
 */
export function pollPatiently(): void {
  const later = (callback: (...parameters: unknown[]) => void, ...parameters: unknown[]) =>
    setTimeout(callback, POLL_MS, ...parameters);
  Object.assign(globalThis, { setImmediate: later, clearImmediate: clearTimeout });
}
