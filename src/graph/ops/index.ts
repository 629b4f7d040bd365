import { UnsupportedError } from "../../errors.ts";
import {
  applyRotaryEmbAtOp,
  applyRotaryEmbHfOp,
  applyRotaryEmbInterleavedOp,
  applyRotaryEmbOp,
  rmsNormOp,
  sdpaWithKvCacheOp,
  updateCacheOp,
} from "./attention.ts";
import {
  dequantizePerTensorOp,
  fullLikeOp,
  fullOp,
  quantizePerTensorOp,
  scalarTensorOp,
  toCopyOp,
  zerosOrOnesLikeOp,
  zerosOrOnesOp,
} from "./create.ts";
import {
  binaryOp,
  clampOp,
  divModeOp,
  geluOp,
  leakyReluOp,
  powScalarOp,
  siluMulOp,
  unaryOp,
} from "./elementwise.ts";
import { attentionLinearAddQ4gswOp, qkvRotaryQ4gswOp, sdpaPartialsOp } from "./decode-attention.ts";
import { embeddingLimbsQ4gswOp, embeddingQ4gswOp } from "./embedding-q4gsw.ts";
import { embeddingOp, gatherOp, indexSelectOp, indexTensorOp } from "./gather.ts";
import {
  linearHalvesQ4gswOp,
  qkvHalvesQ4gswOp,
  rmsNormHalvesOp,
  swigluHalvesQ4gswOp,
} from "./halves.ts";
import { bitwiseOp, compareOp, whereOp } from "./logic.ts";
import { addmmOp, bmmOp, linearOp, mmOp } from "./matmul.ts";
import type { Op } from "./op.ts";
import { constantPadOp } from "./pad.ts";
import {
  chooseQparamsOp,
  linearDq8caQ4gswOp,
  linearQ4gswAddOp,
  linearQ4gswOp,
  linearQcs4wOp,
} from "./quantized.ts";
import { catOp, expandOp, flipOp, permuteOp, repeatOp, splitOp } from "./rearrange.ts";
import { argmaxOp, layerNormOp, reduceOp, softmaxOp } from "./reduce.ts";
import {
  linearAddLimbsQ4gswOp,
  normLinearQ4gswOp,
  qkvQ4gswOp,
  swigluLimbsQ4gswOp,
  swigluQ4gswOp,
} from "./row-projection.ts";
import { normLinearChoiceQ4gswOp, sampleOp } from "./sample.ts";
import { cloneOp, selectCopyOp, sliceCopyOp, squeezeOp, unsqueezeOp, viewCopyOp } from "./views.ts";

/** Every operator a graph may hold, by ExecuTorch's name; ours begin with `tetrad.`. */
const OPS = {
  // 4-bit projections and embeddings
  "et_vk.linear_q4gsw.default": linearQ4gswOp,
  "et_vk.linear_dq8ca_q4gsw.default": linearDq8caQ4gswOp,
  "et_vk.linear_qcs4w.default": linearQcs4wOp,
  "et_vk.embedding_q4gsw.default": embeddingQ4gswOp,
  "torchao.choose_qparams_affine.default": chooseQparamsOp,
  "quantized_decomposed.quantize_per_tensor.default": quantizePerTensorOp,
  "quantized_decomposed.dequantize_per_tensor.default": dequantizePerTensorOp,
  // Attention and positions
  "et_vk.rms_norm.default": rmsNormOp,
  "et_vk.apply_rotary_emb.default": applyRotaryEmbOp,
  "et_vk.apply_rotary_emb_hf.default": applyRotaryEmbHfOp,
  "et_vk.apply_rotary_emb_interleaved.default": applyRotaryEmbInterleavedOp,
  "sdpa_with_kv_cache.default": sdpaWithKvCacheOp,
  "update_cache.default": updateCacheOp,
  // Elementwise, two tensors
  "aten.add.Tensor": binaryOp("add", true),
  "aten.sub.Tensor": binaryOp("sub", true),
  "aten.mul.Tensor": binaryOp("mul"),
  "aten.div.Tensor": binaryOp("div"),
  "aten.div.Tensor_mode": divModeOp,
  "aten.minimum.default": binaryOp("minimum"),
  "aten.pow.Tensor_Tensor": binaryOp("pow"),
  // Elementwise, one tensor
  "aten.sigmoid.default": unaryOp({ op: "sigmoid" }),
  "aten.silu.default": unaryOp({ op: "silu" }),
  "aten.relu.default": unaryOp({ op: "relu" }),
  "aten.tanh.default": unaryOp({ op: "tanh" }),
  "aten.exp.default": unaryOp({ op: "exp" }),
  "aten.sqrt.default": unaryOp({ op: "sqrt" }),
  "aten.rsqrt.default": unaryOp({ op: "rsqrt" }),
  "aten.abs.default": unaryOp({ op: "abs" }),
  "aten.neg.default": unaryOp({ op: "neg" }),
  "aten.sin.default": unaryOp({ op: "sin" }),
  "aten.cos.default": unaryOp({ op: "cos" }),
  "aten.round.default": unaryOp({ op: "round" }),
  "aten.hardswish.default": unaryOp({ op: "hardswish" }),
  "aten.gelu.default": geluOp,
  "aten.leaky_relu.default": leakyReluOp,
  "aten.clamp.default": clampOp(),
  "aten.hardtanh.default": clampOp(-1, 1),
  "aten.pow.Tensor_Scalar": powScalarOp,
  // Comparison and logic
  "aten.eq.Tensor": compareOp("eq", "tensor"),
  "aten.lt.Tensor": compareOp("lt", "tensor"),
  "aten.le.Tensor": compareOp("le", "tensor"),
  "aten.gt.Tensor": compareOp("gt", "tensor"),
  "aten.ge.Tensor": compareOp("ge", "tensor"),
  "aten.eq.Scalar": compareOp("eq", "scalar"),
  "aten.ne.Scalar": compareOp("ne", "scalar"),
  "aten.lt.Scalar": compareOp("lt", "scalar"),
  "aten.le.Scalar": compareOp("le", "scalar"),
  "aten.gt.Scalar": compareOp("gt", "scalar"),
  "aten.ge.Scalar": compareOp("ge", "scalar"),
  "aten.logical_and.default": bitwiseOp("and", ["bool"]),
  "aten.logical_or.default": bitwiseOp("or", ["bool"]),
  "aten.logical_not.default": bitwiseOp("not", ["bool"]),
  "aten.bitwise_and.Tensor": bitwiseOp("and", ["bool", "u8", "i8", "i32"]),
  "aten.bitwise_or.Tensor": bitwiseOp("or", ["bool", "u8", "i8", "i32"]),
  "aten.bitwise_not.default": bitwiseOp("not", ["bool", "u8", "i8", "i32"]),
  "aten.where.self": whereOp,
  // Shapes
  "aten.view_copy.default": viewCopyOp,
  "aten.clone.default": cloneOp,
  "aten.alias_copy.default": cloneOp,
  "dim_order_ops._clone_dim_order.default": cloneOp,
  "aten.unsqueeze_copy.default": unsqueezeOp,
  "aten.squeeze_copy.dims": squeezeOp,
  "aten.slice_copy.Tensor": sliceCopyOp,
  "aten.select_copy.int": selectCopyOp,
  "aten.permute.default": permuteOp,
  "aten.permute_copy.default": permuteOp,
  "aten.expand_copy.default": expandOp,
  "aten.repeat.default": repeatOp,
  "aten.flip.default": flipOp,
  "aten.split_with_sizes_copy.default": splitOp,
  "aten.cat.default": catOp,
  "aten.constant_pad_nd.default": constantPadOp,
  // Indices
  "aten.index.Tensor": indexTensorOp,
  "aten.index_select.default": indexSelectOp,
  "aten.gather.default": gatherOp,
  "aten.embedding.default": embeddingOp,
  // New tensors and other types
  "aten.full.default": fullOp,
  "aten.full_like.default": fullLikeOp,
  "aten.zeros.default": zerosOrOnesOp(0),
  "aten.zeros_like.default": zerosOrOnesLikeOp(0),
  "aten.ones.default": zerosOrOnesOp(1),
  "aten.ones_like.default": zerosOrOnesLikeOp(1),
  "aten.scalar_tensor.default": scalarTensorOp,
  "aten._to_copy.default": toCopyOp,
  "dim_order_ops._to_dim_order_copy.default": toCopyOp,
  // Reductions, normalisation and products
  "aten.sum.dim_IntList": reduceOp("sum"),
  "aten.mean.dim": reduceOp("mean"),
  "aten.amax.default": reduceOp("amax"),
  "aten.amin.default": reduceOp("amin"),
  "aten.argmax.default": argmaxOp("argmax"),
  "aten.argmin.default": argmaxOp("argmin"),
  "aten._softmax.default": softmaxOp(false),
  "aten._log_softmax.default": softmaxOp(true),
  "aten.native_layer_norm.default": layerNormOp,
  "aten.linear.default": linearOp,
  "aten.mm.default": mmOp,
  "aten.bmm.default": bmmOp,
  "aten.addmm.default": addmmOp,
  // Ours
  "tetrad.apply_rotary_emb_at": applyRotaryEmbAtOp,
  "tetrad.linear_q4gsw_add": linearQ4gswAddOp,
  "tetrad.embedding_limbs_q4gsw": embeddingLimbsQ4gswOp,
  "tetrad.norm_linear_q4gsw": normLinearQ4gswOp,
  "tetrad.norm_linear_choice_q4gsw": normLinearChoiceQ4gswOp,
  "tetrad.swiglu_q4gsw": swigluQ4gswOp,
  "tetrad.swiglu_limbs_q4gsw": swigluLimbsQ4gswOp,
  "tetrad.linear_add_limbs_q4gsw": linearAddLimbsQ4gswOp,
  "tetrad.qkv_q4gsw": qkvQ4gswOp,
  "tetrad.qkv_rotary_q4gsw": qkvRotaryQ4gswOp,
  "tetrad.sdpa_partials": sdpaPartialsOp,
  "tetrad.attention_linear_add_q4gsw": attentionLinearAddQ4gswOp,
  "tetrad.rms_norm_halves": rmsNormHalvesOp,
  "tetrad.linear_halves_q4gsw": linearHalvesQ4gswOp,
  "tetrad.swiglu_halves_q4gsw": swigluHalvesQ4gswOp,
  "tetrad.qkv_halves_q4gsw": qkvHalvesQ4gswOp,
  "tetrad.silu_mul": siluMulOp,
  "tetrad.sample": sampleOp,
} as const satisfies Record<string, Op>;

/** The name of an operator in the table. */
export type OpName = keyof typeof OPS;

/** Every operator's name. */
export const OP_NAMES = Object.keys(OPS) as readonly OpName[];

/** True for operators this runtime has. */
export function isSupportedOp(name: string): name is OpName {
  return Object.hasOwn(OPS, name);
}

/** The operator of that name. Throws `UnsupportedError` for one that is not in the table. */
export function lookUpOp(name: string): Op {
  if (!isSupportedOp(name)) throw new UnsupportedError(`graph: operator ${name} is not supported`);
  return OPS[name];
}
