import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { linearQ4gswSuite } from "./linear-q4gsw.suite.ts";

testKernelSuite(linearQ4gswSuite);
