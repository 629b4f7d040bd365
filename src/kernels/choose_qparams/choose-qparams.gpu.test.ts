import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { chooseQparamsSuite } from "./choose-qparams.suite.ts";

testKernelSuite(chooseQparamsSuite);
