/** Writes FlatBuffers for tests, by slot number: what the readers are tested on besides fixtures. */
import { Builder } from "flatbuffers";

/** A field: a scalar is added in place, everything else is written first and then pointed at. */
export type Field =
  | { readonly add: (builder: Builder, slot: number) => void }
  | { readonly write: (builder: Builder) => number };

export type Written = Extract<Field, { write: unknown }>;

export const u8 = (value: number): Field => ({
  add: (builder, slot) => builder.addFieldInt8(slot, value, null),
});

export const i32 = (value: number): Field => ({
  add: (builder, slot) => builder.addFieldInt32(slot, value, null),
});

export const i64 = (value: bigint): Field => ({
  add: (builder, slot) => builder.addFieldInt64(slot, BigInt.asIntN(64, value), null),
});

export const f64 = (value: number): Field => ({
  add: (builder, slot) => builder.addFieldFloat64(slot, value, null),
});

export const string = (value: string): Written => ({
  write: (builder) => builder.createString(value),
});

/** A table with these fields; `undefined` leaves a slot out. */
export const table = (fields: Readonly<Record<number, Field | undefined>>): Written => ({
  write: (builder) => {
    const adders: ((slot: number) => void)[] = [];
    const slots = Object.keys(fields).map(Number);
    for (const slot of slots) {
      const field = fields[slot];
      if (field === undefined) continue;
      if ("add" in field) {
        adders[slot] = () => field.add(builder, slot);
      } else {
        const offset = field.write(builder);
        adders[slot] = () => builder.addFieldOffset(slot, offset, 0);
      }
    }
    builder.startObject(Math.max(0, ...slots.map((slot) => slot + 1)));
    for (const [slot, add] of adders.entries()) add?.(slot);
    return builder.endObject();
  },
});

export const tables = (items: readonly Written[]): Written => ({
  write: (builder) => {
    const offsets = items.map((item) => item.write(builder));
    builder.startVector(4, offsets.length, 4);
    for (const offset of offsets.reverse()) builder.addOffset(offset);
    return builder.endVector();
  },
});

export const bytes = (items: ArrayLike<number>): Written => ({
  write: (builder) => {
    builder.startVector(1, items.length, 16);
    for (let i = items.length - 1; i >= 0; i--) builder.addInt8(items[i] as number);
    return builder.endVector();
  },
});

export const i32s = (items: readonly number[]): Written => ({
  write: (builder) => {
    builder.startVector(4, items.length, 4);
    for (const item of items.toReversed()) builder.addInt32(item);
    return builder.endVector();
  },
});

export const i64s = (items: readonly bigint[]): Written => ({
  write: (builder) => {
    builder.startVector(8, items.length, 8);
    for (const item of items.toReversed()) builder.addInt64(BigInt.asIntN(64, item));
    return builder.endVector();
  },
});

export const f64s = (items: readonly number[]): Written => ({
  write: (builder) => {
    builder.startVector(8, items.length, 8);
    for (const item of items.toReversed()) builder.addFloat64(item);
    return builder.endVector();
  },
});

/** A whole buffer with its root and four-character identifier. */
export function flatbuffer(root: Written, identifier: string): Uint8Array {
  const builder = new Builder(1024);
  builder.finish(root.write(builder), identifier);
  return builder.asUint8Array().slice();
}
