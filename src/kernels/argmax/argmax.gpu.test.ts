import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { argmaxSuite } from "./argmax.suite.ts";

testKernelSuite(argmaxSuite);
