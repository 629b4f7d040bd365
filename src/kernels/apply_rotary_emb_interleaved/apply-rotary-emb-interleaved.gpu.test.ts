import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { rotaryInterleavedSuite } from "./apply-rotary-emb-interleaved.suite.ts";

testKernelSuite(rotaryInterleavedSuite);
