import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { rmsNormSuite } from "./rms-norm.suite.ts";

testKernelSuite(rmsNormSuite);
