import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { sdpaPartialsSuite } from "./sdpa-partials.suite.ts";

testKernelSuite(sdpaPartialsSuite);
