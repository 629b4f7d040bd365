import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { stridedCopySuite } from "./strided-copy.suite.ts";

testKernelSuite(stridedCopySuite);
