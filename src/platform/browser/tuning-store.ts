import type { TuningStore } from "../../tuning-store.ts";

const DATABASE = "tetrad";
const TABLE = "tuning";
const VERSION = 1;

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error ?? new Error("IndexedDB failed")));
  });
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, VERSION);
  request.addEventListener("upgradeneeded", () => request.result.createObjectStore(TABLE));
  return settled(request);
}

/** Runs one request in a transaction of its own, which makes writes atomic. */
async function request<T>(
  mode: IDBTransactionMode,
  make: (table: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await openDatabase();
  try {
    const transaction = database.transaction(TABLE, mode);
    const done = new Promise<void>((resolve, reject) => {
      const fail = () => reject(transaction.error ?? new Error("IndexedDB: aborted"));
      transaction.addEventListener("complete", () => resolve());
      transaction.addEventListener("abort", fail);
      transaction.addEventListener("error", fail);
    });
    const [result] = await Promise.all([settled(make(transaction.objectStore(TABLE))), done]);
    return result;
  } finally {
    database.close();
  }
}

/** The origin's IndexedDB, where it has one: not in some private windows and opaque origins. */
export function tuningStore(): TuningStore | undefined {
  if (typeof indexedDB === "undefined") return undefined;
  return {
    async read(name) {
      const text: unknown = await request("readonly", (table) => table.get(name));
      return typeof text === "string" ? text : undefined;
    },
    async write(name, text) {
      await request("readwrite", (table) => table.put(text, name));
    },
  };
}
