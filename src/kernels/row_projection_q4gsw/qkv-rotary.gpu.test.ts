import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { qkvRotarySuite } from "./qkv-rotary.suite.ts";

testKernelSuite(qkvRotarySuite);
