import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { linearDq8caQ4gswSuite } from "./linear-dq8ca-q4gsw.suite.ts";

testKernelSuite(linearDq8caQ4gswSuite);
