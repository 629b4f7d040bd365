import { testKernelSuite } from "../../../tests/support/kernel-suite.ts";
import { embeddingQ4gswSuite } from "./embedding-q4gsw.suite.ts";

testKernelSuite(embeddingQ4gswSuite);
