import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { embeddingLimbsSuite } from "./embedding-limbs.suite.ts";

testKernelSuite(embeddingLimbsSuite);
