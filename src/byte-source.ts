/**
 * Bytes by range: how a model file is read without holding it in memory. A local file, an HTTP URL
 * with ranges, a `Blob` and an `ArrayBuffer` all look like this.
 */
export interface ByteSource {
  /** A path, URL or description, for messages. */
  readonly name: string;
  /** Total length in bytes. */
  readonly byteLength: number;
  /**
   * Reads exactly `length` bytes from `offset`. Rejects with `FormatError` where the range passes
   * the end, and with the reason of `signal` where that aborts.
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** Releases what the source holds (a file handle). Reading afterwards fails. */
  close(): Promise<void>;
}
