import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { linearGreedySuite } from "./linear-greedy.suite.ts";

testKernelSuite(linearGreedySuite);
