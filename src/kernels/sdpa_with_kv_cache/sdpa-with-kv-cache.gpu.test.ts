import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { sdpaSuite } from "./sdpa-with-kv-cache.suite.ts";

testKernelSuite(sdpaSuite);
