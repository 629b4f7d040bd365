import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { matmulSuite } from "./matmul.suite.ts";

testKernelSuite(matmulSuite);
