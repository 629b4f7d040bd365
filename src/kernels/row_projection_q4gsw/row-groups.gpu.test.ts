import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { rowGroupsSuite } from "./row-groups.suite.ts";

testKernelSuite(rowGroupsSuite);
