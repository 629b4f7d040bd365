import { UnsupportedError } from "../../errors.ts";
import {
  applyRotaryEmbAtOp,
  applyRotaryEmbHfOp,
  applyRotaryEmbOp,
  rmsNormOp,
  sdpaWithKvCacheOp,
  updateCacheOp,
} from "./attention.ts";
import { binaryOp, siluMulOp, unaryOp } from "./elementwise.ts";
import type { Op } from "./op.ts";
import { embeddingQ4gswOp, linearQ4gswOp } from "./quantized.ts";
import { sampleOp } from "./sample.ts";
import { cloneOp, selectCopyOp, sliceCopyOp, squeezeOp, unsqueezeOp, viewCopyOp } from "./views.ts";

/** Every operator a graph may hold, by ExecuTorch's name; ours begin with `tetrad.`. */
const OPS = {
  "et_vk.linear_q4gsw.default": linearQ4gswOp,
  "et_vk.embedding_q4gsw.default": embeddingQ4gswOp,
  "et_vk.rms_norm.default": rmsNormOp,
  "et_vk.apply_rotary_emb.default": applyRotaryEmbOp,
  "et_vk.apply_rotary_emb_hf.default": applyRotaryEmbHfOp,
  "sdpa_with_kv_cache.default": sdpaWithKvCacheOp,
  "update_cache.default": updateCacheOp,
  "aten.add.Tensor": binaryOp("add", true),
  "aten.sub.Tensor": binaryOp("sub", true),
  "aten.mul.Tensor": binaryOp("mul", false),
  "aten.div.Tensor": binaryOp("div", false),
  "aten.minimum.default": binaryOp("minimum", false),
  "aten.sigmoid.default": unaryOp("sigmoid"),
  "aten.view_copy.default": viewCopyOp,
  "aten.clone.default": cloneOp,
  "aten.alias_copy.default": cloneOp,
  "aten.unsqueeze_copy.default": unsqueezeOp,
  "aten.squeeze_copy.dims": squeezeOp,
  "aten.slice_copy.Tensor": sliceCopyOp,
  "aten.select_copy.int": selectCopyOp,
  "tetrad.apply_rotary_emb_at": applyRotaryEmbAtOp,
  "tetrad.silu_mul": siluMulOp,
  "tetrad.sample": sampleOp,
} as const satisfies Record<string, Op>;

/** The name of an operator in the table. */
export type OpName = keyof typeof OPS;

/** True for operators this runtime has. */
export function isSupportedOp(name: string): name is OpName {
  return Object.hasOwn(OPS, name);
}

/** The operator of that name. Throws `UnsupportedError` for one that is not in the table. */
export function lookUpOp(name: string): Op {
  if (!isSupportedOp(name)) throw new UnsupportedError(`graph: operator ${name} is not supported`);
  return OPS[name];
}
