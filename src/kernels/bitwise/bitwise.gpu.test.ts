import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { bitwiseSuite } from "./bitwise.suite.ts";

testKernelSuite(bitwiseSuite);
