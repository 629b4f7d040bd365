/// <reference types="vite/types/importMeta.d.ts" />
import type { KernelSuite } from "../../src/kernels/testing/suite.ts";

/** Every suite there is: Vite collects the files, so that none can be forgotten. */
const modules = import.meta.glob<Readonly<Record<string, unknown>>>(
  "../../src/kernels/*/*.suite.ts",
  { eager: true },
);

const isSuite = (value: unknown): value is KernelSuite =>
  typeof value === "object" && value !== null && "operator" in value && "cases" in value;

function suitesOf(path: string, module: Readonly<Record<string, unknown>>): KernelSuite[] {
  const suites = Object.values(module).filter(isSuite);
  if (suites.length === 0) throw new Error(`${path} exports no suite`);
  return suites;
}

/** All kernel suites, by operator. */
export const kernelSuites: readonly KernelSuite[] = Object.entries(modules)
  .flatMap(([path, module]) => suitesOf(path, module))
  .sort((a, b) => a.operator.localeCompare(b.operator));
