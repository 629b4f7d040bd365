import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import process from "node:process";
import type { TuningStore } from "../../tuning-store.ts";

/** Far more than choices for every model there is; a larger file is not ours. */
const MAX_FILE_BYTES = 2 ** 20;

/** Where a user's programs keep what they can make again: by the conventions of each system. */
function cacheFolder(): string {
  const { LOCALAPPDATA, XDG_CACHE_HOME } = process.env;
  if (process.platform === "win32") return LOCALAPPDATA ?? join(homedir(), "AppData", "Local");
  // The specification says to ignore relative paths.
  if (XDG_CACHE_HOME !== undefined && isAbsolute(XDG_CACHE_HOME)) return XDG_CACHE_HOME;
  return process.platform === "darwin"
    ? join(homedir(), "Library", "Caches")
    : join(homedir(), ".cache");
}

/** A file a device in a folder. */
export class FileTuningStore implements TuningStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  #path(name: string): string {
    return join(this.#folder, `${name}.json`);
  }

  async read(name: string): Promise<string | undefined> {
    const file = await open(this.#path(name)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    });
    if (file === undefined) return undefined;
    try {
      const { size } = await file.stat();
      return size > MAX_FILE_BYTES ? undefined : await file.readFile("utf8");
    } finally {
      await file.close();
    }
  }

  async write(name: string, text: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    // Renaming replaces a file at once, whoever reads or writes it meanwhile.
    const temporary = join(this.#folder, `${name}.${randomUUID()}.tmp`);
    try {
      await writeFile(temporary, text, { flag: "wx", mode: 0o600 });
      await rename(temporary, this.#path(name));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}

/** The store in the user's cache folder. */
export function tuningStore(): TuningStore {
  return new FileTuningStore(join(cacheFolder(), "tetrad", "tuning"));
}
