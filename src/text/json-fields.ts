import { FormatError } from "../errors.ts";

/** A JSON object whose fields are checked as they are read; `FormatError` where a type is wrong. */
export class JsonObject {
  readonly where: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(where: string, value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new FormatError(`${where} is not an object`);
    this.where = where;
    this.#fields = value as Record<string, unknown>;
  }

  /** The field's value; null counts as absent. */
  value(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? (this.#fields[name] ?? undefined) : undefined;
  }

  entries(): [string, unknown][] {
    return Object.entries(this.#fields);
  }

  #wrong(name: string, expected: string): FormatError {
    return new FormatError(`${this.where}.${name} is not ${expected}`);
  }

  text(name: string): string | undefined {
    const value = this.value(name);
    if (value !== undefined && typeof value !== "string") throw this.#wrong(name, "a string");
    return value;
  }

  flag(name: string): boolean | undefined {
    const value = this.value(name);
    if (value !== undefined && typeof value !== "boolean") throw this.#wrong(name, "a boolean");
    return value;
  }

  list(name: string): readonly unknown[] | undefined {
    const value = this.value(name);
    if (value !== undefined && !Array.isArray(value)) throw this.#wrong(name, "an array");
    return value as unknown[] | undefined;
  }

  object(name: string): JsonObject | undefined {
    const value = this.value(name);
    return value === undefined ? undefined : new JsonObject(`${this.where}.${name}`, value);
  }

  objects(name: string): JsonObject[] {
    return (this.list(name) ?? []).map(
      (item, index) => new JsonObject(`${this.where}.${name}[${index}]`, item),
    );
  }

  /** A field that must be there. */
  required<T>(name: string, value: T | undefined): T {
    if (value === undefined) throw new FormatError(`${this.where}.${name} is missing`);
    return value;
  }
}
