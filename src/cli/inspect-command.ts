import process from "node:process";
import type { ByteSource } from "../byte-source.ts";
import { openSource } from "../platform/node/open-source.ts";
import { inspectGguf } from "./inspect-gguf.ts";
import { inspectPte } from "./inspect-pte.ts";

/** An ExecuTorch program: a FlatBuffer with the identifier `ET` and two digits at byte 4. */
async function isPte(source: ByteSource): Promise<boolean> {
  if (source.byteLength < 8) return false;
  const identifier = new TextDecoder().decode(await source.read(4, 4));
  return /^ET\d\d$/.test(identifier);
}

/** `tetrad inspect FILE`: by its first bytes a file is a program, else it has to be a GGUF file. */
export async function inspectCommand(
  file: string,
  { context }: { readonly context?: number },
): Promise<void> {
  const source = await openSource(file);
  try {
    const text = (await isPte(source))
      ? await inspectPte(source)
      : await inspectGguf(source, context);
    process.stdout.write(`${text}\n`);
  } finally {
    await source.close();
  }
}
