import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { quantizePerTensorSuite } from "./quantize-per-tensor.suite.ts";

testKernelSuite(quantizePerTensorSuite);
