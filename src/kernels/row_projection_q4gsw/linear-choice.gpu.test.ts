import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { linearChoiceSuite } from "./linear-choice.suite.ts";

testKernelSuite(linearChoiceSuite);
