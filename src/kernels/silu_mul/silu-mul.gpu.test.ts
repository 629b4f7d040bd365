import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { siluMulSuite } from "./silu-mul.suite.ts";

testKernelSuite(siluMulSuite);
