import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { swigluHalvesSuite } from "./swiglu-halves.suite.ts";

testKernelSuite(swigluHalvesSuite);
