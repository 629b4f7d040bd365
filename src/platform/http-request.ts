import { RequestError } from "../errors.ts";

export interface RetryOptions {
  readonly signal?: AbortSignal;
  /** Wait before the first retry, doubled for each further one. Default 250 ms. */
  readonly retryDelayMs?: number;
}

/** Failures in a row, without a byte between them, after which a read gives up. */
const MAX_ATTEMPTS = 4;
const RETRY_DELAY_MS = 250;

/** A failure that a new request may cure: a dropped connection, a busy server. */
export class TransientError extends Error {}

/** A position in the body of a response: chunks as they come, whatever their size. */
export type Body = AsyncGenerator<Uint8Array, void, void>;

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal?.addEventListener("abort", wake, { once: true });
  });
  signal?.throwIfAborted();
}

/** Sends a request; answers of a server that is busy or broken for now become `TransientError`. */
export async function request(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    init.signal?.throwIfAborted();
    const { cause } = error as { cause?: { code?: string; message?: string } };
    const reason = cause?.message || cause?.code || (error as Error).message;
    throw new TransientError(reason, { cause: error });
  }
  if (response.status === 429 || response.status >= 500) {
    await response.body?.cancel();
    throw new TransientError(`HTTP status ${response.status}`);
  }
  if (!response.ok && response.status !== 416) {
    await response.body?.cancel();
    throw new RequestError(
      `${url}: HTTP status ${response.status}${response.statusText && ` ${response.statusText}`}`,
    );
  }
  return response;
}

/** The chunks of a body; a connection that breaks becomes `TransientError`. */
export async function* chunksOf(response: Response, signal: AbortSignal | undefined): Body {
  if (response.body === null) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        signal?.throwIfAborted();
        throw new TransientError("connection dropped", { cause: error });
      });
      if (done) return;
      yield value;
    }
  } finally {
    // Closes the connection where the reader went before the end.
    await reader.cancel().catch(() => undefined);
  }
}

/** Runs `attempt` until it succeeds; only failures without progress between them count. */
export async function retrying<T>(
  url: string,
  { signal, retryDelayMs = RETRY_DELAY_MS }: RetryOptions,
  attempt: (onProgress: () => void) => Promise<T>,
): Promise<T> {
  let failures = 0;
  for (;;) {
    try {
      return await attempt(() => {
        failures = 0;
      });
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      failures += 1;
      if (failures >= MAX_ATTEMPTS) {
        throw new RequestError(`${url}: ${error.message}; gave up after ${failures} attempts`, {
          cause: error,
        });
      }
      await pause(retryDelayMs * 2 ** (failures - 1), signal);
    }
  }
}
