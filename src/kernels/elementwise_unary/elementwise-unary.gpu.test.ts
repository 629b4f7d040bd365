import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { elementwiseUnarySuite } from "./elementwise-unary.suite.ts";

testKernelSuite(elementwiseUnarySuite);
