/** Runs an engine in a process of its own and gathers what it says, however that ends. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { EngineName } from "./engine.ts";
import type { ContextResult } from "./measure.ts";
import type { Message, Task } from "./messages.ts";
import type { ProjectionResult } from "./projections.ts";

const CHILD = fileURLToPath(new URL("child.mjs", import.meta.url));

/** Of what a process wrote to stderr, the end is kept, to tell why it died. */
const KEPT_CHARACTERS = 2000;

export interface EngineResult {
  readonly engine: EngineName;
  /** The engine's name where it did not come as far as telling its own. */
  readonly title: string;
  readonly device: string;
  readonly contexts: readonly ContextResult[];
  readonly projections: readonly ProjectionResult[];
  /** Why there is not everything that was asked for. */
  readonly failure: string | undefined;
}

/** Never rejects: an engine that cannot run has a failure. */
export function runEngine(
  task: Task,
  timeoutMs: number,
  onProgress: (line: string) => void,
): Promise<EngineResult> {
  return new Promise((resolve) => {
    const child = fork(CHILD, [JSON.stringify(task)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    const contexts: ContextResult[] = [];
    const projections: ProjectionResult[] = [];
    let title: string = task.engine;
    let device = "";
    let failure: string | undefined;
    let finished = false;
    let errors = "";
    child.stderr?.on("data", (text: Buffer) => {
      errors = (errors + text.toString()).slice(-KEPT_CHARACTERS);
    });
    const timer = setTimeout(() => {
      failure = `stopped after ${timeoutMs / 1000} s`;
      child.kill("SIGKILL");
    }, timeoutMs);
    child.on("message", (message: Message) => {
      switch (message.type) {
        case "loaded":
          ({ title, device } = message);
          break;
        case "context":
          contexts.push(message.result);
          onProgress(`${title}: ${message.result.context} tokens of context`);
          break;
        case "projection":
          projections.push(message.result);
          break;
        case "failed":
          failure = message.reason;
          break;
        case "finished":
          finished = true;
      }
    });
    child.on("error", (error) => {
      failure = error.message;
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (!finished) {
        failure ??= `the process ended with ${signal ?? `code ${code}`} ${lastLine(errors)}`.trim();
      }
      if (failure !== undefined) onProgress(`${title}: ${failure}`);
      resolve({ engine: task.engine, title, device, contexts, projections, failure });
    });
  });
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
