import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { reduceSuite } from "./reduce.suite.ts";

testKernelSuite(reduceSuite);
