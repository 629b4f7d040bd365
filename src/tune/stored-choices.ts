/** Choices as a store keeps them, and what makes them invalid. */
import { adapterName } from "../gpu/capabilities.ts";
import type { Capabilities } from "../gpu/capabilities.ts";
import type { Tunable } from "../kernels/shared/tunable.ts";
import { hashText } from "./hash.ts";

/** Counted up when measuring changes so that older choices are worth less. */
const FORMAT = 1;

/** A text that is longer, or holds more, is not ours. */
const MAX_TEXT_LENGTH = 2 ** 20;
const MAX_CHOICES = 2000;
const MAX_NAME_LENGTH = 300;
const DIGEST = /^[0-9a-f]{16}$/;

/** What was chosen for a call, among which candidates. */
export interface StoredChoice {
  /** {@link digestOf} the tunable. */
  readonly digest: string;
  readonly choice: string;
}

export type StoredChoices = ReadonlyMap<string, StoredChoice>;

/**
 * The name under which a device's choices are kept: adapter and driver, limits, the features in use
 * and what else the device was made with.
 */
export function storeName(capabilities: Capabilities, settings: readonly string[]): string {
  const readable = adapterName(capabilities.adapter)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, "");
  return `${readable || "gpu"}-${hashText(JSON.stringify([FORMAT, capabilities, settings]))}`;
}

/** Changes with the names of the candidates and the kernels they run. */
export function digestOf<Live>({ candidates, trials }: Tunable<Live>): string {
  const described = candidates.map(({ name, route }) => [
    name,
    ...route().dispatches.map(({ kernel, grid, params }) => [
      kernel.source,
      kernel.overrides,
      trials.map(({ live }) => [grid(live), params(live)]),
    ]),
  ]);
  return hashText(JSON.stringify(described));
}

const isName = (value: unknown): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= MAX_NAME_LENGTH;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads what {@link formatChoices} wrote. Whatever else it is given, it takes what is sound of it. */
export function parseChoices(text: string | undefined): Map<string, StoredChoice> {
  const choices = new Map<string, StoredChoice>();
  if (text === undefined || text.length > MAX_TEXT_LENGTH) return choices;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return choices;
  }
  if (!isObject(json) || json["format"] !== FORMAT || !isObject(json["choices"])) return choices;
  for (const [key, value] of Object.entries(json["choices"]).slice(0, MAX_CHOICES)) {
    if (!isName(key) || !isObject(value)) continue;
    const { digest, choice } = value;
    if (typeof digest !== "string" || !DIGEST.test(digest) || !isName(choice)) continue;
    choices.set(key, { digest, choice });
  }
  return choices;
}

/** Choices as text, the latest where there are too many. */
export function formatChoices(device: string, choices: StoredChoices): string {
  const latest = [...choices].slice(-MAX_CHOICES);
  return `${JSON.stringify({ format: FORMAT, device, choices: Object.fromEntries(latest) }, undefined, 1)}\n`;
}
