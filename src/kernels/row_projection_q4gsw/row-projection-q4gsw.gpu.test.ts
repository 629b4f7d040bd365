import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { rowProjectionQ4gswSuite } from "./row-projection-q4gsw.suite.ts";

testKernelSuite(rowProjectionQ4gswSuite);
