import process from "node:process";
import { RequestError } from "../errors.ts";

/** Endings by which a lone argument is a model, whose prompt then comes from standard input. */
const MODEL_FILE = /\.(gguf|pte|safetensors)$/i;
const STDIN = "-";

export interface RunTarget {
  /** Undefined for the embedded model. */
  readonly model: string | undefined;
  /** Undefined where it is read from standard input. */
  readonly prompt: string | undefined;
}

/** Tells the model from the prompt in `tetrad run [MODEL] PROMPT`. */
export function parseTarget(words: readonly string[]): RunTarget {
  const [first, second] = words;
  if (words.length > 2) {
    throw new RequestError(
      `run takes a model and a prompt, not ${words.length} arguments: quote the prompt`,
    );
  }
  if (second !== undefined) return { model: first, prompt: second === STDIN ? undefined : second };
  if (first !== undefined && MODEL_FILE.test(first)) return { model: first, prompt: undefined };
  return { model: undefined, prompt: first === STDIN ? undefined : first };
}

/** All of standard input, without the newline that ends it. */
export async function readStandardInput(): Promise<string> {
  if (process.stdin.isTTY) {
    throw new RequestError("no prompt: give one as the last argument, or pipe it in");
  }
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (text === "") throw new RequestError("no prompt: standard input is empty");
  return text;
}
