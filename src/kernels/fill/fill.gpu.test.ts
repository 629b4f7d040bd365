import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { fillSuite } from "./fill.suite.ts";

testKernelSuite(fillSuite);
