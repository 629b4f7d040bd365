/** Reads a GGUF file's metadata for tests that are not about reading GGUF. Trusts the file. */
export function ggufMetadata(file: Uint8Array): Map<string, unknown> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const decoder = new TextDecoder();
  let at = 8;
  const take = (bytes: number): number => (at += bytes) - bytes;
  const u32 = (): number => view.getUint32(take(4), true);
  const u64 = (): number => Number(view.getBigUint64(take(8), true));
  const text = (): string => {
    const length = u64();
    return decoder.decode(file.subarray(at, (at += length)));
  };
  const readers: Record<number, () => unknown> = {
    4: u32,
    5: () => view.getInt32(take(4), true),
    6: () => view.getFloat32(take(4), true),
    7: () => view.getUint8(take(1)) !== 0,
    8: text,
    9: () => {
      const type = u32();
      return Array.from({ length: u64() }, () => value(type));
    },
    10: u64,
  };
  const value = (type: number): unknown => {
    const read = readers[type];
    if (read === undefined) throw new Error(`metadata type ${type} is not needed by the tests`);
    return read();
  };
  u64(); // Number of tensors.
  const metadata = new Map<string, unknown>();
  for (let left = u64(); left > 0; left--) {
    const key = text();
    metadata.set(key, value(u32()));
  }
  return metadata;
}
