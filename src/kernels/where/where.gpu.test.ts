import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { whereSuite } from "./where.suite.ts";

testKernelSuite(whereSuite);
