import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { compareSuite } from "./compare.suite.ts";

testKernelSuite(compareSuite);
