import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { convertSuite } from "./convert.suite.ts";

testKernelSuite(convertSuite);
