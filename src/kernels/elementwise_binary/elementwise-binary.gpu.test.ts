import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { elementwiseBinarySuite } from "./elementwise-binary.suite.ts";

testKernelSuite(elementwiseBinarySuite);
