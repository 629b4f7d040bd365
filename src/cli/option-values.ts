import { InvalidArgumentError, Option } from "commander";

export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
  /** An exclusive lower bound. */
  readonly above?: number;
  readonly integer?: boolean;
}

/** A parser for an option's number, which says what is allowed where the value is not. */
export function numberOption({ min, max, above, integer }: NumberRange): (text: string) => number {
  const bounds = [
    min === undefined ? "" : `at least ${min}`,
    above === undefined ? "" : `above ${above}`,
    max === undefined ? "" : `at most ${max}`,
  ].filter((bound) => bound !== "");
  const allowed = [integer === true ? "a whole number" : "a number", ...bounds].join(", ");
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    const fits =
      Number.isFinite(value) &&
      (integer !== true || Number.isSafeInteger(value)) &&
      value >= (min ?? -Infinity) &&
      value <= (max ?? Infinity) &&
      value > (above ?? -Infinity);
    if (!fits) throw new InvalidArgumentError(`It must be ${allowed}.`);
    return value;
  };
}

/** Collects the values of an option that may be given many times. */
export function repeatable(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text];
}

/** A parser for values apart by commas, each read by `parse`. */
export function listOption<T>(parse: (text: string) => T): (text: string) => readonly T[] {
  return (text) => text.split(",").map((part) => parse(part));
}

/** Whether a tuned device may compute in half precision. */
export function precisionOption(): Option {
  return new Option("--precision <p>", "fast: half precision, where it measures faster").choices([
    "exact",
    "fast",
  ]);
}

type Optional<T> = { [K in keyof T]?: T[K] | undefined };

/** Leaves out what was not given, so that the library's own defaults apply. */
export function given<T extends object>(options: Optional<T>): Partial<T> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<T>;
}
