import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { softmaxSuite } from "./softmax.suite.ts";

testKernelSuite(softmaxSuite);
