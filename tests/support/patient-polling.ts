/**
 * While a promise is pending, Dawn's binding looks for events in one `setImmediate` after the other, which
 * keeps a core busy. Software adapters compute and compile on those very cores, so tests look once a
 * millisecond.
 */
const later = (callback: (...parameters: unknown[]) => void, ...parameters: unknown[]) =>
  setTimeout(callback, 1, ...parameters);
Object.assign(globalThis, { setImmediate: later });
