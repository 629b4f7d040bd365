/** For tests on software adapters, and for a browser that computes on the same cores. */
import { pollPatiently } from "../../src/platform/node/patient-polling.ts";

pollPatiently();
