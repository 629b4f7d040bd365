import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { layerNormSuite } from "./layer-norm.suite.ts";

testKernelSuite(layerNormSuite);
