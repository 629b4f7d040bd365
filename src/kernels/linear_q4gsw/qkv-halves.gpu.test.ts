import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { qkvHalvesSuite } from "./qkv-halves.suite.ts";

testKernelSuite(qkvHalvesSuite);
