/**
 * Loops marked `// @unroll`, written out. A driver that leaves such a loop alone, because its body with all
 * bounds checks seems too long, keeps the arrays that it indexes in memory instead of in registers.
 */
import { constantsOf } from "./constant-expression.ts";

/** `for (var i = START; i < END; i++) { // @unroll`, or with `+=` or `*=`. */
const LOOP =
  /for \(var (\w+) = ([^;]+); \1 < ([^;]+); \1(?:(\+\+)|\s*([+*])=\s*([^;{]+))\) \{ \/\/ @unroll\b.*/;

/** More rounds would be a kernel that takes longer to load than to run. */
const MAX_ROUNDS = 64;

/** Where the block ends that begins before `start`: its closing brace. */
function blockEnd(source: string, start: number): number {
  let depth = 1;
  for (let at = start; at < source.length; at++) {
    if (source[at] === "{") depth += 1;
    else if (source[at] === "}") depth -= 1;
    if (depth === 0) return at;
  }
  throw new Error("wgsl: a block does not end");
}

/** The values that a loop's variable takes. */
function rounds(loop: RegExpExecArray, worth: (expression: string) => number): number[] {
  const [text, , start = "", end = "", increment, operator, by = ""] = loop;
  const step = increment === undefined ? worth(by) : 1;
  const last = worth(end);
  const values: number[] = [];
  for (
    let value = worth(start);
    value < last;
    value = operator === "*" ? value * step : value + step
  ) {
    values.push(value);
    if (values.length > MAX_ROUNDS) {
      throw new Error(`wgsl: more than ${MAX_ROUNDS} rounds: ${text}`);
    }
  }
  return values;
}

/** `source` with marked loops written out. Throws where one is not over constants, or leaves early. */
export function unroll(source: string): string {
  if (!source.includes("// @unroll")) return source;
  const worth = constantsOf(source);
  let rest = source;
  for (let loop = LOOP.exec(rest); loop !== null; loop = LOOP.exec(rest)) {
    const [text, name = ""] = loop;
    const bodyStart = loop.index + text.length;
    const end = blockEnd(rest, bodyStart);
    const body = rest.slice(bodyStart, end);
    if (/\b(?:break|continue)\b/.test(body)) {
      throw new Error(`wgsl: a loop to write out cannot be left early: ${text}`);
    }
    const variable = new RegExp(`(?<![\\w.])${name}\\b`, "g");
    const blocks = rounds(loop, worth).map((value) => `{${body.replace(variable, `${value}u`)}}`);
    rest = rest.slice(0, loop.index) + blocks.join("\n") + rest.slice(end + 1);
  }
  if (rest.includes("// @unroll")) {
    throw new Error(
      `wgsl: not a loop that can be written out: ${/.*\/\/ @unroll/.exec(rest)?.[0]}`,
    );
  }
  return rest;
}
