import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { linearQcs4wSuite } from "./linear-qcs4w.suite.ts";

testKernelSuite(linearQcs4wSuite);
