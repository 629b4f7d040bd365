import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { catSuite } from "./cat.suite.ts";

testKernelSuite(catSuite);
