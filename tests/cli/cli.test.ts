import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import type { BenchReport } from "../../src/bench/report.ts";
import { buildCli } from "./build-cli.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const GGUF = "models/stories-14m/stories-14m-q4_0.gguf";
const PROMPT = "Once upon a time";

let cli: string;
beforeAll(async () => {
  cli = await buildCli();
});

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command; `onOutput` sees the child at its first output. */
async function tetrad(
  args: readonly string[],
  {
    input = "",
    onOutput,
    program = cli,
    env = {},
  }: {
    input?: string;
    onOutput?: (child: ChildProcess) => void;
    program?: string;
    env?: Readonly<Record<string, string>>;
  } = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.once("data", () => onOutput?.(child));
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  // It may be gone before it reads.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve) => {
    child.once("close", resolve);
  });
  return { code, stdout, stderr };
}

const run = (...args: string[]) => ["run", "--software", ...args];

describe("run", () => {
  test("streams the model inside and closes with its speed", async () => {
    const { code, stdout, stderr } = await tetrad(run(PROMPT, "--max-tokens", "5"));
    expect(stderr).toMatch(/^5 tokens, .* tokens\/s, first after .*, on SwiftShader/m);
    expect(stderr).toMatch(/^tetrad: warning: no GPU found/m);
    expect(stdout).toBe(" there was a man who\n");
    expect(code).toBe(0);
  });

  test("takes the prompt from standard input, and says all in JSON", async () => {
    const flags = ["--json", "--max-tokens", "2", "--context", "64"];
    const { code, stdout } = await tetrad(run(GGUF, "-", ...flags), { input: `${PROMPT}\n` });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      text: " there was",
      stopReason: "length",
      model: { contextLength: 64 },
    });
  });

  test("Ctrl-C ends a generation", async () => {
    const { code, stdout, stderr } = await tetrad(run(PROMPT), {
      onOutput: (child) => child.kill("SIGINT"),
    });
    expect(code).toBe(130);
    expect(stdout).toMatch(/^ there.*\n$/s);
    expect(stderr).not.toMatch(/Error|tokens\/s/);
  });

  test("a reader that leaves early is no error", async () => {
    const { code, stderr } = await tetrad(run(PROMPT), {
      onOutput: (child) => child.stdout?.destroy(),
    });
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/EPIPE|Error/);
  });
});

test("profile shows the time by kernel, and writes its reports", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tetrad-profile-"));
  try {
    const path = (name: string) => join(folder, name);
    const files = ["--svg", path("a.svg"), "--trace", path("a.json"), "--tsv", path("a.tsv")];
    const flags = ["--software", "--context", "32", "-n", "2", ...files];
    const { code, stdout, stderr } = await tetrad(["profile", PROMPT, ...flags]);
    expect(stderr).toMatch(/prompt tokens, 2 generated, on SwiftShader/);
    expect(stdout).toMatch(/^prefill +calls +total µs +mean µs +share$/m);
    expect(stdout).toMatch(/^decode(.*\n)+linear_q4gsw_\w+ +57 .* % +█+$/m);
    expect(readFileSync(path("a.svg"), "utf8")).toMatch(/^<svg .*<\/svg>\n$/s);
    const trace = JSON.parse(readFileSync(path("a.json"), "utf8")) as { traceEvents: unknown[] };
    expect(trace.traceEvents.length).toBeGreaterThan(200);
    expect(readFileSync(path("a.tsv"), "utf8")).toMatch(/^idx\tkernel\tgwg\tduration_us/);
    expect(code).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("bench", () => {
  const flags = ["--software", "--contexts", "8,24", "--tokens", "4", "--runs", "2"];
  const tiny = ["bench", "--shape", "tiny", "--warm-ups", "1", "--prompts", "16", ...flags];

  test("measures a shape and writes what it found", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tetrad-bench-"));
    try {
      const json = join(folder, "bench.json");
      const svg = join(folder, "bench.svg");
      const files = ["--json", json, "--svg", svg];
      const { code, stdout, stderr } = await tetrad([...tiny, ...files]);
      expect(readFileSync(svg, "utf8")).toMatch(/^<svg .*tiny, random weights.*<\/svg>\n$/s);
      expect(stderr).toMatch(/^tetrad: the device's ceilings$/m);
      expect(stdout).toMatch(/^tiny, random weights, .* on SwiftShader/);
      expect(stdout).toMatch(/^reading memory +[\d.]+ .* GB\/s$/m);
      expect(stdout).toMatch(/^context +tokens\/s +spread +GPU ms +CPU ms +dispatches/m);
      expect(stdout).toMatch(/^a token at 24 +shape +calls +µs/m);
      expect(stdout).toMatch(/\d+ of \d+ checks passed\n$/);
      const report = JSON.parse(readFileSync(json, "utf8")) as BenchReport;
      expect(report).toMatchObject({ format: "tetrad-bench", version: 1 });
      expect(report.device.capabilities.software).toBe(true);
      expect(Object.keys(report.versions)).toEqual(expect.arrayContaining(["tetrad", "node"]));
      expect(report.method).toMatchObject({ runs: 2, tokens: 4, prefixReuse: false });
      expect(report.prefill.map(({ promptTokens }) => promptTokens)).toEqual([16]);
      expect(report.decode.map(({ context }) => context)).toEqual([8, 24]);
      expect(report.decode[0]?.tokensPerSecond.runs.length).toBe(2);
      expect(report.decode[0]?.kernels.length).toBeGreaterThan(5);
      expect(report.products.length).toBe(2);
      expect(code).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("says so, and fails, where a kernel's results are wrong", async () => {
    const broken = cli.replace(/main\.js$/, "broken.js");
    const source = readFileSync(cli, "utf8");
    // One load of four is left out: a kernel that is a third faster.
    const changed = source.replace("sum += a + b + c + d;", "sum += a + b + c;");
    expect(changed).not.toBe(source);
    writeFileSync(broken, changed);
    const quick = [...tiny, "--no-kernels", "--check", "0"];
    const { code, stdout } = await tetrad(quick, { program: broken });
    expect(stdout).toMatch(/^FAILED bench_read of \d+ bytes.*: words add up to \d+, must be \d+$/m);
    expect(code).toBe(1);
  });
});

test("tune measures a model's calls and keeps the choices in the cache folder", async () => {
  const cache = mkdtempSync(join(tmpdir(), "tetrad-cache-"));
  try {
    const env = { XDG_CACHE_HOME: cache };
    const flags = ["--software", "--context", "16", "--budget", "60"];
    const table = await tetrad(["tune", ...flags], { env });
    expect(table.stdout).toMatch(/^call +ways +default +µs +choice +µs +less$/m);
    expect(table.stdout).toMatch(/^sdpa_with_kv_cache heads=6\/2 D=64 C=16 f16 S=1 +\d+ +lanes/m);
    expect(table.code).toBe(0);
    const [file] = readdirSync(join(cache, "tetrad", "tuning"));
    expect(file).toMatch(/^swiftshader.*\.json$/);

    const json = await tetrad(["tune", GGUF, ...flags, "--json"], { env });
    const report = JSON.parse(json.stdout) as { calls: { key: string; choice: string }[] };
    expect(report.calls.map(({ key }) => key)).toEqual([expect.stringContaining("sdpa")]);
    expect(report.calls[0]?.choice).toMatch(/^lanes/);
  } finally {
    rmSync(cache, { recursive: true });
  }
});

test.each<[what: string, args: string[], message: string]>([
  ["a missing file", ["run", "none.gguf", "hi"], "none.gguf: no such file"],
  ["a wrong number", ["run", "hi", "--top-p", "3"], "at least 0, at most 1"],
  ["an unknown flag", ["run", "hi", "--foo"], "unknown option '--foo'"],
  ["no prompt", ["run"], "no prompt"],
  ["flags that exclude each other", run("hi", "--require-gpu"), "cannot be used with"],
  ["a shape that is not known", ["bench", "--shape", "x"], "Allowed choices are llama-3.2-1b"],
  ["neither model nor shape", ["bench"], "name a model file or a --shape"],
  ["a list with a wrong number", ["bench", "--prompts", "1,0"], "at least 1"],
  ["a missing file to tune for", ["tune", "none.gguf"], "none.gguf: no such file"],
  ["a file that is no model", ["inspect", "package.json"], 'not "GGUF"'],
  ["a context too long", ["inspect", GGUF, "--context", "513"], "--context 513"],
])("%s is told in one line", async (_, args, message) => {
  const { code, stdout, stderr } = await tetrad(args);
  expect(stderr).toMatch(/^tetrad: [^\n]+\n$/);
  expect(stderr).toContain(message);
  expect(stdout).toBe("");
  expect(code).toBe(2);
});

test("--debug shows where an error comes from", async () => {
  const { stderr } = await tetrad(["inspect", "package.json", "--debug"]);
  expect(stderr).toMatch(/^FormatError: .*\n +at /m);
});

test("inspect shows a GGUF file and the memory it needs", async () => {
  const { code, stdout } = await tetrad(["inspect", GGUF, "--context", "100"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/general\.name +Stories 14M/);
  expect(stdout).toMatch(/Q4_0 +57 tensors/);
  // 8 layers × 100 positions × 2 heads of 64, keys and values, 2 bytes each.
  expect(stdout).toMatch(/KV cache f16 .* \+ 400 KiB cache/);
});

test("inspect shows an ExecuTorch program", async () => {
  const { code, stdout } = await tetrad(["inspect", "models/stories-14m/pte/stories-14m-4w.pte"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/57 × +et_vk\.linear_q4gsw/);
});

test("devices lists the software adapter and its kernels", async () => {
  const { code, stdout } = await tetrad(["devices"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^SwiftShader/m);
  expect(stdout).toMatch(/linear, one token +serial/);
});
