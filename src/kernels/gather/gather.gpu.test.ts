import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { gatherSuite } from "./gather.suite.ts";

testKernelSuite(gatherSuite);
