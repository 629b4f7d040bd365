/** The sampler as an operator, so that the next token is chosen and fed back on the GPU. */
import { sampler } from "../../kernels/sample/sample.ts";
import { fixedDim, call, readArguments } from "./op.ts";
import type { Op } from "./op.ts";

/**
 * [logits [1, V], sampling u32 [16] (as i32), seen [⌈V/32⌉], input_pos [1], token [1],
 * history [C], mode "greedy" | "sampled", S] → nothing; writes token, history and seen, and
 * advances input_pos by S.
 */
export const sampleOp: Op = {
  infer(args) {
    args.typed(0, "f32");
    for (const index of [1, 2, 3, 4, 5]) args.typed(index, "i32");
    return [];
  },
  lower(node, { capabilities }) {
    const args = readArguments(node);
    const logits = args.tensor(0);
    const mode = args.string(6) === "greedy" ? "greedy" : "sampled";
    const history = args.tensor(5);
    const S = args.int(7);
    const route = sampler(
      { vocabularySize: fixedDim(logits, -1), mode, historyLength: fixedDim(history, 0) },
      capabilities,
    );
    return [
      call(
        route,
        {
          logits,
          sampling: args.tensor(1),
          seen: args.tensor(2),
          input_pos: args.tensor(3),
          token: args.tensor(4),
          history,
        },
        (values) => ({ S: values.get(S) }),
      ),
    ];
  },
};
